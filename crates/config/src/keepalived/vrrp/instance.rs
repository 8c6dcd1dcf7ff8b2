//! `vrrp_instance NAME { ... }`

use super::super::block::{Keyword, block, read_block, unacted, value};
use super::super::notes::{Notes, lines};
use super::super::tree::Statement;
use super::auth_hmac::AUTH_HMAC;
use super::notify::{Notifies, notify};
use super::others::routes;
use super::track::{Tracks, track};
use super::{address, addresses, extra_if, name};
use crate::model::vrrp::{Authentication, Instance, Ipvlan, Notify, Peer, Track, Vmac};

const MOST: u32 = 86_400;

impl Notifies for Instance {
    fn notify(&mut self) -> &mut Notify {
        &mut self.notify
    }
}

impl Tracks for Instance {
    fn track(&mut self) -> &mut Track {
        &mut self.track
    }
}

pub(in super::super) fn vrrp_instance(
    notes: &mut Notes,
    statement: &Statement,
) -> Option<Instance> {
    let mut instance = Instance {
        name: name(notes, statement)?,
        ..Instance::default()
    };
    let track = &const { track::<Instance>() };
    let notify = &const { notify::<Instance>() };
    let tables: &[&[Keyword<Instance>]] = &[INSTANCE, GARP, ADDRESSES, track, notify];
    read_block(statement, tables, &mut instance, notes);
    Some(instance)
}

const INSTANCE: &[Keyword<Instance>] = &[
    value(&["state"], |it, notes, line| {
        it.state = notes.choice(line, &["MASTER", "BACKUP"]);
    }),
    value(&["interface"], |it, notes, line| {
        it.interface = notes.text(line);
    }),
    value(&["vrf"], |it, notes, line| {
        it.vrf = notes.text(line);
    }),
    value(&["virtual_router_id"], |it, notes, line| {
        it.virtual_router_id = notes.number(line, 1..=255);
    }),
    value(&["priority"], |it, notes, line| {
        it.priority = notes.number(line, 1..=255);
    }),
    value(&["version"], |it, notes, line| {
        it.version = notes.number(line, 2..=3);
    }),
    value(&["advert_int"], |it, notes, line| {
        it.advert_int = notes.seconds(line);
    }),
    block(&["authentication"], |it, notes, line| {
        let authentication = it.authentication.get_or_insert_default();
        read_block(line, &[AUTHENTICATION], authentication, notes);
    }),
    block(&["auth_hmac"], |it, notes, line| {
        let hmac = it.auth_hmac.get_or_insert_default();
        read_block(line, &[AUTH_HMAC], hmac, notes);
    }),
    value(&["use_vmac"], vmac),
    value(&["use_vmac_addr"], |it, _, _| {
        it.vmac.get_or_insert_default().addresses = true;
    }),
    value(&["vmac_xmit_base"], |it, _, _| {
        it.vmac.get_or_insert_default().xmit_base = true;
    }),
    value(&["use_ipvlan"], |it, _, line| {
        it.ipvlan = Some(ipvlan(line))
    }),
    value(&["native_ipv6"], |it, _, _| it.native_ipv6 = true),
    value(&["dont_track_primary"], |it, _, _| {
        it.dont_track_primary = true
    }),
    value(&["linkbeat_use_polling"], |it, _, _| {
        it.linkbeat_use_polling = true
    }),
    value(&["down_timer_adverts"], |it, notes, line| {
        it.down_timer_adverts = notes.number(line, 1..=100);
    }),
    value(&["lower_prio_no_advert"], |it, notes, line| {
        it.lower_prio_no_advert = notes.flag(line);
    }),
    value(&["higher_prio_send_advert"], |it, notes, line| {
        it.higher_prio_send_advert = notes.flag(line);
    }),
    value(&["promote_secondaries"], |it, _, _| {
        it.promote_secondaries = true
    }),
    value(&["accept"], |it, _, _| it.accept = Some(true)),
    value(&["no_accept"], |it, _, _| it.accept = Some(false)),
    value(&["preempt"], |it, _, _| it.preempt = Some(true)),
    value(&["nopreempt", "no_preempt"], |it, _, _| {
        it.preempt = Some(false)
    }),
    value(&["preempt_delay"], |it, notes, line| {
        it.preempt_delay = notes.seconds(line);
    }),
    value(&["skip_check_adv_addr"], |it, notes, line| {
        it.skip_check_adv_addr = notes.flag(line);
    }),
    value(&["strict_mode"], |it, notes, line| {
        it.strict_mode = notes.flag(line);
    }),
    value(&["notify_priority_changes"], |it, notes, line| {
        it.notify_priority_changes = notes.flag(line);
    }),
    value(&["smtp_alert"], |it, notes, line| {
        it.smtp_alert = notes.flag(line);
    }),
    unacted(&["debug"], "set RLVS_LOG"),
    unacted(
        &["kernel_rx_buf_size"],
        "sizes of buffers are rlvs's own affair",
    ),
    unacted(
        &["lvs_sync_daemon_interface"],
        "keepalived asks for the global lvs_sync_daemon",
    ),
];

const AUTHENTICATION: &[Keyword<Authentication>] = &[
    value(&["auth_type"], |it, notes, line| {
        it.kind = notes.choice(line, &["PASS", "AH"]);
    }),
    value(&["auth_pass"], |it, notes, line| {
        let mut pass = notes.text(line);
        if let Some(pass) = &mut pass
            && pass.len() > 8
        {
            notes.wrong(line, "a password has 8 characters: the rest is left out");
            let end = (0..=8).rev().find(|end| pass.is_char_boundary(*end));
            pass.truncate(end.unwrap_or(0));
        }
        it.pass = pass;
    }),
];

