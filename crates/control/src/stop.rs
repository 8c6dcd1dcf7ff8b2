//! The end of a director's daemon, and what becomes of forwarding then.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What becomes of forwarding when the daemon ends.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AtStop {
    /// It goes on without the daemon.
    #[default]
    Leave,
    /// New connections find no server; when those there are have ended, all is removed.
    Drain,
    /// All is removed at once, as by `rlvs down`.
    Remove,
}

/// That the daemon is to end.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// Rather than what the director's file says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwarding: Option<AtStop>,
    /// Seconds that connections have to end, with "drain"; what the file says by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain_timeout: Option<u32>,
}

/// What the daemon does about it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Stopping {
    pub forwarding: AtStop,
    /// Seconds that connections have at most; 0 without draining.
    pub drain_timeout: u32,
}
