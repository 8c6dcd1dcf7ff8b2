//! Checks that send something and look at the answer.

use serde::{Deserialize, Serialize};

use super::{Regex, Tls};

/// ldirectord's `simpletcp`; `nntp` sends "list newsgroups\r\n".
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Exchange {
    /// What is sent first, as it is. Empty: nothing; the server speaks first.
    pub request: String,
    /// What the answer shall match; without it, any byte is an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receive: Option<Regex>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
}

/// ldirectord's `sip`.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sip {
    /// Who asks and is asked for: "name@host". Empty: "rlvs" at the target's address.
    pub login: String,
    /// What the answer shall match; without it, it shall be "200 OK".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receive: Option<Regex>,
    /// By UDP, as ldirectord's `protocol = udp`; else by TCP.
    pub udp: bool,
}
