//! What VRRP watches.

use std::net::IpAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::Command;

/// What an instance or a group of them watches.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Track {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub interface: Vec<Watched>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub script: Vec<Watched>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub file: Vec<Watched>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub process: Vec<Watched>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bfd: Vec<Watched>,
    /// Virtual servers that have their quorum, by their group's name or their first service, as
    /// "TCP 192.0.2.1:80".
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub service: Vec<Watched>,
}

/// One thing that is watched, and what it counts.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct Watched {
    pub name: String,
    /// By default that of what is watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverse: Option<bool>,
}

/// `vrrp_script`
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct Script {
    pub name: String,
    pub script: Command,
    /// Seconds; 1 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<f64>,
    /// Seconds; as long as the interval by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<f64>,
    #[serde(default)]
    pub weight: i32,
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub reverse: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rise: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fall: Option<u32>,
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub init_fail: bool,
}

/// `track_file`
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct TrackFile {
    pub name: String,
    pub file: PathBuf,
    #[serde(default = "one")]
    pub weight: i32,
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub reverse: bool,
    /// The number that the file is made with, if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<i64>,
    /// Also if there is one.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub overwrite: bool,
}

/// `vrrp_track_process`
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct Process {
    pub name: String,
    /// The process's name and parameters.
    pub process: Vec<String>,
    /// "initial" or "partial".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub param_match: Option<String>,
    #[serde(default = "one")]
    pub weight: i32,
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub reverse: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quorum: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quorum_max: Option<u32>,
    /// Seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fork_delay: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminate_delay: Option<f64>,
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub full_command: bool,
}

/// `bfd_instance`
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct Bfd {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub neighbor_ip: Option<IpAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_ip: Option<IpAddr>,
    /// Milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_rx: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_tx: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_tx: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multiplier: Option<u8>,
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub passive: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_hops: Option<u8>,
    #[serde(default)]
    pub weight: i32,
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub reverse: bool,
    /// Only VRRP, or only health checks, are told.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub vrrp: bool,
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub checker: bool,
}

impl Script {
    /// With the defaults of all else.
    pub fn new(name: String) -> Self {
        Self {
            name,
            script: Command::new(""),
            interval: None,
            timeout: None,
            weight: 0,
            reverse: false,
            rise: None,
            fall: None,
            init_fail: false,
        }
    }
}

impl TrackFile {
    /// With the defaults of all else.
    pub fn new(name: String) -> Self {
        Self {
            name,
            file: PathBuf::new(),
            weight: 1,
            reverse: false,
            init: None,
            overwrite: false,
        }
    }
}

impl Process {
    /// With the defaults of all else.
    pub fn new(name: String) -> Self {
        Self {
            name,
            process: Vec::new(),
            param_match: None,
            weight: 1,
            reverse: false,
            quorum: None,
            quorum_max: None,
            fork_delay: None,
            terminate_delay: None,
            full_command: false,
        }
    }
}

impl Bfd {
    /// With the defaults of all else.
    pub fn new(name: String) -> Self {
        Self {
            name,
            neighbor_ip: None,
            source_ip: None,
            min_rx: None,
            min_tx: None,
            idle_tx: None,
            multiplier: None,
            passive: false,
            ttl: None,
            max_hops: None,
            weight: 0,
            reverse: false,
            vrrp: false,
            checker: false,
        }
    }
}

fn one() -> i32 {
    1
}
