//! What an instance says and hears: a [`Spec`].

use std::net::IpAddr;
use std::time::Duration;

use rlvs_config::model::vrrp::{self, Garp};
use rlvs_vrrp::packet::Key;
use rlvs_vrrp::spec::{Announcements, Authentication, Family, OldChecksum, Peer, To};
use rlvs_vrrp::{Spec, Version};

use super::{Settler, seconds, signing, strict};

/// keepalived's hop limit for peers.
const UNICAST_TTL: u8 = 255;

impl Settler<'_> {
    /// Without what it tracks.
    pub(super) fn spec(&mut self, it: &vrrp::Instance, router: u8, of: &str) -> Option<Spec> {
        let defaults = &self.vrrp.defaults;
        let family = family(it);
        let mut spec = Spec::new(router, self.listed(it, family, of));
        spec.family = family;
        spec.version = match (it.version.or(defaults.version), family) {
            (Some(3), _) | (_, Family::V6) => Version::V3,
            _ => Version::V2,
        };
        spec.priority = it.priority.unwrap_or(spec.priority);
        spec.begins_as_master = it.state.as_deref() == Some("MASTER");
        spec.interval = it.advert_int.map_or(spec.interval, seconds);
        spec.to = self.to(it, family);
        spec.authentication = self.authentication(it, spec.version, of);
        spec.old_unicast_checksum = match it.old_unicast_checksum.as_deref() {
            Some("never") => OldChecksum::Never,
            Some(_) => OldChecksum::On,
            None => OldChecksum::Auto,
        };
        let strict = self.is_strict(it);
        spec.accept = it.accept.unwrap_or(!strict);
        let down_timer = it.down_timer_adverts.or(defaults.down_timer_adverts);
        spec.down_timer_adverts = down_timer.unwrap_or(spec.down_timer_adverts);
        let or = |own: Option<bool>, all: bool| own.unwrap_or(all);
        spec.lower_prio_no_advert = or(it.lower_prio_no_advert, defaults.lower_prio_no_advert);
        spec.higher_prio_send_advert =
            or(it.higher_prio_send_advert, defaults.higher_prio_send_advert);
        spec.skip_check_adv_addr = or(it.skip_check_adv_addr, defaults.skip_check_adv_addr);
        spec.startup_delay = defaults.startup_delay.map_or(Duration::ZERO, seconds);
        spec.announcements = announcements(&it.garp, defaults);
        let hmac = it.auth_hmac.as_ref();
        let signing = hmac.map(|hmac| signing::signing(hmac, spec.interval));
        match signing.transpose() {
            Ok(signing) => spec.signing = signing,
            // Without its keys it says nothing at all.
            Err(problem) => {
                self.problem(of, problem);
                return None;
            }
        }
        spec.checksum_as_v2 = it.v3_checksum_as_v2.unwrap_or_default();
        if strict && !self.strict(it, &mut spec, of) {
            return None;
        }
        self.preemption(it, &mut spec, of);
        if strict {
            spec.preempt_delay = Duration::ZERO;
        }
        spec.track_primary = !it.dont_track_primary;
        Some(spec)
    }

    /// Addresses that are advertised.
    fn listed(&mut self, it: &vrrp::Instance, family: Family, of: &str) -> Vec<IpAddr> {
        let (listed, others): (Vec<_>, Vec<_>) = it
            .virtual_ipaddress
            .iter()
            .partition(|address| Family::of(address.ip()) == family);
        if !others.is_empty() {
            self.note(
                of,
                "addresses of the other IP version come and go with it, and are not advertised",
            );
        }
        listed.iter().map(|it| it.ip()).collect()
    }

    pub(super) fn is_strict(&self, it: &vrrp::Instance) -> bool {
        it.strict_mode.unwrap_or(self.vrrp.defaults.strict)
    }

    /// Whether it can be so.
    fn strict(&mut self, it: &vrrp::Instance, spec: &mut Spec, of: &str) -> bool {
        let mut notes = Vec::new();
        let outcome = strict::apply(it, spec, &mut notes);
        for note in notes {
            self.note(of, note);
        }
        match outcome {
            Ok(()) => true,
            Err(problem) => {
                self.problem(of, problem);
                false
            }
        }
    }

    /// As keepalived has it, a router that is to begin as master takes over at once.
    fn preemption(&mut self, it: &vrrp::Instance, spec: &mut Spec, of: &str) {
        spec.preempt = it.preempt.unwrap_or(true);
        spec.preempt_delay = it.preempt_delay.map_or(Duration::ZERO, seconds);
        if spec.begins_as_master && (!spec.preempt || !spec.preempt_delay.is_zero()) {
            spec.preempt = true;
            spec.preempt_delay = Duration::ZERO;
            let what = "has no meaning with state MASTER: set state BACKUP";
            self.note(of, format!("nopreempt or preempt_delay {what}"));
        }
    }

    fn to(&self, it: &vrrp::Instance, family: Family) -> To {
        let defaults = &self.vrrp.defaults;
        if it.unicast_peer.is_empty() && !it.unicast_fault_no_peer {
            let usual = match family {
                Family::V4 => defaults.mcast_group4.map(IpAddr::V4),
                Family::V6 => defaults.mcast_group6.map(IpAddr::V6),
            };
            return match it.mcast_dst_ip.or(usual) {
                Some(group) => To::Group(group),
                None => standard_group(family),
            };
        }
        let peer = |peer: &vrrp::Peer| Peer {
            address: peer.address,
            min_ttl: peer.min_ttl.unwrap_or(0),
            max_ttl: peer.max_ttl.unwrap_or(u8::MAX),
        };
        To::Peers {
            peers: it.unicast_peer.iter().map(peer).collect(),
            hop_limit: it.unicast_ttl.unwrap_or(UNICAST_TTL),
            // Nobody else changes what is forwarded.
            check_source: true,
        }
    }

    fn authentication(
        &mut self,
        it: &vrrp::Instance,
        version: Version,
        of: &str,
    ) -> Authentication {
        let Some(written) = &it.authentication else {
            return Authentication::None;
        };
        let Some(pass) = &written.pass else {
            self.note(of, "authentication without auth_pass is none");
            return Authentication::None;
        };
        if version == Version::V3 {
            self.note(of, "version 3 has no authentication: it speaks without");
            return Authentication::None;
        }
        match written.kind.as_deref() {
            Some("AH") => Authentication::Header(Key::new(pass)),
            _ => Authentication::Password(Key::new(pass)),
        }
    }
}

