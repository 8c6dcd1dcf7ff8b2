//! Instances as clients are shown them.

use rlvs_control::status::{VrrpInstance, VrrpState};
use rlvs_speaker::InstanceView;
use rlvs_vrrp::{State, Version};

pub(super) fn shown(it: InstanceView) -> VrrpInstance {
    let refused = it.counters.refused().into_iter();
    VrrpInstance {
        name: it.name,
        group: it.group,
        interface: it.interface,
        version: match it.version {
            Version::V2 => 2,
            Version::V3 => 3,
        },
        virtual_router_id: it.virtual_router,
        state: state(it.state),
        since_seconds: it.since.elapsed().map_or(0, |since| since.as_secs()),
        why: it.why,
        priority: it.priority,
        source: it.source,
        master: it.master.map(|(address, _)| address),
        master_priority: it.master.map(|(_, priority)| priority),
        held: it.held,
        handed_over: it.handed_over,
        addresses: it.addresses,
        problems: it.problems,
        transitions: it.counters.transitions(),
        sent: it.counters.sent(),
        not_sent: it.counters.not_sent(),
        received: it.counters.received(),
        refused: refused
            .map(|(reason, count)| (reason.to_owned(), count))
            .collect(),
    }
}

pub(super) fn state(state: State) -> VrrpState {
    match state {
        State::Initialize => VrrpState::Init,
        State::Backup => VrrpState::Backup,
        State::Master => VrrpState::Master,
        State::Fault => VrrpState::Fault,
    }
}
