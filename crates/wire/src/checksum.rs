//! The Internet checksum (RFC 1071) and its incremental update (RFC 1624, equation 3).
//!
//! The sum is the same in any byte order as long as all words are taken in the same one, so
//! nothing is swapped: words are read as the machine reads them and the result is stored the
//! same way.

/// A running one's complement sum, not folded and not inverted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Checksum(u64);

impl Checksum {
    /// The sum that a stored checksum stands for.
    #[inline(always)]
    pub fn stored(field: [u8; 2]) -> Self {
        Self((!u16::from_ne_bytes(field)) as u64)
    }

    /// Adds a word of two bytes.
    #[inline(always)]
    pub fn plus(self, word: [u8; 2]) -> Self {
        Self(self.0 + u16::from_ne_bytes(word) as u64)
    }

    /// Adds two words at once.
    #[inline(always)]
    pub fn plus4(self, words: [u8; 4]) -> Self {
        Self(self.0 + u32::from_ne_bytes(words) as u64)
    }

    /// Accounts for the word `old` having become `new`.
    #[inline(always)]
    pub fn replace(self, old: [u8; 2], new: [u8; 2]) -> Self {
        let removed = (!u16::from_ne_bytes(old)) as u64;
        Self(self.0 + removed + u16::from_ne_bytes(new) as u64)
    }

    /// The bytes to store in the checksum field.
    #[inline(always)]
    pub fn to_field(self) -> [u8; 2] {
        (!self.fold()).to_ne_bytes()
    }

    /// Whether a sum over data that includes its checksum proves it right.
    #[inline(always)]
    pub fn verifies(self) -> bool {
        self.fold() == 0xffff
    }

    #[inline(always)]
    fn fold(self) -> u16 {
        let sum = (self.0 >> 32) + (self.0 & 0xffff_ffff);
        let sum = (sum >> 16) + (sum & 0xffff);
        let sum = (sum >> 16) + (sum & 0xffff);
        let sum = (sum >> 16) + (sum & 0xffff);
        sum as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 1071, section 3.
    #[test]
    fn example_of_the_rfc() {
        let sum = [[0x00, 0x01], [0xf2, 0x03], [0xf4, 0xf5], [0xf6, 0xf7]]
            .into_iter()
            .fold(Checksum::default(), Checksum::plus);
        assert_eq!(sum.to_field(), [!0xdd, !0xf2]);
    }

    #[test]
    fn replace_is_as_good_as_summing_again() {
        for old in [0u16, 1, 0x1234, 0xfffe, 0xffff] {
            for new in [0u16, 1, 0x4321, 0xfffe, 0xffff] {
                let before = Checksum::default().plus([0x45, 0]).plus(old.to_be_bytes());
                let after = Checksum::default().plus([0x45, 0]).plus(new.to_be_bytes());
                let updated = Checksum::stored(before.to_field())
                    .replace(old.to_be_bytes(), new.to_be_bytes());
                assert_eq!(updated.to_field(), after.to_field(), "{old:#x} to {new:#x}");
            }
        }
    }

    #[test]
    fn verifies_only_what_is_whole() {
        let sum = Checksum::default()
            .plus4([1, 2, 3, 4])
            .plus4([0xff, 0xff, 0xff, 0xff]);
        let [a, b] = sum.to_field();
        assert!(sum.plus([a, b]).verifies());
        assert!(!sum.plus([a, b ^ 1]).verifies());
    }
}
