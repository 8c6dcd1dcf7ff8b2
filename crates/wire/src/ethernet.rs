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

pub const IPV4: u16 = 0x0800;
pub const IPV6: u16 = 0x86dd;

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
}
