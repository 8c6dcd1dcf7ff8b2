//! What follows for a virtual server and its real servers from what checks say.

use serde::{Deserialize, Serialize};

use super::Check;

/// A real server, as far as its health matters.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ServerPolicy {
    /// `weight`.
    pub weight: u32,
    /// `inhibit_on_failure`: weight 0 while it is down, rather than absent.
    #[serde(default)]
    pub inhibit_on_failure: bool,
    /// All of these must succeed.
    #[serde(default)]
    pub checks: Vec<Check>,
}

/// A virtual server, as far as the health of its real servers matters.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServicePolicy {
    /// `quorum`: the weight of all real servers that are up, together, that it takes.
    pub quorum: u32,
    /// `hysteresis`: it takes so much more to gain the quorum, and so much less to lose it.
    pub hysteresis: u32,
    /// `omega`: notifiers are told that all is down when the daemon stops.
    pub omega: bool,
    /// `ha_suspend`: nothing is asked while the machine does not have the virtual address.
    pub ha_suspend: bool,
    /// What serves when the quorum is lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sorry_server: Option<SorryServer>,
    /// Never take out more than this part of the real servers at once for failed checks: if more
    /// fail, it is the check that is wrong. keepalived has nothing of the kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_down: Option<Percent>,
}

impl Default for ServicePolicy {
    fn default() -> Self {
        Self {
            quorum: 1,
            hysteresis: 0,
            omega: false,
            ha_suspend: false,
            sorry_server: None,
            max_down: None,
        }
    }
}

/// `sorry_server`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SorryServer {
    /// `sorry_server_inhibit`: it is there with weight 0 while it is not needed.
    #[serde(default)]
    pub inhibit: bool,
}

/// 0 to 100.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(into = "u8", try_from = "u8")]
pub struct Percent(u8);

impl Percent {
    /// This part of so many, rounded down.
    pub fn of(self, whole: usize) -> usize {
        whole * usize::from(self.0) / 100
    }
}

impl TryFrom<u8> for Percent {
    type Error = String;

    fn try_from(percent: u8) -> Result<Self, String> {
        match percent {
            0..=100 => Ok(Self(percent)),
            _ => Err(format!("{percent} is more than 100 %")),
        }
    }
}

impl From<Percent> for u8 {
    fn from(percent: Percent) -> u8 {
        percent.0
    }
}