const GARP: &[Keyword<Instance>] = &[
    value(&["garp_master_delay"], |it, notes, line| {
        it.garp.master_delay = notes.number(line, 0..=MOST);
    }),
    value(&["garp_master_repeat"], |it, notes, line| {
        it.garp.master_repeat = notes.number(line, 1..=MOST);
    }),
    value(&["garp_lower_prio_delay"], |it, notes, line| {
        it.garp.lower_prio_delay = notes.number(line, 0..=MOST);
    }),
    value(&["garp_lower_prio_repeat"], |it, notes, line| {
        it.garp.lower_prio_repeat = notes.number(line, 0..=MOST);
    }),
    value(&["garp_master_refresh"], |it, notes, line| {
        it.garp.master_refresh = notes.number(line, 0..=MOST);
    }),
    value(&["garp_master_refresh_repeat"], |it, notes, line| {
        it.garp.master_refresh_repeat = notes.number(line, 1..=MOST);
    }),
    value(&["garp_extra_if"], |it, notes, line| {
        extra_if(&mut it.garp, notes, line)
    }),
];

const ADDRESSES: &[Keyword<Instance>] = &[
    block(&["virtual_ipaddress"], |it, notes, line| {
        let read = addresses(notes, line);
        it.virtual_ipaddress.extend(read);
    }),
    block(&["virtual_ipaddress_excluded"], |it, notes, line| {
        let read = addresses(notes, line);
        it.virtual_ipaddress_excluded.extend(read);
    }),
    block(&["virtual_routes"], |it, _, line| {
        it.virtual_routes.extend(routes(line))
    }),
    block(&["virtual_rules"], |it, _, line| {
        it.virtual_rules.extend(routes(line))
    }),
    value(&["mcast_src_ip"], |it, notes, line| {
        it.mcast_src_ip = notes.address(line);
    }),
    value(&["mcast_dst_ip"], |it, notes, line| {
        it.mcast_dst_ip = notes.address(line);
    }),
    value(&["unicast_src_ip"], |it, notes, line| {
        it.unicast_src_ip = notes.address(line);
    }),
    value(&["track_src_ip"], |it, _, _| it.track_src_ip = true),
    value(&["check_unicast_src"], |it, _, _| {
        it.check_unicast_src = true
    }),
    value(&["unicast_fault_no_peer"], |it, _, _| {
        it.unicast_fault_no_peer = true
    }),
    value(&["unicast_ttl"], |it, notes, line| {
        it.unicast_ttl = notes.number(line, 0..=255);
    }),
    value(&["old_unicast_checksum"], |it, notes, line| {
        it.old_unicast_checksum = match line.parameters() {
            [] => Some("on".into()),
            _ => notes.choice(line, &["never"]),
        };
    }),
    value(&["v3_checksum_as_v2"], |it, notes, line| {
        it.v3_checksum_as_v2 = notes.flag(line);
    }),
    block(&["unicast_peer"], |it, notes, statement| {
        let read = lines(statement).iter().filter_map(|line| peer(notes, line));
        it.unicast_peer.extend(read);
    }),
];

/// `use_vmac [NAME] [MAC]`
fn vmac(it: &mut Instance, _: &mut Notes, line: &Statement) {
    let (addresses, xmit_base) = match &it.vmac {
        Some(vmac) => (vmac.addresses, vmac.xmit_base),
        None => (false, false),
    };
    let is_mac = |text: &str| text.contains(':') && text.len() >= 14;
    let words = || line.parameters().iter().map(|word| word.text.clone());
    it.vmac = Some(Vmac {
        adverts: true,
        name: words().find(|word| !is_mac(word)),
        mac: words().find(|word| is_mac(word)),
        addresses,
        xmit_base,
    });
}

/// `use_ipvlan [NAME] [ADDRESS] [bridge|private|vepa]`
fn ipvlan(line: &Statement) -> Ipvlan {
    let mut ipvlan = Ipvlan::default();
    for word in line.parameters() {
        match word.text.as_str() {
            mode @ ("bridge" | "private" | "vepa") => ipvlan.mode = Some(mode.to_owned()),
            text => match address::net(text) {
                Some(net) => ipvlan.address = Some(net),
                None => ipvlan.name = Some(text.to_owned()),
            },
        }
    }
    ipvlan
}

/// `ADDRESS [min_ttl N] [max_ttl N]`
fn peer(notes: &mut Notes, line: &Statement) -> Option<Peer> {
    let Ok(address) = line.keyword().parse() else {
        notes.wrong(line, "this is no IP address; it is left out");
        return None;
    };
    let mut peer = Peer {
        address,
        min_ttl: None,
        max_ttl: None,
    };
    let mut words = line.parameters().iter();
    while let Some(word) = words.next() {
        let number = words.next();
        let number = number.and_then(|number| notes.number_of(line, number, 0..=255));
        match word.text.as_str() {
            "min_ttl" => peer.min_ttl = number,
            "max_ttl" => peer.max_ttl = number,
            other => {
                let message = format!("`{other}` is neither min_ttl nor max_ttl");
                notes.warn(word.place, line.keyword(), message);
            }
        }
    }
    Some(peer)
}
