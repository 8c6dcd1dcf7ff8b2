//! Addresses that a machine has, or has while it is master.

use std::net::IpAddr;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An address on an interface.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct VirtualAddress {
    /// With the length of its network: 192.0.2.1/32.
    #[schemars(with = "String")]
    pub address: IpNet,
    /// By default the instance's, or the default interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// An address, or "+" or "-".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broadcast: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub peer: Option<IpNet>,
    /// Seconds, or "forever".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_lft: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub track_group: Option<String>,
    /// Of home, -nodad, mngtmpaddr, noprefixroute, autojoin, no_track, use_vmac.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
}

impl VirtualAddress {
    pub fn new(address: IpNet) -> Self {
        Self {
            address,
            interface: None,
            broadcast: None,
            scope: None,
            label: None,
            peer: None,
            preferred_lft: None,
            track_group: None,
            flags: Vec::new(),
        }
    }

    pub fn ip(&self) -> IpAddr {
        self.address.addr()
    }
}
