//! An address of either family as one key: IPv4 as IPv6 maps it (RFC 4291, section 2.5.5.2).

pub type Address = [u8; 16];

/// Prefix length of all IPv4 addresses.
pub const MAPPED: u8 = 96;

#[inline(always)]
pub const fn mapped([a, b, c, d]: [u8; 4]) -> Address {
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d]
}
