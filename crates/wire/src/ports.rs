//! The ports that TCP, UDP and SCTP headers begin with, as bytes in network order.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Ports {
    pub source: [u8; 2],
    pub destination: [u8; 2],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_captured_bytes() {
        let ports = Ports::read_from_bytes(&[0xd4, 0x31, 0, 80]).unwrap();
        assert_eq!((ports.source, ports.destination), ([0xd4, 0x31], [0, 80]));
    }
}
