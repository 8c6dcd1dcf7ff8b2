//! What checks have found, as those hear it who listen.

use std::net::SocketAddr;

use rlvs_check::machine::Event as Found;
use rlvs_control::ServiceKey;
use rlvs_control::event::{ServerChange, ServerEvent};

/// An event of a virtual server with these real servers; None of what only notifiers are told.
pub(super) fn of(
    service: &ServiceKey,
    members: &[SocketAddr],
    found: &Found,
) -> Option<ServerEvent> {
    let member = |place: &usize| members.get(*place).copied();
    let what = match found {
        Found::ServerUp { server } => ServerChange::ServerUp {
            server: member(server)?,
        },
        Found::ServerDown { server } => ServerChange::ServerDown {
            server: member(server)?,
        },
        Found::ServerKept { server } => ServerChange::ServerKept {
            server: member(server)?,
        },
        Found::ServerWeight { server, from, to } => ServerChange::ServerWeight {
            server: member(server)?,
            from: *from,
            to: *to,
        },
        Found::QuorumGained {
            weight, threshold, ..
        } => ServerChange::QuorumGained {
            weight: *weight,
            threshold: *threshold,
        },
        Found::QuorumLost {
            weight, threshold, ..
        } => ServerChange::QuorumLost {
            weight: *weight,
            threshold: *threshold,
        },
        Found::SorryServerIn => ServerChange::SorryServerIn,
        Found::SorryServerOut => ServerChange::SorryServerOut,
        Found::Stopped { .. } => return None,
    };
    Some(ServerEvent {
        service: *service,
        what,
    })
}
