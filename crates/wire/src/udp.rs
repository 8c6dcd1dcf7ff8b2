//! UDP (RFC 768).

use zerocopy::byteorder::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Udp {
    pub source: U16,
    pub destination: U16,
    /// Header and data in bytes.
    pub length: U16,
    /// 0: none was computed.
    pub checksum: [u8; 2],
}

/// Where in the header the checksum is.
pub const CHECKSUM: usize = 6;

/// Length of the header in bytes.
pub const LENGTH: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_captured_bytes() {
        let udp = Udp::read_from_bytes(&[0xd4, 0x31, 0, 53, 0, 12, 0, 0]).unwrap();
        assert_eq!((udp.source.get(), udp.destination.get()), (54321, 53));
        assert_eq!(
            (udp.length.get() as usize, udp.checksum),
            (LENGTH + 4, [0, 0])
        );
    }
}
