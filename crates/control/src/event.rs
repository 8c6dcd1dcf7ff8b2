//! What happened: changes that someone may want to know of as they come.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::ServiceKey;
use crate::status::VrrpState;

/// Something that happened.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Event {
    /// Milliseconds since 1970.
    pub at: u64,
    #[serde(flatten)]
    pub what: What,
}

impl Event {
    /// It happened just now.
    pub fn now(what: What) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let at = since.map_or(0, |since| since.as_millis() as u64);
        Self { at, what }
    }
}

/// What it was.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum What {
    /// A file's services are done; how many changes that took.
    SiteApplied {
        path: PathBuf,
        number: u64,
        changes: usize,
    },
    /// The last `changes` events are lost: the reader was too slow.
    Missed { events: u64 },
    #[serde(untagged)]
    Server(ServerEvent),
    #[serde(untagged)]
    Vrrp(VrrpEvent),
    #[serde(untagged)]
    Sync(SyncEvent),
}

/// What happened to synchronisation of connections.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct SyncEvent {
    /// The address of the peer it is about, `peers` if it is none of them, or the role of the daemon.
    pub sync: String,
    #[serde(flatten)]
    pub what: SyncChange,
}

#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum SyncChange {
    /// The peer is there, and is told connections.
    SyncJoined,
    /// It is told nothing any more.
    SyncLeft { problem: String },
    /// It has told all that it had.
    SyncCaughtUp,
    /// A director is not heard, for it is none of the peers or has another secret; how often in the last
    /// minute. Without `source` there were too many to tell them apart.
    SyncRefused {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source: Option<IpAddr>,
        reason: String,
        count: u64,
    },
    /// Something was not sent, or what came is not used; how often in the last minute. Reasons are those of
    /// the status.
    SyncDropped { reason: String, count: u64 },
}

/// What happened to a VRRP instance, or a group of them.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct VrrpEvent {
    /// Its name, or the group's.
    pub vrrp: String,
    #[serde(flatten)]
    pub what: VrrpChange,
}

#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum VrrpChange {
    /// An instance has another state.
    VrrpState {
        from: VrrpState,
        to: VrrpState,
        why: String,
        priority: u8,
    },
    /// All of a group are master, one is in fault, or neither.
    VrrpGroupState { from: VrrpState, to: VrrpState },
    /// What is tracked, or another file, gives it another priority.
    VrrpPriority { from: u8, to: u8 },
    /// A master was heard that has less right to be it.
    VrrpLowerPriority { source: IpAddr, priority: u8 },
}

/// What happened to a virtual server, named by the first of its services.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct ServerEvent {
    pub service: ServiceKey,
    #[serde(flatten)]
    pub what: ServerChange,
}

#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum ServerChange {
    /// A real server serves.
    ServerUp {
        server: SocketAddr,
    },
    ServerDown {
        server: SocketAddr,
    },
    /// Its checks fail, but it is kept: too many are down already.
    ServerKept {
        server: SocketAddr,
    },
    /// Checks give it another weight.
    ServerWeight {
        server: SocketAddr,
        from: u32,
        to: u32,
    },
    /// The real servers that are up have weight enough, and how much that is.
    QuorumGained {
        weight: u64,
        threshold: u64,
    },
    QuorumLost {
        weight: u64,
        threshold: u64,
    },
    /// The sorry server serves instead of all.
    SorryServerIn,
    SorryServerOut,
}

impl ServerChange {
    /// Whether it is a loss.
    pub fn is_bad(&self) -> bool {
        matches!(
            self,
            Self::ServerDown { .. }
                | Self::ServerKept { .. }
                | Self::QuorumLost { .. }
                | Self::SorryServerIn
        )
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SiteApplied {
                path,
                number,
                changes,
            } => write!(
                f,
                "{} applied (number {number}): {changes} changes",
                path.display()
            ),
            Self::Missed { events } => write!(f, "{events} events were missed"),
            Self::Server(ServerEvent { service, what }) => write!(f, "{service}: {what}"),
            Self::Vrrp(VrrpEvent { vrrp, what }) => write!(f, "VRRP {vrrp}: {what}"),
            Self::Sync(SyncEvent { sync, what }) => {
                write!(f, "synchronisation with {sync}: {what}")
            }
        }
    }
}

