//! Where frames for an address go, or why they cannot.

use std::net::IpAddr;

/// How the next frame towards an address is to be addressed.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct NextHop {
    /// Index of the interface to send from.
    pub interface: u32,
    /// MAC address of that interface.
    pub source: [u8; 6],
    /// MAC address of the real server, or of the gateway on the way to it.
    pub destination: [u8; 6],
    /// Largest IP packet this way takes: the link's MTU, or the route's where that is smaller.
    pub mtu: u32,
    /// The address of this host that the kernel would send from; none where it has none of that
    /// IP version.
    pub local: Option<IpAddr>,
}

/// Why an address has no next hop; each in words an operator can act on.
#[derive(Clone, Debug, Eq, Hash, PartialEq, thiserror::Error)]
pub enum Unresolved {
    #[error("it is being resolved")]
    Resolving,
    #[error("the kernel has no route to it")]
    NoRoute,
    #[error("a route says it is unreachable")]
    Unreachable,
    #[error("a route prohibits it")]
    Prohibited,
    #[error("a blackhole route discards what is sent to it")]
    Blackhole,
    #[error("it is an address of this host")]
    Local,
    #[error("it is a broadcast or multicast address")]
    NotUnicast,
    #[error("the route to it has an encapsulation (lwtunnel), which rlvs does not do")]
    Encapsulated,
    #[error("interface {interface} on the way to it is down")]
    LinkDown { interface: String },
    #[error("interface {interface} on the way to it is not Ethernet")]
    NotEthernet { interface: String },
    #[error("{neighbour} does not answer on {interface}")]
    NoAnswer {
        neighbour: IpAddr,
        interface: String,
    },
    #[error("the kernel refuses the neighbour {neighbour} on {interface}: {reason}")]
    Refused {
        neighbour: IpAddr,
        interface: String,
        reason: String,
    },
    #[error("the kernel does not look up its route: {reason}")]
    LookupFailed { reason: String },
}
