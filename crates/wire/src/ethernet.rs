//! Ethernet II (IEEE 802.3, RFC 894).

use zerocopy::byteorder::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Ethernet {
    pub destination: [u8; 6],
    pub source: [u8; 6],
    pub ethertype: U16,
}

/// The two addresses in three words: a packet path that moves them moves words.
///
/// An address as a number has its first byte lowest, in the lower 48 bits.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Addresses([[u8; 4]; 3]);

impl Addresses {
    #[inline(always)]
    pub fn destination(&self) -> u64 {
        let [low, middle, _] = self.0.map(u32::from_le_bytes);
        low as u64 | (middle as u64 & 0xffff) << 32
    }

    #[inline(always)]
    pub fn source(&self) -> u64 {
        let [_, middle, high] = self.0.map(u32::from_le_bytes);
        (middle as u64 >> 16) | (high as u64) << 16
    }

    #[inline(always)]
    pub fn set(&mut self, destination: u64, source: u64) {
        let middle = (destination >> 32) as u32 & 0xffff | (source as u32) << 16;
        self.0 = [destination as u32, middle, (source >> 16) as u32].map(u32::to_le_bytes);
    }
}

/// Length of the header in bytes.
pub const LENGTH: usize = 14;

pub const IPV4: u16 = 0x0800;
pub const IPV6: u16 = 0x86dd;
/// IEEE 802.1Q.
pub const VLAN: u16 = 0x8100;
/// IEEE 802.1ad, the outer of two.
pub const SERVICE_VLAN: u16 = 0x88a8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_captured_bytes() {
        let bytes = [0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2, 0x86, 0xdd];
        let ethernet = Ethernet::read_from_bytes(&bytes).unwrap();
        assert_eq!(ethernet.destination, [2, 0, 0, 0, 0, 1]);
        assert_eq!(ethernet.source, [2, 0, 0, 0, 0, 2]);
        assert_eq!(ethernet.ethertype.get(), IPV6);
    }

    #[test]
    fn addresses_are_the_headers() {
        let mut bytes = [
            0x02, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0x06, 0xb1, 0xb2, 0xb3, 0xb4, 0xb5,
        ];
        let read = Addresses::read_from_bytes(&bytes).unwrap();
        assert_eq!(read.destination(), 0x0000_a5a4_a3a2_a102);
        assert_eq!(read.source(), 0x0000_b5b4_b3b2_b106);
        let swapped = Addresses::mut_from_bytes(&mut bytes).unwrap();
        swapped.set(0x0000_b5b4_b3b2_b106, 0x0000_a5a4_a3a2_a102);
        assert_eq!(
            bytes,
            [
                6, 0xb1, 0xb2, 0xb3, 0xb4, 0xb5, 2, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5
            ]
        );
    }
}
