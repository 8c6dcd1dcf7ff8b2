//! What of VRRP's configuration is read and not acted on, by name.

use rlvs_config::Site;
use rlvs_config::model::vrrp::{Instance, Track, VirtualAddress, Vrrp};

pub(super) fn notes(site: &Site, notes: &mut Vec<String>) {
    let vrrp = &site.vrrp;
    blocks(vrrp, notes);
    for instance in &vrrp.instance {
        let mut say = |what: &str| notes.push(format!("vrrp_instance {}: {what}", instance.name));
        of_instance(instance, &mut say);
    }
    for group in &vrrp.sync_group {
        if !group.track.bfd.is_empty() {
            notes.push(format!("vrrp_sync_group {}: {BFD}", group.name));
        }
    }
}

const BFD: &str = "track_bfd: rlvs does not speak BFD; what is tracked so counts nothing";

fn blocks(it: &Vrrp, notes: &mut Vec<String>) {
    let rows = [
        (!it.bfd.is_empty(), "bfd_instance: rlvs does not speak BFD"),
        (
            !it.linkbeat_interfaces.is_empty(),
            "linkbeat_interfaces: the kernel tells of carriers, which are not asked for",
        ),
        (
            it.defaults.fifo_states_on_reload,
            "fifo_write_vrrp_states_on_reload (fifo_states_on_reload): FIFOs are told of states when \
             they change",
        ),
    ];
    let said = rows.iter().filter(|(is, _)| *is);
    notes.extend(said.map(|(_, what)| (*what).to_owned()));
}

fn of_instance(it: &Instance, say: &mut dyn FnMut(&str)) {
    let has_vrf = it.vrf.is_some() && (it.interface.is_some() || it.unicast_peer.is_empty());
    let rows = [
        (
            has_vrf,
            "vrf: it counts only where peers are spoken to, and no interface is named",
        ),
        (
            it.linkbeat_use_polling,
            "linkbeat_use_polling: the kernel tells of carriers, which are not asked for",
        ),
        (watches_bfd(&it.track), BFD),
        (
            addresses(it).any(|address| address.track_group.is_some()),
            "track_group: it is for addresses of the machine (static_ipaddress); these are put back \
             when they go",
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
