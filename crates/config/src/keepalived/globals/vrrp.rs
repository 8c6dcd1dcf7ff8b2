//! Defaults of VRRP instances.

use super::super::block::{Keyword, value};
use super::super::notes::Notes;
use super::super::tree::Statement;
use super::Globals;
use crate::model::vrrp::SyncDaemon;

/// Longest delays and counts of gratuitous ARPs.
const MOST: u32 = 86_400;

pub(super) const VRRP: &[Keyword<Globals>] = &[
    value(&["vrrp_version"], |it, notes, line| {
        it.defaults.version = notes.number(line, 2..=3);
    }),
    value(&["vrrp_mcast_group4"], |it, notes, line| {
        it.defaults.mcast_group4 = notes.parsed(line, "IPv4 address");
    }),
    value(&["vrrp_mcast_group6"], |it, notes, line| {
        it.defaults.mcast_group6 = notes.parsed(line, "IPv6 address");
    }),
    value(&["default_interface"], |it, notes, line| {
        it.defaults.interface = notes.text(line);
    }),
    value(&["vrrp_garp_master_delay"], |it, notes, line| {
        it.defaults.garp.master_delay = notes.number(line, 0..=MOST);
    }),
    value(&["vrrp_garp_master_repeat"], |it, notes, line| {
        it.defaults.garp.master_repeat = notes.number(line, 1..=MOST);
    }),
    value(&["vrrp_garp_lower_prio_delay"], |it, notes, line| {
        it.defaults.garp.lower_prio_delay = notes.number(line, 0..=MOST);
    }),
    value(&["vrrp_garp_lower_prio_repeat"], |it, notes, line| {
        it.defaults.garp.lower_prio_repeat = notes.number(line, 0..=MOST);
    }),
    value(&["vrrp_garp_master_refresh"], |it, notes, line| {
        it.defaults.garp.master_refresh = notes.number(line, 0..=MOST);
    }),
    value(&["vrrp_garp_master_refresh_repeat"], |it, notes, line| {
        it.defaults.garp.master_refresh_repeat = notes.number(line, 1..=MOST);
    }),
    value(&["vrrp_garp_extra_if"], |it, notes, line| {
        super::super::vrrp::extra_if(&mut it.defaults.garp, notes, line);
    }),
    value(&["vrrp_garp_interval"], |it, notes, line| {
        it.defaults.garp_interval = notes.seconds(line);
    }),
    value(&["vrrp_gna_interval"], |it, notes, line| {
        it.defaults.gna_interval = notes.seconds(line);
    }),
    value(&["vrrp_min_garp"], |it, notes, line| {
        it.defaults.min_garp = notes.flag(line).unwrap_or_default();
    }),
    value(&["vrrp_down_timer_adverts"], |it, notes, line| {
        it.defaults.down_timer_adverts = notes.number(line, 1..=100);
    }),
    value(&["vrrp_lower_prio_no_advert"], |it, notes, line| {
        it.defaults.lower_prio_no_advert = notes.flag(line).unwrap_or_default();
    }),
    value(&["vrrp_higher_prio_send_advert"], |it, notes, line| {
        it.defaults.higher_prio_send_advert = notes.flag(line).unwrap_or_default();
    }),
    value(&["vrrp_check_unicast_src"], |it, _, _| {
        it.defaults.check_unicast_src = true
    }),
    value(&["vrrp_skip_check_adv_addr"], |it, notes, line| {
        it.defaults.skip_check_adv_addr = notes.flag(line).unwrap_or_default();
    }),
    value(&["vrrp_strict"], |it, notes, line| {
        it.defaults.strict = notes.flag(line).unwrap_or_default();
    }),
    value(&["vrrp_notify_priority_changes"], |it, notes, line| {
        it.defaults.notify_priority_changes = notes.flag(line).unwrap_or_default();
    }),
    value(&["smtp_alert_vrrp"], |it, notes, line| {
        it.defaults.smtp_alert = notes.flag(line);
    }),
    value(&["vrrp_startup_delay"], |it, notes, line| {
        it.defaults.startup_delay = notes.seconds(line);
    }),
    value(&["dynamic_interfaces"], |it, _, _| {
        it.defaults.dynamic_interfaces = true
    }),
    value(&["fifo_write_vrrp_states_on_reload"], |it, _, _| {
        it.defaults.fifo_states_on_reload = true;
    }),
    value(&["log_unknown_vrids"], |it, _, _| {
        it.defaults.log_unknown_vrids = true
    }),
    value(&["vmac_prefix"], |it, notes, line| {
        it.defaults.vmac_prefix = notes.text(line);
    }),
    value(&["vmac_addr_prefix"], |it, notes, line| {
        it.defaults.vmac_addr_prefix = notes.text(line);
    }),
    value(&["lvs_sync_daemon"], sync_daemon),
];

/// `lvs_sync_daemon IF [[inst] INSTANCE] [id N] [maxlen N] [port N] [ttl N] [group ADDRESS]`
fn sync_daemon(it: &mut Globals, notes: &mut Notes, line: &Statement) {
    let mut daemon = SyncDaemon {
        interface: notes.text(line).unwrap_or_default(),
        ..SyncDaemon::default()
    };
    let mut words = line.parameters().iter().skip(1).enumerate();
    while let Some((index, word)) = words.next() {
        let known = ["inst", "id", "maxlen", "port", "ttl", "group"];
        if !known.contains(&word.text.as_str()) {
            match index {
                0 => daemon.instance = Some(word.text.clone()),
                _ => notes.warn(
                    word.place,
                    line.keyword(),
                    format!("`{}` is no option", word.text),
                ),
            }
            continue;
        }
        let Some((_, value)) = words.next() else {
            notes.warn(word.place, line.keyword(), "its value is missing");
            break;
        };
        match word.text.as_str() {
            "inst" => daemon.instance = Some(value.text.clone()),
            "id" => daemon.id = notes.number_of(line, value, 0..=255),
            "maxlen" => daemon.maxlen = notes.number_of(line, value, 1..=65507),
            "port" => daemon.port = notes.number_of(line, value, 1..=65535),
            "ttl" => daemon.ttl = notes.number_of(line, value, 1..=255),
            _ => daemon.group = value.text.parse().ok(),
        }
    }
    it.defaults.sync_daemon = Some(daemon);
}
