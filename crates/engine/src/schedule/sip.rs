//! SipHash-1-3 (Aumasson and Bernstein) of one 32-bit word, cut to 32 bits: what the kernel's
//! `hsiphash_1u32` is on 64-bit machines, and so what ip_vs_mh.c hashes with.

/// The two halves of a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key(pub(super) u64, pub(super) u64);

#[inline(always)]
pub(super) fn hash(word: u32, Key(k0, k1): Key) -> u32 {
    let mut v = [
        k0 ^ 0x736f_6d65_7073_6575,
        k1 ^ 0x646f_7261_6e64_6f6d,
        k0 ^ 0x6c79_6765_6e65_7261,
        k1 ^ 0x7465_6462_7974_6573,
    ];
    // The last block: the bytes that are left, here all, and how many there were in the highest.
    let block = (size_of::<u32>() as u64) << 56 | word as u64;
    v[3] ^= block;
    v = round(v);
    v[0] ^= block;
    v[2] ^= 0xff;
    v = round(round(round(v)));
    (v[0] ^ v[1] ^ v[2] ^ v[3]) as u32
}

#[inline(always)]
fn round([mut a, mut b, mut c, mut d]: [u64; 4]) -> [u64; 4] {
    a = a.wrapping_add(b);
    b = b.rotate_left(13) ^ a;
    a = a.rotate_left(32);
    c = c.wrapping_add(d);
    d = d.rotate_left(16) ^ c;
    a = a.wrapping_add(d);
    d = d.rotate_left(21) ^ a;
    c = c.wrapping_add(b);
    b = b.rotate_left(17) ^ c;
    c = c.rotate_left(32);
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Std's is SipHash-1-3, and its keys are 0.
    #[test]
    fn is_that_of_the_standard_library() {
        use core::hash::Hasher;
        for word in [0u32, 1, 0x0a00_0001, u32::MAX] {
            let mut hasher = std::hash::DefaultHasher::new();
            hasher.write(&word.to_le_bytes());
            assert_eq!(hash(word, Key(0, 0)), hasher.finish() as u32);
        }
    }
}
