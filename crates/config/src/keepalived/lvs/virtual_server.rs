//! `virtual_server ADDRESS [PORT] | fwmark NUMBER | group NAME { ... }`

use std::net::{IpAddr, Ipv4Addr};

use rlvs_check::spec::Options;
use rlvs_control::model::Family;
use rlvs_control::rules::SCHEDULERS;
use rlvs_control::{ForwardingMethod, Protocol};

use super::super::block::{Keyword, block, read_block, unacted, value};
use super::super::notes::Notes;
use super::super::tree::Statement;
use super::forwarding::method;
use super::options::{HasOptions, options};
use super::real::{RealDraft, endpoint, real_server};
use crate::model::Command;
use crate::source::Place;

/// keepalived's `persistence_timeout` without a number.
const USUAL_PERSISTENCE: u32 = 360;

/// What a virtual server is for.
#[derive(Clone, Debug)]
pub(super) enum KeyDraft {
    Address(IpAddr, u16),
    Mark(u32),
    Group(String),
}

/// A virtual server as far as it is read.
#[derive(Clone, Debug)]
pub(in super::super) struct VirtualDraft {
    pub(super) place: Place,
    pub(super) key: KeyDraft,
    pub(super) protocol: Option<Protocol>,
    pub(super) family: Option<Family>,
    pub(super) scheduler: String,
    pub(super) flags: u8,
    pub(super) method: ForwardingMethod,
    pub(super) persistence: Option<u32>,
    pub(super) netmask: Option<Ipv4Addr>,
    pub(super) prefix_length: Option<u8>,
    pub(super) persistence_engine: Option<String>,
    pub(super) one_packet: bool,
    pub(super) quorum: u32,
    pub(super) hysteresis: u32,
    pub(super) quorum_up: Option<Command>,
    pub(super) quorum_down: Option<Command>,
    pub(super) omega: bool,
    pub(super) ha_suspend: bool,
    pub(super) sorry: Option<(IpAddr, Option<u16>)>,
    pub(super) sorry_inhibit: bool,
    pub(super) sorry_method: Option<ForwardingMethod>,
    pub(super) inhibit_on_failure: bool,
    pub(super) smtp_alert: Option<bool>,
    pub(super) options: Options,
    pub(super) virtual_host: Option<String>,
    pub(super) real: Vec<RealDraft>,
}

impl HasOptions for VirtualDraft {
    fn options(&mut self) -> &mut Options {
        &mut self.options
    }

    fn virtual_host(&mut self) -> &mut Option<String> {
        &mut self.virtual_host
    }
}

/// Reads one.
pub(in super::super) fn virtual_server(
    notes: &mut Notes,
    statement: &Statement,
) -> Option<VirtualDraft> {
    let mut draft = VirtualDraft::new(key(notes, statement)?, statement.place());
    let options = &const { options::<VirtualDraft>() };
    read_block(statement, &[VIRTUAL_SERVER, options], &mut draft, notes);
    Some(draft)
}

fn key(notes: &mut Notes, statement: &Statement) -> Option<KeyDraft> {
    let second = statement.parameters().get(1);
    match (notes.first(statement)?.text.as_str(), second) {
        ("fwmark", Some(word)) => {
            let mark = notes.number_of(statement, word, 1..=u32::MAX)?;
            Some(KeyDraft::Mark(mark))
        }
        ("group", Some(word)) => Some(KeyDraft::Group(word.text.clone())),
        ("fwmark" | "group", None) => {
            notes.wrong(statement, "what follows is missing");
            None
        }
        _ => {
            let (address, port) = endpoint(notes, statement)?;
            Some(KeyDraft::Address(address, port.unwrap_or(0)))
        }
    }
}

impl VirtualDraft {
    pub(in super::super) fn place(&self) -> Place {
        self.place
    }

    fn new(key: KeyDraft, place: Place) -> Self {
        Self {
            place,
            key,
            protocol: None,
            family: None,
            scheduler: "wlc".into(),
            flags: 0,
            method: ForwardingMethod::Masquerade,
            persistence: None,
            netmask: None,
            prefix_length: None,
            persistence_engine: None,
            one_packet: false,
            quorum: 1,
            hysteresis: 0,
            quorum_up: None,
            quorum_down: None,
            omega: false,
            ha_suspend: false,
            sorry: None,
            sorry_inhibit: false,
            sorry_method: None,
            inhibit_on_failure: false,
            smtp_alert: None,
            options: Options::default(),
            virtual_host: None,
            real: Vec::new(),
        }
    }
}

