//! Destinations that are being drained, and what became of those that were.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{DestinationKey, ServiceKey};

/// All of a director's.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Drains {
    /// By service, in the order they were added.
    pub running: Vec<RunningDrain>,
    /// The last ones since this daemon began, the latest last.
    pub ended: Vec<EndedDrain>,
}

/// A destination that takes no new connections, and is removed when it has none.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct RunningDrain {
    pub service: ServiceKey,
    pub destination: DestinationKey,
    #[serde(flatten)]
    pub draining: Draining,
    pub active_connections: u32,
    pub inactive_connections: u32,
    pub persistent_connections: u32,
}

/// How a destination is being drained.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Draining {
    /// Since it began.
    pub seconds: u64,
    /// Until it is removed, whatever connections there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds_left: Option<u64>,
    /// Those whom persistence sends there are still sent there.
    pub keeps_clients: bool,
    /// What `rlvs undrain` gives back to it.
    pub weight: u32,
}

/// A destination that is drained no longer.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct EndedDrain {
    pub service: ServiceKey,
    pub destination: DestinationKey,
    pub end: End,
    /// Those it still had when it ended.
    pub active_connections: u32,
    /// The same: closing ones of TCP, and all of UDP.
    pub inactive_connections: u32,
    pub seconds_ago: u64,
}

/// Why it ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// It had no connection left, and was removed.
    Empty,
    /// It was removed with those that it had.
    Deadline,
    /// It takes connections again (`rlvs undrain`).
    Cancelled,
    /// It was deleted by a command, or its service was.
    Deleted,
}