/// Peers decide, then what the addresses are.
fn family(it: &vrrp::Instance) -> Family {
    let peer = it.unicast_peer.first().map(|peer| peer.address);
    let configured = it.unicast_src_ip.or(it.mcast_src_ip).or(it.mcast_dst_ip);
    let first = it.virtual_ipaddress.first().map(|it| it.ip());
    let decides = peer.or(configured).or(first);
    match decides {
        Some(address) => Family::of(address),
        None if it.native_ipv6 => Family::V6,
        None => Family::V4,
    }
}

fn standard_group(family: Family) -> To {
    let any: IpAddr = match family {
        Family::V4 => [0; 4].into(),
        Family::V6 => [0u16; 8].into(),
    };
    Spec::new(1, vec![any]).to
}

fn announcements(own: &Garp, defaults: &vrrp::Defaults) -> Announcements {
    let usual = match defaults.min_garp {
        true => Announcements::min(),
        false => Announcements::default(),
    };
    let all = &defaults.garp;
    let time = |seconds: u32| Duration::from_secs(seconds.into());
    Announcements {
        master_delay: own
            .master_delay
            .or(all.master_delay)
            .map_or(usual.master_delay, time),
        master_repeat: own
            .master_repeat
            .or(all.master_repeat)
            .unwrap_or(usual.master_repeat),
        lower_prio_delay: own.lower_prio_delay.or(all.lower_prio_delay).map(time),
        lower_prio_repeat: own.lower_prio_repeat.or(all.lower_prio_repeat),
        master_refresh: own
            .master_refresh
            .or(all.master_refresh)
            .map_or(usual.master_refresh, time),
        master_refresh_repeat: own
            .master_refresh_repeat
            .or(all.master_refresh_repeat)
            .unwrap_or(usual.master_refresh_repeat),
    }
}