const VIRTUAL_SERVER: &[Keyword<VirtualDraft>] = &[
    value(&["lvs_sched", "lb_algo"], |it, notes, line| {
        if let Some(name) = notes.choice(line, &SCHEDULERS) {
            it.scheduler = name;
        }
    }),
    value(&["lvs_method", "lb_kind"], |it, notes, line| {
        if let Some(method) = method(notes, line) {
            it.method = method;
        }
    }),
    value(&["flag-1", "sh-fallback", "mh-fallback"], |it, _, _| {
        it.flags |= 1
    }),
    value(&["flag-2", "sh-port", "mh-port"], |it, _, _| it.flags |= 2),
    value(&["flag-3"], |it, _, _| it.flags |= 4),
    value(&["ops"], |it, _, _| it.one_packet = true),
    value(&["protocol"], |it, notes, line| {
        let name = notes.choice(line, &["TCP", "UDP", "SCTP"]);
        it.protocol = name.map(|name| match name.as_str() {
            "TCP" => Protocol::Tcp,
            "SCTP" => Protocol::Sctp,
            _ => Protocol::Udp,
        });
    }),
    value(&["ip_family"], |it, notes, line| {
        let name = notes.choice(line, &["inet", "inet6"]);
        it.family = name.map(|name| match name.as_str() {
            "inet" => Family::Ipv4,
            _ => Family::Ipv6,
        });
    }),
    value(&["persistence_timeout"], |it, notes, line| {
        it.persistence = match line.parameters() {
            [] => Some(USUAL_PERSISTENCE),
            _ => notes.number(line, 1..=i32::MAX.cast_unsigned()),
        };
    }),
    value(&["persistence_granularity"], granularity),
    value(&["persistence_engine"], |it, notes, line| {
        it.persistence_engine = notes.choice(line, &["sip"]);
    }),
    value(&["quorum"], |it, notes, line| {
        it.quorum = notes
            .number(line, 1..=i32::MAX.cast_unsigned())
            .unwrap_or(1);
    }),
    value(&["hysteresis"], |it, notes, line| {
        it.hysteresis = notes
            .number(line, 0..=i32::MAX.cast_unsigned())
            .unwrap_or(0);
    }),
    value(&["quorum_up"], |it, notes, line| {
        it.quorum_up = notes.command(line);
    }),
    value(&["quorum_down"], |it, notes, line| {
        it.quorum_down = notes.command(line);
    }),
    value(&["omega"], |it, notes, line| {
        it.omega = notes.flag(line).unwrap_or_default();
    }),
    value(&["ha_suspend"], |it, notes, line| {
        it.ha_suspend = notes.flag(line).unwrap_or_default();
    }),
    value(&["inhibit_on_failure"], |it, notes, line| {
        it.inhibit_on_failure = notes.flag(line).unwrap_or_default();
    }),
    value(&["smtp_alert"], |it, notes, line| {
        it.smtp_alert = notes.flag(line);
    }),
    value(&["sorry_server"], |it, notes, line| {
        it.sorry = endpoint(notes, line);
    }),
    value(&["sorry_server_inhibit"], |it, notes, line| {
        it.sorry_inhibit = notes.flag(line).unwrap_or_default();
    }),
    value(&["sorry_server_lvs_method"], |it, notes, line| {
        it.sorry_method = method(notes, line);
    }),
    block(&["real_server"], |it, notes, line| {
        let real = real_server(notes, line);
        it.real.extend(real);
    }),
    unacted(&["snmp_name"], "there is no SNMP agent"),
    unacted(&["nat_mask"], "keepalived does nothing with it either"),
];

fn granularity(it: &mut VirtualDraft, notes: &mut Notes, line: &Statement) {
    let Some(word) = notes.first(line) else {
        return;
    };
    match (word.text.parse::<Ipv4Addr>(), word.text.parse::<u8>()) {
        (Ok(mask), _) => it.netmask = Some(mask),
        (_, Ok(length @ 1..=128)) => it.prefix_length = Some(length),
        _ => notes.wrong(line, "write a mask for IPv4, or 1 to 128 for IPv6"),
    }
}
