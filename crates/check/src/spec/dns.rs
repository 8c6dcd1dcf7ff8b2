//! DNS checks.

use serde::{Deserialize, Serialize};

/// `DNS_CHECK`: a question by UDP is answered without an error.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dns {
    /// `type`.
    #[serde(rename = "type")]
    pub record: RecordType,
    /// `name`.
    pub name: String,
    /// Each of these is among the answers, written as in a zone file: "192.0.2.1",
    /// "10 mail.example.org.". keepalived does not look.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<String>,
}

impl Default for Dns {
    fn default() -> Self {
        Self {
            record: RecordType::Soa,
            name: ".".into(),
            answers: Vec::new(),
        }
    }
}

/// The types that keepalived knows, and those that services are found by.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordType {
    A,
    Aaaa,
    Cname,
    Mx,
    Ns,
    Ptr,
    Soa,
    Srv,
    Txt,
}
