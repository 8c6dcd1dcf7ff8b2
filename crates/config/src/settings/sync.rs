//! `[sync]`: synchronisation of connections with other directors.

use std::collections::BTreeSet;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::within;

/// Connections that may be told in a second.
const MOST: u32 = 10_000_000;

/// `[sync]`
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Sync {
    /// Addresses of the directors whose messages to the group count; absent: everybody's who reaches
    /// it, as in IPVS, whose protocol has no other protection.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub allow: BTreeSet<IpAddr>,
    /// Connections that are told in a second at most; what is more waits.
    #[serde(deserialize_with = "within::<1, MOST, _>")]
    #[schemars(range(min = 1, max = MOST))]
    pub rate: u32,
}

impl Default for Sync {
    fn default() -> Self {
        Self {
            allow: BTreeSet::new(),
            rate: 200_000,
        }
    }
}
