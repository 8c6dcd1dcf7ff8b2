//! CRC32c (RFC 9260, appendix A) and what becomes of it when a word of the packet changes.
//!
//! The checksum is the remainder of the packet, read as a polynomial over GF(2), by the polynomial
//! P of Castagnoli, with a constant added. So it is linear: if two packets of one length differ in
//! one word, their checksums differ by the remainder of that difference at its place, whatever
//! else is in them. A difference n bytes before the end is its word times x^(8n) mod P: a
//! multiplication by a known number for each bit of n, and nobody looks at the rest of the packet.

/// P without its highest term, the coefficient of x^0 in the most significant bit, as everywhere
/// here.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// The polynomial 1.
const ONE: u32 = 1 << 31;

/// What each hexadecimal digit of a number becomes, from the lowest on, when the number is
/// multiplied: the product is the sum of these.
type Multiplication = [[u32; 16]; 8];

/// By x^(8n) mod P, for n = 1, 2, 4, 8 ... In tables: the verifier would follow each bit of a
/// number that is multiplied bit by bit both ways.
static BY_LENGTH: [Multiplication; u16::BITS as usize] = by_length();

/// By what the checksum of a packet changes, as a number whose least significant byte comes first
/// in the packet, if four bytes change by exclusive or with `difference`; `length` is how many
/// bytes there are from the first of them to the packet's end.
#[inline(always)]
pub fn change(difference: [u8; 4], length: u16) -> u32 {
    let mut change = u32::from_le_bytes(difference);
    for (bit, multiplication) in BY_LENGTH.iter().enumerate() {
        if length >> bit & 1 != 0 {
            change = product(change, multiplication);
        }
    }
    change
}

#[inline(always)]
fn product(number: u32, multiplication: &Multiplication) -> u32 {
    let mut sum = 0;
    for (place, digits) in multiplication.iter().enumerate() {
        sum ^= digits[(number >> (4 * place)) as usize & 15];
    }
    sum
}

const fn by_length() -> [Multiplication; u16::BITS as usize] {
    let mut all = [[[0; 16]; 8]; u16::BITS as usize];
    // x^8
    let mut factor = ONE >> 8;
    let mut bit = 0;
    while bit < all.len() {
        all[bit] = multiplication(factor);
        factor = slow_product(factor, factor);
        bit += 1;
    }
    all
}

const fn multiplication(factor: u32) -> Multiplication {
    let mut table = [[0; 16]; 8];
    let mut n = 0;
    while n < 16 * 8 {
        let (place, digit) = (n >> 4, n & 15);
        table[place][digit] = slow_product((digit as u32) << (4 * place), factor);
        n += 1;
    }
    table
}

/// The product of two polynomials mod P, bit by bit.
const fn slow_product(a: u32, b: u32) -> u32 {
    let (mut sum, mut shifted) = (0, b);
    let mut place = 0;
    while place < u32::BITS {
        if a << place & ONE != 0 {
            sum ^= shifted;
        }
        let carried = shifted & 1;
        shifted = (shifted >> 1) ^ (POLYNOMIAL * carried);
        place += 1;
    }
    sum
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const CRC: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI);

    #[test]
    fn one_is_neutral_and_x_shifts() {
        assert_eq!(slow_product(0xdead_beef, ONE), 0xdead_beef);
        assert_eq!(slow_product(ONE, 0xdead_beef), 0xdead_beef);
        assert_eq!(slow_product(ONE >> 1, ONE >> 2), ONE >> 3);
        let by_x = multiplication(ONE >> 1);
        assert_eq!(
            product(0xdead_beef, &by_x),
            slow_product(0xdead_beef, ONE >> 1)
        );
        assert_eq!(change([0; 4], 1500), 0);
    }

    #[test]
    fn the_longest_packet_is_none_too_long() {
        let mut packet = [0x5a; u16::MAX as usize];
        let before = CRC.checksum(&packet);
        packet[..4].copy_from_slice(&[1, 2, 3, 4]);
        let difference = [1 ^ 0x5a, 2 ^ 0x5a, 3 ^ 0x5a, 4 ^ 0x5a];
        assert_eq!(before ^ change(difference, u16::MAX), CRC.checksum(&packet));
    }

    proptest! {
        #[test]
        fn is_what_computing_it_anew_gives(
            mut packet in vec(any::<u8>(), 4..3000),
            place in any::<prop::sample::Index>(),
            new in any::<[u8; 4]>(),
        ) {
            let before = CRC.checksum(&packet);
            let at = place.index(packet.len() - 3);
            let length = (packet.len() - at) as u16;
            let word = &mut packet[at..at + 4];
            let difference = core::array::from_fn(|i| word[i] ^ new[i]);
            word.copy_from_slice(&new);
            prop_assert_eq!(before ^ change(difference, length), CRC.checksum(&packet));
        }
    }
}
