//! UDP checks.

use serde::{Deserialize, Serialize};

use super::{Hex, Pattern};

/// `UDP_CHECK`: a datagram is answered, or at least not by an ICMP error.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Udp {
    /// `payload`; without it, random bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<Hex>,
    /// `require_reply`; without it, no ICMP error within `connect_timeout` is a success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply: Option<Reply>,
}

/// What an answer shall be.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reply {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<Pattern>,
    /// `min_reply_length`.
    pub min_length: u16,
    /// `max_reply_length`.
    pub max_length: u16,
}

impl Default for Reply {
    fn default() -> Self {
        Self {
            pattern: None,
            min_length: 0,
            max_length: 255,
        }
    }
}

impl Reply {
    /// Whether this is such an answer.
    pub fn accepts(&self, datagram: &[u8]) -> bool {
        let length = usize::from(self.min_length)..=usize::from(self.max_length);
        let pattern = self.pattern.as_ref();
        length.contains(&datagram.len()) && pattern.is_none_or(|pattern| pattern.matches(datagram))
    }
}
