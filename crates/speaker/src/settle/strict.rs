//! `vrrp_strict`, `strict_mode`: what RFCs do not have is set back, as keepalived 2.2.7 does, which is
//! said; what cannot be set back is refused.

use std::net::IpAddr;
use std::time::Duration;

use rlvs_config::model::vrrp;
use rlvs_vrrp::spec::{Authentication, Family, OWNER, To};
use rlvs_vrrp::{Spec, Version};

/// What cannot be. `notes` get what becomes another.
pub(super) fn apply(
    it: &vrrp::Instance,
    spec: &mut Spec,
    notes: &mut Vec<&'static str>,
) -> Result<(), &'static str> {
    let Some(first) = spec.addresses.first() else {
        return Err("strict: it has no address that is advertised: give it one");
    };
    if spec.family == Family::V6 && !is_near(*first) {
        return Err("strict: its first address has to be of the link (fe80::/10): put one first");
    }
    if matches!(spec.to, To::Peers { .. }) {
        notes.push("strict: RFCs have no unicast peers, to which it speaks all the same");
    }
    let owner = spec.priority == OWNER;
    if spec.begins_as_master != owner {
        notes.push("strict: who owns the addresses (priority 255) begins as master, nobody else");
        spec.begins_as_master = owner;
    }
    if spec.authentication != Authentication::None {
        notes.push("strict: there is no authentication: it speaks without");
        spec.authentication = Authentication::None;
    }
    if spec.signing.is_some() {
        notes.push("strict: RFCs have no auth_hmac, with which it signs all the same");
    }
    if it.preempt_delay.is_some_and(|it| it > 0.0) {
        notes.push("strict: there is no preempt_delay: it does not wait");
    }
    if it.accept == Some(true) && spec.version == Version::V2 && !owner {
        notes.push("strict: version 2 has no accept: packets to its addresses are dropped");
        spec.accept = false;
    }
    announcements(spec, notes);
    advertisements(it, spec, notes);
    Ok(())
}

fn announcements(spec: &mut Spec, notes: &mut Vec<&'static str>) {
    let all = &mut spec.announcements;
    let said = all.lower_prio_delay.is_some_and(|it| !it.is_zero())
        || all.lower_prio_repeat.is_some_and(|it| it > 0)
        || !all.master_refresh.is_zero();
    if said {
        notes.push(
            "strict: gratuitous ARPs are not repeated: garp_lower_prio_*, garp_master_refresh",
        );
    }
    all.lower_prio_delay = Some(Duration::ZERO);
    all.lower_prio_repeat = Some(0);
    all.master_refresh = Duration::ZERO;
}

fn advertisements(it: &vrrp::Instance, spec: &mut Spec, notes: &mut Vec<&'static str>) {
    if it.lower_prio_no_advert == Some(false) {
        notes.push("strict: a lower priority's advertisement is not answered");
    }
    spec.lower_prio_no_advert = true;
    if spec.higher_prio_send_advert {
        notes.push("strict: a higher priority's advertisement is not answered");
        spec.higher_prio_send_advert = false;
    }
}

/// `vmac_xmit_base` is none of strict ones.
pub(super) const XMIT_BASE: &str = "strict: advertisements go by the virtual MAC address";

fn is_near(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}
