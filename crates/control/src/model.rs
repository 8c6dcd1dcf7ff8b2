//! Virtual services and destinations, as an operator writes them.
//!
//! The model speaks all of LVS; a director refuses what its data plane cannot do yet.

use core::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::flat::FlatDestination;

/// The transport protocol of a virtual service.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    Tcp,
    Udp,
    Sctp,
}

/// The IP version of a firewall-mark service.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    Ipv4,
    Ipv6,
}

/// What makes a packet one of a virtual service's.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "lowercase")]
pub enum ServiceKey {
    /// It is sent to this virtual address and port.
    Address {
        protocol: Protocol,
        address: IpAddr,
        port: u16,
    },
    /// It carries this firewall mark.
    Mark { family: Family, mark: u32 },
}

/// A virtual service: what `ipvsadm -A` sets.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Service {
    pub key: ServiceKey,
    /// Name of the scheduler, `wlc` by default.
    pub scheduler: String,
    /// The scheduler's flags: bits 1, 2 and 4 for `flag-1`, `flag-2` and `flag-3` (`ipvsadm -b`).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub scheduler_flags: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistence: Option<Persistence>,
    /// `ipvsadm -o`: every packet is scheduled for itself.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub one_packet: bool,
    /// Name of the persistence engine (`--pe`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistence_engine: Option<String>,
    /// How real servers under full NAT learn who their client is (`--client-address`).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub client_address: ClientAddress,
    /// Seconds in which the weight of a new or returning destination rises to what it is
    /// (`--slow-start`); 0: it has it at once.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub slow_start: u32,
}

/// How real servers under full NAT, which see an address of the director, learn who their client
/// is. Only TCP has a way.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientAddress {
    /// By a TCP option, kind 254, which those who do not know it ignore.
    #[default]
    Toa,
    /// By the PROXY protocol, version 2, which servers must expect.
    Proxy,
    /// Not at all.
    None,
}

/// `ipvsadm -p` and `-M`: a client's connections go to the same destination.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Persistence {
    /// Seconds that the choice outlives the last connection made by it.
    pub timeout: u32,
    pub granularity: Granularity,
}

/// Which clients count as one for persistence.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Granularity {
    /// IPv4: the bits of the client's address that count; 255.255.255.255 by default.
    Mask(Ipv4Addr),
    /// IPv6: how many leading bits count, 1 to 128; 128 by default.
    Prefix(u8),
}

/// A real server inside one service: what `ipvsadm -a` sets.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(from = "FlatDestination")]
pub struct Destination {
    #[serde(flatten)]
    pub key: DestinationKey,
    pub method: ForwardingMethod,
    /// 0 to 2^31 - 1; 0: no new connections.
    pub weight: u32,
    /// No new connections at this many; 0: no limit (`-x`).
    #[serde(skip_serializing_if = "is_zero")]
    pub upper_threshold: u32,
    /// New connections again below this many; 0: at 3/4 of the upper one (`-y`).
    #[serde(skip_serializing_if = "is_zero")]
    pub lower_threshold: u32,
}

/// What tells the destinations of one service apart.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
pub struct DestinationKey {
    pub address: IpAddr,
    pub port: u16,
}

/// How packets reach a destination.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ForwardingMethod {
    /// `-m`: addresses and ports are rewritten (NAT).
    Masquerade,
    /// `-i`
    Tunnel(Tunnel),
    /// `-g`: only the MAC addresses change.
    Route,
    /// `--fullnat`: both ends are rewritten; the real server sees a local address of the service.
    FullNat,
    /// IPVS's `Local`, which `ipvsadm` can list and never asks for. A destination that is this
    /// host has one of the other methods, as in IPVS.
    Local,
}

/// `--tun-type` and what belongs to it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tunnel {
    Ipip,
    Gre { checksum: bool },
    Gue { port: u16, checksum: GueChecksum },
}

/// `--tun-csum`, `--tun-nocsum`, `--tun-remcsum` of a GUE tunnel.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum GueChecksum {
    None,
    Full,
    Remote,
}

impl ServiceKey {
    pub fn family(&self) -> Family {
        match self {
            Self::Address {
                address: IpAddr::V4(_),
                ..
            } => Family::Ipv4,
            Self::Address {
                address: IpAddr::V6(_),
                ..
            } => Family::Ipv6,
            Self::Mark { family, .. } => *family,
        }
    }

    /// The words by which `ipvsadm` names the service.
    pub fn words(&self) -> String {
        match *self {
            Self::Address {
                protocol,
                address,
                port,
            } => format!("{} {}", protocol.option(), SocketAddr::new(address, port)),
            Self::Mark {
                family: Family::Ipv4,
                mark,
            } => format!("-f {mark}"),
            Self::Mark {
                family: Family::Ipv6,
                mark,
            } => format!("-f {mark} -6"),
        }
    }
}

impl ForwardingMethod {
    /// As listings name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::FullNat => "FullNat",
            Self::Masquerade => "Masq",
            Self::Tunnel(_) => "Tunnel",
            Self::Route => "Route",
            Self::Local => "Local",
        }
    }
}

impl Protocol {
    /// The option of `ipvsadm` in front of an address of such a service.
    pub fn option(self) -> &'static str {
        match self {
            Self::Tcp => "-t",
            Self::Udp => "-u",
            Self::Sctp => "--sctp-service",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        })
    }
}

impl fmt::Display for ServiceKey {
    /// As in messages to people: `TCP 192.0.2.1:80`, `FWM 7`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address {
                protocol,
                address,
                port,
            } => {
                write!(
                    f,
                    "{protocol} {}",
                    std::net::SocketAddr::new(*address, *port)
                )
            }
            Self::Mark {
                family: Family::Ipv4,
                mark,
            } => write!(f, "FWM {mark}"),
            Self::Mark {
                family: Family::Ipv6,
                mark,
            } => write!(f, "FWM {mark} IPv6"),
        }
    }
}

impl fmt::Display for DestinationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        std::net::SocketAddr::new(self.address, self.port).fmt(f)
    }
}

pub(crate) fn is_zero<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
