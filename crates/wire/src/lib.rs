//! Headers as they lie on the wire.
//!
//! One file a protocol, each a struct that any bytes can be read as, at any address (its fields
//! are byte arrays or big-endian integers), its accessors, and tests with captured bytes. Nothing
//! here looks further than its own header: lengths that other headers depend on are checked by
//! who walks from one to the next.
#![no_std]
#![forbid(unsafe_code)]

pub mod checksum;
pub mod crc32c;
pub mod ethernet;
pub mod gre;
pub mod gue;
pub mod icmp;
pub mod ipv4;
pub mod ipv6;
pub mod ports;
pub mod sctp;
pub mod tcp;
pub mod udp;
pub mod vlan;

pub use checksum::Checksum;
pub use ethernet::Ethernet;
pub use gre::Gre;
pub use gue::Gue;
pub use icmp::Icmp;
pub use ipv4::Ipv4;
pub use ipv6::Ipv6;
pub use ports::Ports;
pub use sctp::Sctp;
pub use tcp::Tcp;
pub use udp::Udp;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// A header that any bytes can be read as, at any address.
pub trait Header: FromBytes + IntoBytes + Immutable + KnownLayout + Unaligned {}

impl<T: FromBytes + IntoBytes + Immutable + KnownLayout + Unaligned> Header for T {}

/// Protocol numbers (IANA), as in IPv4's protocol and IPv6's next header.
pub mod protocol {
    pub const HOP_BY_HOP: u8 = 0;
    pub const ICMP: u8 = 1;
    pub const IPV4: u8 = 4;
    pub const TCP: u8 = 6;
    pub const UDP: u8 = 17;
    pub const IPV6: u8 = 41;
    pub const ROUTING: u8 = 43;
    pub const FRAGMENT: u8 = 44;
    pub const GRE: u8 = 47;
    pub const ESP: u8 = 50;
    pub const AUTHENTICATION: u8 = 51;
    pub const ICMPV6: u8 = 58;
    pub const NO_NEXT_HEADER: u8 = 59;
    pub const DESTINATION_OPTIONS: u8 = 60;
    pub const SCTP: u8 = 132;
}
