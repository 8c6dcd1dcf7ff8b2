//! What was put on this machine, and who was master: for the next daemon, or for who takes it away.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::Path;

use rlvs_host::Error;
use rlvs_host::store::Store;
use rlvs_vrrp::Memory;
use rlvs_vrrp::packet::Sequence;
use serde::{Deserialize, Serialize};

use crate::place;

/// Whose things are the machine's, and no instance's.
pub(crate) const NOBODY: &str = "";

/// Beside the journal.
const NOTE: &str = "vrrp.json";

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Note {
    pub(crate) put: Vec<Put>,
    /// By instance.
    pub(crate) remembered: BTreeMap<String, Remembered>,
}

/// Something that was put on this machine for an instance.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Put {
    pub(crate) instance: String,
    #[serde(flatten)]
    pub(crate) thing: Thing,
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Thing {
    Address {
        address: IpAddr,
        length: u8,
        /// At the other end, with its length.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        peer: Option<(IpAddr, u8)>,
        interface: String,
    },
    /// What is sent from, on an interface of an instance's own.
    Own {
        address: IpAddr,
        length: u8,
        interface: String,
    },
    /// An interface that was made.
    Link(String),
    /// A kernel parameter.
    Setting {
        path: String,
        before: String,
    },
    /// The table of addresses that are closed.
    Table(String),
    /// In the words of `ip`.
    Route(String),
    Rule(String),
}

impl Thing {
    /// It stays while the instance is a backup.
    pub(crate) fn stays(&self) -> bool {
        matches!(
            self,
            Self::Link(_) | Self::Setting { .. } | Self::Own { .. } | Self::Table(_)
        )
    }
}

/// What goes on where it was.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Remembered {
    pub(crate) master: bool,
    /// Of authentication headers.
    pub(crate) sequence: u32,
    /// It was handed over: it does not take over from a lower priority.
    #[serde(default)]
    pub(crate) handed_over: bool,
    /// The last signature of each sender.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) heard: Vec<(IpAddr, u64)>,
}

impl Remembered {
    pub(crate) fn new(memory: Memory, handed_over: bool) -> Self {
        let heard = memory.heard.into_iter();
        Self {
            master: memory.master,
            sequence: memory.sequence,
            handed_over,
            heard: heard.map(|(sender, it)| (sender, it.0)).collect(),
        }
    }

    pub(crate) fn memory(&self) -> Memory {
        let heard = self.heard.iter();
        Memory {
            master: self.master,
            sequence: self.sequence,
            heard: heard.map(|(sender, it)| (*sender, Sequence(*it))).collect(),
        }
    }
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address {
                address,
                length,
                interface,
                ..
            } => write!(f, "{address}/{length} on {interface}"),
            Self::Own {
                address,
                length,
                interface,
            } => write!(f, "{address}/{length} on {interface}"),
            Self::Table(name) => write!(f, "table {name}"),
            Self::Link(name) => write!(f, "interface {name}"),
            Self::Setting { path, .. } => f.write_str(path),
            Self::Route(words) => write!(f, "route {words}"),
            Self::Rule(words) => write!(f, "rule {words}"),
        }
    }
}

pub(crate) fn store(directory: &Path) -> Store<Note> {
    Store::at(directory.join(NOTE))
}

/// Takes away all that daemons before have put here.
pub async fn take_away(directory: &Path) -> Result<(), Error> {
    let store = store(directory);
    let note = store.load()?;
    let (put, problem) = place::take_all(&note.put).await?;
    store.save(&Note {
        put,
        ..Note::default()
    })?;
    problem.map_or(Ok(()), Err)
}
