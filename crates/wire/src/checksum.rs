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

    /// Adds eight words at once.
    #[inline(always)]
    pub fn plus16(self, words: [u8; 16]) -> Self {
        let [a, b, c, d] = quarters(words);
        self.plus4(a).plus4(b).plus4(c).plus4(d)
    }

    /// Accounts for the word `old` having become `new`.
    #[inline(always)]
    pub fn replace(self, old: [u8; 2], new: [u8; 2]) -> Self {
        let removed = (!u16::from_ne_bytes(old)) as u64;
        Self(self.0 + removed + u16::from_ne_bytes(new) as u64)
    }

    /// Accounts for the words `old` having become `new`.
    #[inline(always)]
    pub fn replace4(self, old: [u8; 4], new: [u8; 4]) -> Self {
        let removed = (!u32::from_ne_bytes(old)) as u64;
        Self(self.0 + removed + u32::from_ne_bytes(new) as u64)
    }

    /// The same for sixteen bytes.
    #[inline(always)]
    pub fn replace16(self, old: [u8; 16], new: [u8; 16]) -> Self {
        let (old, new) = (quarters(old), quarters(new));
        self.replace4(old[0], new[0])
            .replace4(old[1], new[1])
            .replace4(old[2], new[2])
            .replace4(old[3], new[3])
    }

    /// Takes a word of two bytes out.
    #[inline(always)]
    pub fn minus(self, word: [u8; 2]) -> Self {
        self.replace(word, [0, 0])
    }

    /// Takes two words out at once.
    #[inline(always)]
    pub fn minus4(self, words: [u8; 4]) -> Self {
        self.replace4(words, [0; 4])
    }

    /// Two sums as one.
    #[inline(always)]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }

    /// Folded to the 32 bits that the kernel's helpers take.
    #[inline(always)]
    pub fn to_word(self) -> u32 {
        let sum = (self.0 >> 32) + (self.0 & 0xffff_ffff);
        let sum = (sum >> 32) + (sum & 0xffff_ffff);
        sum as u32
    }

    /// Folded to a word of two bytes.
    #[inline(always)]
    pub fn to_sum(self) -> [u8; 2] {
        self.fold().to_ne_bytes()
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

#[inline(always)]
fn quarters(bytes: [u8; 16]) -> [[u8; 4]; 4] {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = bytes;
    [[a, b, c, d], [e, f, g, h], [i, j, k, l], [m, n, o, p]]
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
    fn wide_words_are_replaced_as_narrow_ones() {
        let (old, new): ([u8; 16], [u8; 16]) = (
            core::array::from_fn(|i| (i * 37) as u8),
            core::array::from_fn(|i| (i * 91 + 200) as u8),
        );
        let start = Checksum::default().plus([0x45, 0]);
        let narrow = (0..16).step_by(2).fold(start, |sum, i| {
            sum.replace([old[i], old[i + 1]], [new[i], new[i + 1]])
        });
        let wide = start.replace16(old, new);
        assert_eq!(wide.to_field(), narrow.to_field());
        assert_eq!(
            start
                .and(Checksum::default().replace16(old, new))
                .to_field(),
            wide.to_field()
        );
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
