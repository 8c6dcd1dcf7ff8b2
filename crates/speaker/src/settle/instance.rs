//! An instance: where it speaks, and what is put on this machine for it.

use std::sync::Arc;
use std::time::Duration;

use rlvs_config::model::{VirtualAddress, vrrp};
use rlvs_vrrp::Spec;
use rlvs_vrrp::spec::{To, Tracked};

use super::interfaces::Interfaces;
use super::{Settler, strict};
use crate::plan::{Again, Instance, Place, Placement, setting};

/// keepalived's default_interface.
const INTERFACE: &str = "eth0";

impl Settler<'_> {
    pub(super) fn instance(&mut self, it: &vrrp::Instance, of: &str) -> Option<Instance> {
        let defaults = &self.vrrp.defaults;
        // By a VRF's device peers are heard on all interfaces that belong to it.
        let by_peers = !it.unicast_peer.is_empty();
        let vrf = it.vrf.as_ref().filter(|_| by_peers);
        let Some(interface) = it.interface.as_ref().or(vrf).cloned() else {
            self.problem(of, "it has no interface: name the one it speaks on");
            return None;
        };
        let Some(router) = it.virtual_router_id else {
            self.problem(
                of,
                "it has no virtual_router_id: give it the others' number",
            );
            return None;
        };
        let mut spec = self.spec(it, router, of)?;
        let (mut tracked, track) = self.track(&it.track, of);
        spec.track = track;
        for subject in self.statics_of(&it.name) {
            tracked.push(subject);
            spec.track.push(Tracked::default());
        }
        let mut interfaces = match Interfaces::new(it, &spec, &interface, defaults) {
            Ok(interfaces) => interfaces,
            Err(problem) => {
                self.problem(of, problem);
                return None;
            }
        };
        let strict = self.is_strict(it);
        if let Some(vmac) = interfaces.vmac.as_mut().filter(|_| strict) {
            let xmit_base = it.vmac.as_ref().is_some_and(|it| it.xmit_base);
            if xmit_base && matches!(spec.to, To::Group(_)) {
                vmac.sends = true;
                self.note(of, strict::XMIT_BASE);
            }
        }
        // Who speaks in a VRF, on none of its interfaces, has addresses where keepalived has them.
        let usual = match it.interface {
            Some(_) => interface.clone(),
            None => defaults.interface.clone().unwrap_or(INTERFACE.to_owned()),
        };
        let placement = placement(it, &spec, &usual, &interfaces, defaults);
        Some(Instance {
            name: it.name.clone(),
            source: it.unicast_src_ip.or(it.mcast_src_ip),
            track_source: it.track_src_ip,
            tracked,
            promotes: match it.promote_secondaries {
                true => parents(it, &usual, &placement),
                false => Vec::new(),
            },
            placement: Arc::new(placement),
            vmac: interfaces.vmac,
            address_vmacs: interfaces.address_vmacs,
            ipvlan: interfaces.ipvlan,
            interface,
            spec,
        })
    }
}

fn placement(
    it: &vrrp::Instance,
    spec: &Spec,
    interface: &str,
    interfaces: &Interfaces,
    defaults: &vrrp::Defaults,
) -> Placement {
    let place = |address: &VirtualAddress| Place {
        interface: interfaces.place(address, interface),
        setting: setting(address),
    };
    let addresses: Vec<_> = all_addresses(it).map(place).collect();
    Placement {
        again: again(it, interfaces, defaults, &addresses),
        addresses,
        routes: it.virtual_routes.clone(),
        rules: it.virtual_rules.clone(),
        closed: !spec.accepts(),
    }
}

/// `garp_extra_if`: for switches to keep MAC addresses that nothing else is sent from.
fn again(
    it: &vrrp::Instance,
    interfaces: &Interfaces,
    defaults: &vrrp::Defaults,
    addresses: &[Place],
) -> Option<Again> {
    let (written, all) = match it.garp.extra_if {
        Some(_) => (it.garp.extra_if, it.garp.extra_if_all),
        None => (defaults.garp.extra_if, defaults.garp.extra_if_all),
    };
    let every = written.filter(|it| *it > 0)?;
    let of_vmacs = interfaces.address_vmacs.iter().map(|it| it.name.clone());
    let mut names: Vec<_> = match all {
        true => addresses.iter().map(|it| it.interface.clone()).collect(),
        false => of_vmacs.collect(),
    };
    names.sort();
    names.dedup();
    Some(Again {
        every: Duration::from_secs(every.into()),
        interfaces: names,
    })
}

/// Interfaces that addresses of IPv4 are on, or that those are on: only they take others along.
fn parents(it: &vrrp::Instance, interface: &str, placement: &Placement) -> Vec<String> {
    let written = all_addresses(it).zip(&placement.addresses);
    let of_v4 = written.filter(|(address, _)| address.ip().is_ipv4());
    let names = of_v4.flat_map(|(address, place)| {
        let parent = address.interface.clone().unwrap_or(interface.to_owned());
        [parent, place.interface.clone()]
    });
    let mut names: Vec<_> = names.collect();
    names.sort();
    names.dedup();
    names
}

fn all_addresses(it: &vrrp::Instance) -> impl Iterator<Item = &VirtualAddress> {
    let addresses = it.virtual_ipaddress.iter();
    addresses.chain(&it.virtual_ipaddress_excluded)
}
