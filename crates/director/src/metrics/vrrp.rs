//! What is counted of VRRP instances.

use std::io;

use rlvs_control::status::{VrrpInstance, VrrpState};

use super::text::{Kind, Text};

type Of = fn(&VrrpInstance) -> u64;

const NUMBERS: [(&str, Kind, &str, Of); 5] = [
    (
        "rlvs_vrrp_priority",
        Kind::Gauge,
        "Priority of an instance, with what it tracks",
        |it| it.priority.into(),
    ),
    (
        "rlvs_vrrp_transitions_total",
        Kind::Counter,
        "How often an instance had another state",
        |it| it.transitions,
    ),
    (
        "rlvs_vrrp_advertisements_sent_total",
        Kind::Counter,
        "Advertisements that were sent",
        |it| it.sent,
    ),
    (
        "rlvs_vrrp_advertisements_not_sent_total",
        Kind::Counter,
        "Advertisements that the kernel did not take",
        |it| it.not_sent,
    ),
    (
        "rlvs_vrrp_advertisements_received_total",
        Kind::Counter,
        "Advertisements that came in, also those that were refused",
        |it| it.received,
    ),
];

const STATES: [VrrpState; 4] = [
    VrrpState::Init,
    VrrpState::Backup,
    VrrpState::Master,
    VrrpState::Fault,
];

pub(super) fn write(text: &mut Text<'_>, instances: &[VrrpInstance]) -> io::Result<()> {
    let states = instances.iter().flat_map(|it| {
        STATES.map(|state| {
            let labels = [
                ("instance", it.name.clone()),
                ("state", state.name().to_lowercase()),
            ];
            (labels, u8::from(it.state == state))
        })
    });
    let help = "The state of a VRRP instance: 1 for the one that it has";
    text.family("rlvs_vrrp_state", Kind::Gauge, help, states)?;
    for (name, kind, help, of) in NUMBERS {
        let samples = instances.iter();
        let samples = samples.map(|it| ([("instance", it.name.clone())], of(it)));
        text.family(name, kind, help, samples)?;
    }
    let refused = instances.iter().flat_map(|it| {
        it.refused.iter().map(|(reason, count)| {
            let labels = [("instance", it.name.clone()), ("reason", reason.clone())];
            (labels, *count)
        })
    });
    text.family(
        "rlvs_vrrp_refused_total",
        Kind::Counter,
        "Advertisements that were not heard, by reason",
        refused,
    )
}
