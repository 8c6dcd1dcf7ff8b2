//! A site: what a configuration file says, as a whole.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Destination, Service, ServiceKey};
use crate::transaction::Change;

/// What the services named in a file are to be from now on.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// The file, which is read again at reload.
    pub path: PathBuf,
    /// As `rlvs convert` prints it, whatever the file's format.
    pub text: String,
    /// Refused with the code `conflict` unless the director's site has this
    /// number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<u64>,
}

/// What a director has of it.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Applied {
    /// Counts sites that were applied, and restarts.
    pub number: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// As it was applied.
    pub text: String,
}

/// What a site would change, or has changed.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Plan {
    pub steps: Vec<Step>,
    /// What destinations that checks have taken out get when they are back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub later: Vec<Step>,
    /// Addresses of this machine that come and go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<AddressStep>,
    /// VRRP instances and groups that come, go, or become another.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vrrp: Vec<VrrpStep>,
    /// Services made by hand that the file names as well: they become the file's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taken_over: Vec<ServiceKey>,
    /// What is in the file and does not take effect by applying it.
    pub notes: Vec<String>,
}

/// One change.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Step {
    pub change: Change,
    /// What is there before an edit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Before>,
}

/// What an edit begins with.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Before {
    Service(Service),
    Destination(Destination),
}

/// A VRRP instance, or a group of them.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct VrrpStep {
    /// "instance NAME" or "group NAME".
    pub what: String,
    pub change: VrrpChange,
    /// What becomes what.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum VrrpChange {
    Comes,
    Goes,
    /// It goes on with another configuration; who is master stays so.
    Changes,
    /// It ends, and begins as another.
    Restarts,
}

/// An address of this machine that comes or goes.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct AddressStep {
    /// With the length of its network.
    pub address: String,
    /// Unless it goes where its network is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// It comes; else it goes.
    pub comes: bool,
}
