//! Generic UDP Encapsulation, variant 0 (draft-ietf-intarea-gue).

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Gue {
    /// Variant (2 bits), control message (1), and how many words of options follow (5).
    pub variant_control_length: u8,
    /// IP protocol number of what is inside.
    pub protocol: u8,
    pub flags: [u8; 2],
}

/// Length of the header in bytes, without options.
pub const LENGTH: usize = 4;

/// Flags that say: private flags come first in the options.
pub const HAS_PRIVATE_FLAGS: [u8; 2] = [0, 1];
pub const PRIVATE_FLAGS_LENGTH: usize = 4;

/// The private flags of remote checksum offload, whose field follows them.
pub const REMOTE_CHECKSUM: [u8; 4] = [0x80, 0, 0, 0];
pub const REMOTE_LENGTH: usize = 4;

impl Gue {
    /// In front of a packet of this protocol, without options.
    #[inline(always)]
    pub fn of(protocol: u8) -> Self {
        Self {
            variant_control_length: 0,
            protocol,
            flags: [0, 0],
        }
    }

    #[inline(always)]
    pub fn bytes(self) -> [u8; 4] {
        let [a, b] = self.flags;
        [self.variant_control_length, self.protocol, a, b]
    }

    /// Variant 0 with data, not a control message.
    #[inline(always)]
    pub fn is_data(self) -> bool {
        self.variant_control_length & 0xe0 == 0
    }

    /// Length of the options behind the header in bytes: 0 to 124.
    #[inline(always)]
    pub fn options_length(self) -> usize {
        ((self.variant_control_length & 0x1f) as usize) << 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_captured_bytes() {
        let gue = Gue::read_from_bytes(&[0x01, 4, 0x40, 0]).unwrap();
        assert!(gue.is_data());
        assert_eq!((gue.options_length(), gue.protocol), (4, 4));
        assert_eq!(Gue::of(41).bytes(), [0, 41, 0, 0]);
        assert!(!Gue::read_from_bytes(&[0x20, 0, 0, 0]).unwrap().is_data());
    }
}
