//! Why a director refused.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A refused request.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    pub code: Code,
    /// What is wrong and how to mend it, for a person.
    pub message: String,
    /// Which change of a transaction is at fault, counted from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<usize>,
    /// Of a conflict: the number that the rules, or the site, have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
}

/// The kinds of refusal that a program may want to tell apart.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// What was expected to be there is no longer.
    Conflict,
    DaemonRuns,
    DestinationExists,
    /// The daemon failed, not the request.
    Internal,
    /// A value that LVS does not take.
    Invalid,
    LocalAddressExists,
    NoSuchDaemon,
    NoSuchDestination,
    NoSuchInterface,
    NoSuchLocalAddress,
    NoSuchService,
    /// There is no director in this network namespace.
    NotRunning,
    PermissionDenied,
    /// A number out of its range.
    Range,
    ServiceExists,
    /// A table of the data plane is full.
    TableFull,
    /// Who asks is not known: there is no token, or a wrong one.
    Unauthorized,
    UnknownPersistenceEngine,
    UnknownScheduler,
    /// LVS has it, this director does not yet.
    Unsupported,
    /// The message itself was not understood.
    Malformed,
}

impl Error {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            change: None,
            number: None,
        }
    }
}
