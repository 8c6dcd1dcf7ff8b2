//! SCTP (RFC 9260): the common header, and the header that each chunk begins with.

use zerocopy::byteorder::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Sctp {
    pub source: [u8; 2],
    pub destination: [u8; 2],
    pub tag: [u8; 4],
    /// CRC32c over the packet from this header on, its least significant byte first.
    pub checksum: [u8; 4],
}

/// Length of the common header in bytes.
pub const LENGTH: usize = 12;

/// What a chunk begins with.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Chunk {
    pub kind: u8,
    pub flags: u8,
    /// This header included, the padding to four bytes behind the chunk not.
    pub length: U16,
}

/// Length of a chunk's header in bytes.
pub const CHUNK_LENGTH: usize = 4;

pub const DATA: u8 = 0;
pub const INIT: u8 = 1;
pub const INIT_ACK: u8 = 2;
pub const ABORT: u8 = 6;
pub const SHUTDOWN: u8 = 7;
pub const SHUTDOWN_ACK: u8 = 8;
pub const ERROR: u8 = 9;
pub const COOKIE_ECHO: u8 = 10;
pub const COOKIE_ACK: u8 = 11;
pub const SHUTDOWN_COMPLETE: u8 = 14;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_captured_bytes() {
        // An INIT from port 54321 to port 9899, whose sender wants to be called by tag 0x01020304.
        let bytes = [
            0xd4, 0x31, 0x26, 0xab, 0, 0, 0, 0, 0x12, 0x34, 0x56, 0x78, 1, 0, 0, 20, 1, 2, 3, 4,
        ];
        let (header, rest) = bytes.split_at(LENGTH);
        let sctp = Sctp::read_from_bytes(header).unwrap();
        assert_eq!(
            (sctp.source, sctp.destination),
            ([0xd4, 0x31], [0x26, 0xab])
        );
        assert_eq!(
            (sctp.tag, sctp.checksum),
            ([0; 4], [0x12, 0x34, 0x56, 0x78])
        );
        let chunk = Chunk::read_from_bytes(&rest[..CHUNK_LENGTH]).unwrap();
        assert_eq!((chunk.kind, chunk.length.get()), (INIT, 20));
    }
}
