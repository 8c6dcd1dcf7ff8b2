//! What is wrong with a packet whoever reads it.

use core::fmt;

/// A packet that is no advertisement.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Malformed {
    /// It ends within its IP header.
    IpTruncated,
    IpVersion(u8),
    IpHeaderLength(u8),
    /// It is shorter than its IP header says, or that is shorter than itself.
    IpLength(u16),
    /// Options, which no router puts into advertisements, before an authentication header that
    /// covers them.
    IpOptions,
    /// A part of a larger datagram.
    Fragment,
    /// It is of this protocol: neither VRRP nor an authentication header.
    Protocol(u8),
    AuthenticationTruncated,
    /// The authentication header has another length than HMAC-MD5-96 makes it.
    AuthenticationLength(u8),
    /// Behind the authentication header is this protocol.
    AuthenticationNext(u8),
    /// It ends within the fixed part of an advertisement.
    Truncated,
    Version(u8),
    /// Version 2 in IPv6.
    VersionOfFamily,
    /// It is none of type 1, an advertisement.
    Type(u8),
    /// Virtual router 0.
    VirtualRouter,
    AuthenticationType(u8),
    /// It does not have the length that its count of addresses makes it.
    Length {
        expected: usize,
        length: usize,
    },
    /// No time between advertisements.
    Interval,
    Checksum,
}

impl Malformed {
    /// For counters.
    pub fn name(self) -> &'static str {
        match self {
            Self::IpTruncated => "ip-truncated",
            Self::IpVersion(_) => "ip-version",
            Self::IpHeaderLength(_) => "ip-header-length",
            Self::IpLength(_) => "ip-length",
            Self::IpOptions => "ip-options",
            Self::Fragment => "fragment",
            Self::Protocol(_) => "protocol",
            Self::AuthenticationTruncated => "ah-truncated",
            Self::AuthenticationLength(_) => "ah-length",
            Self::AuthenticationNext(_) => "ah-next-header",
            Self::Truncated => "truncated",
            Self::Version(_) => "version",
            Self::VersionOfFamily => "version-of-family",
            Self::Type(_) => "type",
            Self::VirtualRouter => "virtual-router",
            Self::AuthenticationType(_) => "authentication-type",
            Self::Length { .. } => "length",
            Self::Interval => "interval",
            Self::Checksum => "checksum",
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::IpTruncated => formatter.write_str("it ends within its IP header"),
            Self::IpVersion(version) => write!(formatter, "its IP version is {version}"),
            Self::IpHeaderLength(bytes) => write!(formatter, "an IP header of {bytes} bytes"),
            Self::IpLength(bytes) => write!(formatter, "its IP header says {bytes} bytes"),
            Self::IpOptions => formatter.write_str("it has IP options"),
            Self::Fragment => formatter.write_str("it is a fragment"),
            Self::Protocol(protocol) => write!(formatter, "protocol {protocol} is not VRRP"),
            Self::AuthenticationTruncated => {
                formatter.write_str("it ends within its authentication header")
            }
            Self::AuthenticationLength(words) => write!(
                formatter,
                "its authentication header has length {words}, with HMAC-MD5-96 it would be 4"
            ),
            Self::AuthenticationNext(protocol) => {
                write!(
                    formatter,
                    "protocol {protocol} in its authentication header"
                )
            }
            Self::Truncated => formatter.write_str("it ends within its first 8 bytes"),
            Self::Version(version) => write!(formatter, "VRRP version {version}"),
            Self::VersionOfFamily => formatter.write_str("VRRP version 2 has no IPv6"),
            Self::Type(kind) => write!(formatter, "type {kind} is no advertisement"),
            Self::VirtualRouter => formatter.write_str("virtual router 0"),
            Self::AuthenticationType(kind) => write!(formatter, "authentication type {kind}"),
            Self::Length { expected, length } => write!(
                formatter,
                "{length} bytes, with so many addresses it would be {expected}"
            ),
            Self::Interval => formatter.write_str("an interval of 0"),
            Self::Checksum => formatter.write_str("its checksum is wrong"),
        }
    }
}

impl core::error::Error for Malformed {}
