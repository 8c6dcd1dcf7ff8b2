//! What a director answers.

use std::net::{IpAddr, SocketAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::flat::FlatDestinationStatus;
use crate::model::{Destination, Service, is_zero};

/// All services of a director.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Services {
    /// Counts the transactions that made the rules what they are.
    #[serde(default)]
    pub number: u64,
    /// How many connections the connection table is made for (`size=` in `ipvsadm -L`).
    pub table_size: u64,
    /// In the order they were added.
    pub services: Vec<ServiceStatus>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct ServiceStatus {
    #[serde(flatten)]
    pub service: Service,
    pub statistics: Statistics,
    /// In the kernel's order: the one added last comes first.
    pub destinations: Vec<DestinationStatus>,
    /// Full NAT: in the order they were added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub local_addresses: Vec<LocalAddress>,
}

/// An address of the director that stands for clients.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct LocalAddress {
    pub address: IpAddr,
    /// Connections from it, of all services that have it.
    pub connections: u64,
    /// How often a port was wanted that was taken.
    pub conflicts: u64,
}

#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(from = "FlatDestinationStatus")]
pub struct DestinationStatus {
    #[serde(flatten)]
    pub destination: Destination,
    #[serde(skip_serializing_if = "is_zero")]
    pub active_connections: u32,
    #[serde(skip_serializing_if = "is_zero")]
    pub inactive_connections: u32,
    #[serde(skip_serializing_if = "is_zero")]
    pub persistent_connections: u32,
    #[serde(skip_serializing_if = "is_zero")]
    pub statistics: Statistics,
}

/// Totals since the start or the last `-Z`, and present rates per second. Messages leave out zeros.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct Statistics {
    #[serde(skip_serializing_if = "is_zero")]
    pub connections: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub packets_in: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub packets_out: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub bytes_in: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub bytes_out: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub connections_rate: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub packets_in_rate: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub packets_out_rate: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub bytes_in_rate: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub bytes_out_rate: u64,
}

/// What all services count together, also those that are no longer there.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Overall {
    /// Since the start, or the last `-Z` of everything.
    pub statistics: Statistics,
    /// Of each CPU since the start; rates are not known of one, and 0.
    pub cpus: Vec<Statistics>,
}

/// One live connection or persistence template.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct ConnectionEntry {
    /// `TCP`, `UDP`, `SCTP`, or `IP` for the templates of firewall-mark services.
    pub protocol: String,
    /// Name as `ipvsadm -Lc` prints it: `ESTABLISHED`, `SYN_RECV`, ...
    pub state: String,
    /// Seconds until the entry ends if no packet comes.
    pub expires: u32,
    pub client: SocketAddr,
    pub virtual_address: SocketAddr,
    pub destination: SocketAddr,
    /// Full NAT: what the real server sees as its client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local: Option<SocketAddr>,
    /// Another director told it.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub learned: bool,
    /// Name and data of the persistence engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistence_engine: Option<(String, String)>,
}

/// Seconds after which idle connections end.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Timeouts {
    pub tcp: u32,
    pub tcp_fin: u32,
    pub udp: u32,
}

impl Default for Timeouts {
    /// IPVS's own (net/netfilter/ipvs/ip_vs_proto_tcp.c, ip_vs_proto_udp.c).
    fn default() -> Self {
        Self {
            tcp: 900,
            tcp_fin: 120,
            udp: 300,
        }
    }
}
