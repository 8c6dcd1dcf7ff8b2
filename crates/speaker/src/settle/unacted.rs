//! What of VRRP's configuration is read and not acted on, by name.

use rlvs_config::Site;
use rlvs_config::model::vrrp::{Defaults, Instance, Track, VirtualAddress, Vrrp};

pub(super) fn notes(site: &Site, notes: &mut Vec<String>) {
    let vrrp = &site.vrrp;
    defaults(&vrrp.defaults, notes);
    blocks(vrrp, notes);
    for instance in &vrrp.instance {
        let mut say = |what: &str| notes.push(format!("vrrp_instance {}: {what}", instance.name));
        of_instance(instance, &vrrp.defaults, &mut say);
    }
    for group in &vrrp.sync_group {
        if !group.track.bfd.is_empty() {
            notes.push(format!("vrrp_sync_group {}: {BFD}", group.name));
        }
    }
}

const BFD: &str = "track_bfd: rlvs does not speak BFD; what is tracked so counts nothing";

fn defaults(it: &Defaults, notes: &mut Vec<String>) {
    let rows = [
        (
            it.log_unknown_vrids,
            "log_unknown_vrids: advertisements of other virtual routers are not looked at",
        ),
        (
            it.vmac_prefix.is_some() || it.vmac_addr_prefix.is_some(),
            "vmac_prefix, vmac_addr_prefix: name the interface (use_vmac NAME), or it is vrrp.NUMBER",
        ),
        (
            it.garp.extra_if.is_some(),
            "vrrp_garp_extra_if: neighbours know virtual MAC addresses already",
        ),
    ];
    let said = rows.iter().filter(|(is, _)| *is);
    notes.extend(said.map(|(_, what)| (*what).to_owned()));
}

fn blocks(it: &Vrrp, notes: &mut Vec<String>) {
    let rows = [
        (!it.bfd.is_empty(), "bfd_instance: rlvs does not speak BFD"),
        (
            !it.track_group.is_empty(),
            "track_group: static addresses and routes that go change no instance",
        ),
        (
            !it.static_routes.is_empty(),
            "static_routes: they are not set; set them where the interfaces are configured",
        ),
        (
            !it.static_rules.is_empty(),
            "static_rules: they are not set; set them where the interfaces are configured",
        ),
        (
            !it.linkbeat_interfaces.is_empty(),
            "linkbeat_interfaces: the kernel tells of carriers, which are not asked for",
        ),
        (
            !it.interface_delays.is_empty(),
            "interface_up_down_delays: a change of an interface counts at once",
        ),
    ];
    let said = rows.iter().filter(|(is, _)| *is);
    notes.extend(said.map(|(_, what)| (*what).to_owned()));
}

fn of_instance(it: &Instance, defaults: &Defaults, say: &mut dyn FnMut(&str)) {
    let strict = it.strict_mode.unwrap_or(defaults.strict);
    let no_accept = it.accept == Some(false) || (strict && it.accept.is_none());
    let rows = [
        (
            no_accept,
            "no_accept, vrrp_strict: packets to its addresses that belong to no service go to this \
             host's stack all the same",
        ),
        (strict, "vrrp_strict: what RFCs do not have is not refused"),
        (
            it.vmac.as_ref().is_some_and(|vmac| vmac.addresses),
            "use_vmac_addr: addresses of other interfaces have their own MAC addresses",
        ),
        (
            it.ipvlan.is_some(),
            "use_ipvlan: addresses are put on the interface itself",
        ),
        (
            it.vrf.is_some(),
            "vrf: routes are the main table's, unless they name another",
        ),
        (
            it.linkbeat_use_polling,
            "linkbeat_use_polling: the kernel tells of carriers, which are not asked for",
        ),
        (
            it.promote_secondaries,
            "promote_secondaries: set net.ipv4.conf.INTERFACE.promote_secondaries",
        ),
        (
            it.garp.extra_if.is_some(),
            "garp_extra_if: neighbours know virtual MAC addresses already",
        ),
        (watches_bfd(&it.track), BFD),
        (
            addresses(it).any(|address| address.track_group.is_some()),
            "track_group: addresses and routes that go change no instance",
        ),
        (
            addresses(it).any(|address| address.has("use_vmac")),
            "use_vmac of an address: it is on the interface itself",
        ),
    ];
    rows.iter()
        .filter(|(is, _)| *is)
        .for_each(|(_, what)| say(what));
}

fn watches_bfd(track: &Track) -> bool {
    !track.bfd.is_empty()
}

fn addresses(it: &Instance) -> impl Iterator<Item = &VirtualAddress> {
    it.virtual_ipaddress
        .iter()
        .chain(&it.virtual_ipaddress_excluded)
}
