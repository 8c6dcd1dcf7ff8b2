//! What happened to a virtual server or one of its real servers.

use serde::{Deserialize, Serialize};

/// A change that someone may want to know of: a log line, a notifier, an event stream. Real servers
/// are named by their place in the service.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Event {
    /// A real server serves (`notify_up`, FIFO "RS ... UP").
    ServerUp {
        server: usize,
    },
    /// It does not any more, or with alpha is found not to (`notify_down`, FIFO "RS ... DOWN").
    ServerDown {
        server: usize,
    },
    /// Its checks fail, but too many are down already: it is kept (`max_down`).
    ServerKept {
        server: usize,
    },
    /// Checks give it another weight.
    ServerWeight {
        server: usize,
        from: u32,
        to: u32,
    },
    /// The real servers that are up have weight enough (`quorum_up`, FIFO "VS ... UP").
    QuorumGained {
        weight: u64,
        threshold: u64,
        start: bool,
    },
    /// They have not (`quorum_down`, FIFO "VS ... DOWN").
    QuorumLost {
        weight: u64,
        threshold: u64,
        start: bool,
    },
    /// The sorry server serves instead of all real servers.
    SorryServerIn,
    SorryServerOut,
    /// The daemon stops, and with `omega` notifiers are told that all is down.
    Stopped {
        servers: Vec<usize>,
    },
}
