//! VLAN tags (IEEE 802.1Q), which lie between the MAC addresses and the ethertype.

use crate::ethernet::{SERVICE_VLAN, VLAN};
use zerocopy::byteorder::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Tag {
    /// [`VLAN`], or outside of that perhaps [`SERVICE_VLAN`].
    pub protocol: U16,
    /// Priority (3 bits), drop eligibility (1) and the VLAN's number (12).
    pub control: U16,
}

/// Where the outermost tag, or else the ethertype, lies in a frame.
pub const OFFSET: usize = 12;
pub const LENGTH: usize = size_of::<Tag>();

/// The VLAN's number in [`Tag::control`].
pub const NUMBER: u16 = 0x0fff;

/// Whether an ethertype says that a tag is there.
#[inline(always)]
pub const fn is_tag(ethertype: u16) -> bool {
    ethertype == VLAN || ethertype == SERVICE_VLAN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_captured_bytes() {
        // Priority 5, VLAN 10.
        let tag = Tag::read_from_bytes(&[0x81, 0x00, 0xa0, 0x0a]).unwrap();
        assert!(is_tag(tag.protocol.get()));
        assert_eq!(tag.control.get() & NUMBER, 10);
    }
}
