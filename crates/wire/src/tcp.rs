//! TCP (RFC 9293).

use zerocopy::byteorder::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The header without options.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Tcp {
    pub source: U16,
    pub destination: U16,
    pub sequence: [u8; 4],
    pub acknowledgement: [u8; 4],
    /// Header length in 32-bit words, in the upper half.
    pub data_offset: u8,
    pub flags: u8,
    pub window: U16,
    pub checksum: [u8; 2],
    pub urgent: U16,
}

pub const FIN: u8 = 0x01;
pub const SYN: u8 = 0x02;
pub const RST: u8 = 0x04;
pub const ACK: u8 = 0x10;

/// Where in the header the checksum is.
pub const CHECKSUM: usize = 16;

/// Shortest header in bytes.
pub const MIN_LENGTH: usize = 20;

impl Tcp {
    /// Header length in bytes, options included: 0 to 60.
    #[inline(always)]
    pub fn header_length(&self) -> usize {
        (self.data_offset as usize >> 4) << 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_captured_bytes() {
        let bytes = [
            0xd4, 0x31, 0x00, 0x50, 0x12, 0x34, 0x56, 0x78, 0, 0, 0, 0, 0xa0, 0x02, 0xfa, 0xf0,
            0xbe, 0xef, 0, 0,
        ];
        let tcp = Tcp::read_from_bytes(&bytes).unwrap();
        assert_eq!((tcp.source.get(), tcp.destination.get()), (54321, 80));
        assert_eq!((tcp.header_length(), tcp.flags), (40, SYN));
    }
}
