//! ICMP (RFC 792) and ICMPv6 (RFC 4443): the eight bytes that both begin with.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Icmp {
    pub kind: u8,
    pub code: u8,
    pub checksum: [u8; 2],
    /// What it is depends on the kind; of errors, the packet they are about follows it.
    pub rest: [u8; 4],
}

/// Length of the header in bytes.
pub const LENGTH: usize = 8;

/// Where in the header the checksum is.
pub const CHECKSUM: usize = 2;

impl Icmp {
    /// Whether it is an error of IPv4: unreachable, source quench, time exceeded, or parameter
    /// problem.
    #[inline(always)]
    pub fn is_error4(&self) -> bool {
        matches!(self.kind, 3 | 4 | 11 | 12)
    }

    /// Whether it is an error of IPv6, which all have a number below 128.
    #[inline(always)]
    pub fn is_error6(&self) -> bool {
        self.kind < 128
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_captured_bytes() {
        let icmp = Icmp::read_from_bytes(&[3, 4, 0xbe, 0xef, 0, 0, 0x05, 0x78]).unwrap();
        assert_eq!((icmp.kind, icmp.code, icmp.rest), (3, 4, [0, 0, 5, 0x78]));
        assert!(icmp.is_error4());
    }

    #[test]
    fn questions_and_answers_are_no_errors() {
        let of = |kind| Icmp {
            kind,
            code: 0,
            checksum: [0; 2],
            rest: [0; 4],
        };
        assert!(![0, 8, 13].into_iter().any(|kind| of(kind).is_error4()));
        assert!(![128, 129, 135].into_iter().any(|kind| of(kind).is_error6()));
        assert!([1, 2, 3, 4].into_iter().all(|kind| of(kind).is_error6()));
    }
}
