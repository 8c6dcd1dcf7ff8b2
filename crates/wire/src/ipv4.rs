//! IPv4 (RFC 791).

use zerocopy::byteorder::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::Checksum;

/// The header without options.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Ipv4 {
    /// Version 4 in the upper half, header length in 32-bit words in the lower.
    pub version_ihl: u8,
    pub tos: u8,
    pub total_length: U16,
    pub identification: U16,
    /// Three flags and the offset in units of 8 bytes.
    pub fragment: U16,
    pub ttl: u8,
    pub protocol: u8,
    pub checksum: [u8; 2],
    pub source: [u8; 4],
    pub destination: [u8; 4],
}

/// Shortest and longest header in bytes.
pub const MIN_LENGTH: usize = 20;
pub const MAX_LENGTH: usize = 60;

pub const DONT_FRAGMENT: u16 = 0x4000;
const MORE_FRAGMENTS: u16 = 0x2000;
const FRAGMENT_OFFSET: u16 = 0x1fff;

impl Ipv4 {
    #[inline(always)]
    pub fn version(&self) -> u8 {
        self.version_ihl >> 4
    }

    /// Header length in bytes, options included: 0 to 60.
    #[inline(always)]
    pub fn header_length(&self) -> usize {
        ((self.version_ihl & 0x0f) as usize) << 2
    }

    /// Whether this is a part of a larger datagram.
    #[inline(always)]
    pub fn is_fragment(&self) -> bool {
        self.fragment.get() & (MORE_FRAGMENTS | FRAGMENT_OFFSET) != 0
    }

    /// Whether this is a part that the transport header is not in.
    #[inline(always)]
    pub fn is_later_fragment(&self) -> bool {
        self.fragment.get() & FRAGMENT_OFFSET != 0
    }

    /// Where in the datagram's payload this part begins, in bytes.
    #[inline(always)]
    pub fn fragment_offset(&self) -> u32 {
        ((self.fragment.get() & FRAGMENT_OFFSET) as u32) << 3
    }

    /// 1 if more parts follow this one.
    #[inline(always)]
    pub fn more_fragments(&self) -> u8 {
        (self.fragment.get() >> 13) as u8 & 1
    }

    /// The sum over the 20 bytes, checksum field included.
    #[inline(always)]
    pub fn sum(&self) -> Checksum {
        let [a, b] = self.total_length.to_bytes();
        let [c, d] = self.identification.to_bytes();
        let [e, f] = self.fragment.to_bytes();
        let [g, h] = self.checksum;
        Checksum::default()
            .plus4([self.version_ihl, self.tos, a, b])
            .plus4([c, d, e, f])
            .plus4([self.ttl, self.protocol, g, h])
            .plus4(self.source)
            .plus4(self.destination)
    }

    /// Takes one hop from the time to live, which must not be 0, and mends the checksum.
    #[inline(always)]
    pub fn decrement_ttl(&mut self) {
        self.ttl = self.ttl.wrapping_sub(1);
        // One less in the upper half of a word is one more in the sum's (RFC 1141).
        let sum = u16::from_ne_bytes(self.checksum) as u32 + u16::from_ne_bytes([1, 0]) as u32;
        self.checksum = ((sum + (sum >= 0xffff) as u32) as u16).to_ne_bytes();
    }

    /// Gives a hop back to the time to live, which must not be 255, and mends the checksum.
    #[inline(always)]
    pub fn increment_ttl(&mut self) {
        self.ttl = self.ttl.wrapping_add(1);
        let sum =
            u16::from_ne_bytes(self.checksum) as u32 + u16::from_ne_bytes([0xfe, 0xff]) as u32;
        self.checksum = ((sum + (sum >= 0xffff) as u32) as u16).to_ne_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A SYN from 192.168.1.2 to 10.200.1.1, as a capture has it.
    const BYTES: [u8; 20] = [
        0x45, 0x00, 0x00, 0x3c, 0x1c, 0x46, 0x40, 0x00, 0x40, 0x06, 0x51, 0x03, 0xc0, 0xa8, 0x01,
        0x02, 0x0a, 0xc8, 0x01, 0x01,
    ];

    #[test]
    fn reads_captured_bytes() {
        let ip = Ipv4::read_from_bytes(&BYTES).unwrap();
        assert_eq!((ip.version(), ip.header_length()), (4, MIN_LENGTH));
        assert_eq!(ip.total_length.get(), 60);
        assert!(!ip.is_fragment());
        assert!(ip.sum().verifies());
    }

    #[test]
    fn decrementing_keeps_the_checksum_right() {
        let mut ip = Ipv4::read_from_bytes(&BYTES).unwrap();
        while ip.ttl > 0 {
            ip.decrement_ttl();
            assert!(ip.sum().verifies(), "at ttl {}", ip.ttl);
        }
    }

    #[test]
    fn hops_that_are_given_back_were_never_taken() {
        for identification in 0..=u16::MAX {
            let mut ip = Ipv4::read_from_bytes(&BYTES).unwrap();
            ip.identification.set(identification);
            ip.checksum = [0, 0];
            ip.checksum = ip.sum().to_field();
            let before = ip.as_bytes().to_vec();
            ip.decrement_ttl();
            ip.increment_ttl();
            assert!(ip.sum().verifies(), "{identification}");
            assert_eq!(ip.as_bytes(), before, "{identification}");
        }
    }

    #[test]
    fn tells_fragments() {
        let mut ip = Ipv4::read_from_bytes(&BYTES).unwrap();
        for (fragment, expected) in [(0x4000, false), (0x2000, true), (0x0001, true)] {
            ip.fragment.set(fragment);
            assert_eq!(ip.is_fragment(), expected);
        }
        for (fragment, expected) in [(0x4000, (0, 0)), (0x2000, (0, 1)), (0x20b9, (1480, 1))] {
            ip.fragment.set(fragment);
            assert_eq!((ip.fragment_offset(), ip.more_fragments()), expected);
        }
    }
}