impl fmt::Display for VrrpChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::VrrpState {
                from,
                to,
                why,
                priority,
            } => write!(f, "{from} becomes {to}: {why} (priority {priority})"),
            Self::VrrpGroupState { from, to } => write!(f, "the group becomes {to}, from {from}"),
            Self::VrrpPriority { from, to } => write!(f, "priority {to}, not {from}"),
            Self::VrrpLowerPriority { source, priority } => {
                write!(
                    f,
                    "{source} is master, too, with priority {priority}, and is told better"
                )
            }
        }
    }
}

impl fmt::Display for SyncChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SyncJoined => f.write_str("the peer is told connections"),
            Self::SyncLeft { problem } => write!(f, "the peer is not told connections: {problem}"),
            Self::SyncCaughtUp => f.write_str("the peer has told all that it had"),
            Self::SyncRefused {
                source: Some(source),
                reason,
                count,
            } => write!(f, "{source} is refused ({reason}, {count} times)"),
            Self::SyncRefused {
                source: None,
                reason,
                count,
            } => write!(f, "others are refused ({reason}, {count} times)"),
            Self::SyncDropped { reason, count } => write!(f, "{count} dropped ({reason})"),
        }
    }
}

impl fmt::Display for ServerChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServerUp { server } => write!(f, "real server {server} is up"),
            Self::ServerDown { server } => write!(f, "real server {server} is down"),
            Self::ServerKept { server } => write!(
                f,
                "real server {server} fails its checks, but is kept: too many are down"
            ),
            Self::ServerWeight { server, from, to } => {
                write!(
                    f,
                    "real server {server} has weight {to} by its checks, not {from}"
                )
            }
            Self::QuorumGained { weight, threshold } => {
                write!(f, "quorum gained (weight {weight}, threshold {threshold})")
            }
            Self::QuorumLost { weight, threshold } => {
                write!(f, "quorum lost (weight {weight}, threshold {threshold})")
            }
            Self::SorryServerIn => f.write_str("the sorry server serves"),
            Self::SorryServerOut => f.write_str("the sorry server rests"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Protocol;

    #[test]
    fn events_survive_their_messages() {
        let service = ServiceKey::Address {
            protocol: Protocol::Tcp,
            address: [192, 0, 2, 1].into(),
            port: 80,
        };
        let server = SocketAddr::from(([10, 0, 0, 1], 80));
        let of_server = [
            ServerChange::ServerUp { server },
            ServerChange::ServerWeight {
                server,
                from: 1,
                to: 3,
            },
            ServerChange::SorryServerIn,
        ];
        let all = of_server.map(|what| What::Server(ServerEvent { service, what }));
        let missed = What::Missed { events: 7 };
        let master = What::Vrrp(VrrpEvent {
            vrrp: "VI_1".into(),
            what: VrrpChange::VrrpState {
                from: VrrpState::Backup,
                to: VrrpState::Master,
                why: "no master was heard".into(),
                priority: 100,
            },
        });
        let of_sync = |what| {
            What::Sync(SyncEvent {
                sync: "10.0.0.6:8849".into(),
                what,
            })
        };
        let joined = of_sync(SyncChange::SyncJoined);
        let refused = of_sync(SyncChange::SyncRefused {
            source: None,
            reason: "stranger".into(),
            count: 3,
        });
        for what in all.into_iter().chain([missed, master, joined, refused]) {
            let event = Event { at: 1, what };
            let text = serde_json::to_string(&event).unwrap();
            assert_eq!(
                serde_json::from_str::<Event>(&text).unwrap(),
                event,
                "{text}"
            );
        }
    }
}
