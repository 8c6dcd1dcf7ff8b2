//! GRE (RFC 2784), as far as it needs no key and no sequence number.

use zerocopy::byteorder::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Gre {
    /// Which optional fields follow, and the version.
    pub flags: [u8; 2],
    /// Ethertype of the packet inside.
    pub protocol: U16,
}

/// Flags that say: a checksum and two empty bytes follow.
pub const HAS_CHECKSUM: [u8; 2] = [0x80, 0];

/// Length of the header in bytes, without optional fields.
pub const LENGTH: usize = 4;
/// Length of the checksum and what belongs to it.
pub const CHECKSUM_LENGTH: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_captured_bytes() {
        let gre = Gre::read_from_bytes(&[0x80, 0, 0x86, 0xdd]).unwrap();
        assert_eq!((gre.flags, gre.protocol.get()), (HAS_CHECKSUM, 0x86dd));
    }
}
