//! IPv6 (RFC 8200) and the generic extension header.

use zerocopy::byteorder::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Ipv6 {
    pub version_class_flow: [u8; 4],
    pub payload_length: U16,
    pub next_header: u8,
    pub hop_limit: u8,
    pub source: [u8; 16],
    pub destination: [u8; 16],
}

/// Length of the fixed header in bytes.
pub const LENGTH: usize = 40;

impl Ipv6 {
    #[inline(always)]
    pub fn version(&self) -> u8 {
        self.version_class_flow[0] >> 4
    }

    /// The traffic class: DSCP and ECN.
    #[inline(always)]
    pub fn class(&self) -> u8 {
        let [a, b, ..] = self.version_class_flow;
        a << 4 | b >> 4
    }
}

/// The start that hop-by-hop, routing, destination options and authentication headers share.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Extension {
    pub next_header: u8,
    /// In units of 8 bytes not counting the first 8; an authentication header's differs.
    pub length: u8,
}

impl Extension {
    /// Length in bytes of a hop-by-hop, routing or destination options header: 8 to 2048.
    #[inline(always)]
    pub fn options_length(&self) -> usize {
        (self.length as usize + 1) << 3
    }

    /// Length in bytes of an authentication header (RFC 4302, section 2.2): 8 to 1028.
    #[inline(always)]
    pub fn authentication_length(&self) -> usize {
        (self.length as usize + 2) << 2
    }
}

/// A fragment header (RFC 8200, section 4.5).
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Fragment {
    pub next_header: u8,
    pub reserved: u8,
    /// The offset in units of 8 bytes, two reserved bits, and whether more parts follow.
    pub field: U16,
    pub identification: [u8; 4],
}

/// Length of a fragment header in bytes.
pub const FRAGMENT_LENGTH: usize = 8;

impl Fragment {
    /// Where in the fragmentable part this one begins, in bytes.
    #[inline(always)]
    pub fn offset(&self) -> u32 {
        (self.field.get() & !7) as u32
    }

    /// 1 if more parts follow this one.
    #[inline(always)]
    pub fn more(&self) -> u8 {
        self.field.get() as u8 & 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_captured_bytes() {
        let mut bytes = [0u8; LENGTH];
        bytes[..8].copy_from_slice(&[0x62, 0xea, 0x12, 0x34, 0x00, 0x28, 0x06, 0x40]);
        bytes[23] = 1;
        bytes[39] = 2;
        let ip = Ipv6::read_from_bytes(&bytes).unwrap();
        assert_eq!((ip.version(), ip.payload_length.get()), (6, 40));
        assert_eq!(ip.class(), 0x2e);
        assert_eq!((ip.next_header, ip.hop_limit), (6, 64));
        assert_eq!((ip.source[15], ip.destination[15]), (1, 2));
    }

    #[test]
    fn reads_a_captured_fragment_header() {
        let bytes = [17, 0, 0x05, 0xa9, 0xde, 0xad, 0xbe, 0xef];
        let fragment = Fragment::read_from_bytes(&bytes).unwrap();
        assert_eq!((fragment.offset(), fragment.more()), (1448, 1));
        assert_eq!(fragment.identification, [0xde, 0xad, 0xbe, 0xef]);
        assert_eq!(size_of::<Fragment>(), FRAGMENT_LENGTH);
    }

    #[test]
    fn extension_lengths_count_in_their_own_units() {
        let router_alert = Extension {
            next_header: 6,
            length: 0,
        };
        assert_eq!(router_alert.options_length(), 8);
        let authentication = Extension {
            next_header: 6,
            length: 4,
        };
        assert_eq!(authentication.authentication_length(), 24);
    }
}
