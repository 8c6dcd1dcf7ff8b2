//! Call-IDs as they were written, for other directors: packets are decided by what stands for them.

use rlvs_word::Shared64;

use crate::service::store_octets;

/// One Call-ID, eight bytes to a word, the first in the lowest bits; and who sent it first.
#[derive(Debug, Default)]
#[repr(C)]
pub struct CallId {
    length: Shared64,
    text: [Shared64; TEXT],
    /// In 16 bytes, as its service's mask leaves it: IPVS compares that.
    client: [Shared64; 2],
}

const TEXT: usize = 32;

impl CallId {
    /// Bytes. What is longer is no Call-ID to IPVS either (`IP_VS_PEDATA_MAXLEN`).
    pub const LONGEST: u32 = 255;
    /// As many as the record has.
    pub const WORDS: usize = 1 + TEXT + 2;

    /// Adds the byte at a place to the word it belongs to, of which `word` has what is before it; the
    /// word as it is then.
    #[inline(always)]
    pub(crate) fn add(&self, place: u32, word: u64, byte: u8) -> u64 {
        let in_word = place % 8;
        let word = match in_word {
            0 => byte as u64,
            _ => word | (byte as u64) << (8 * in_word),
        };
        self.text[(place / 8) as usize & (TEXT - 1)].store(word);
        word
    }

    /// Says whose it is.
    #[inline(always)]
    pub(crate) fn set_client(&self, octets: [u8; 16]) {
        store_octets(&self.client, octets);
    }

    /// All its bytes are there.
    #[inline(always)]
    pub(crate) fn finish(&self, length: u32) {
        self.length.store(length.into());
    }
}

/// So many Call-IDs are kept, for a connection table of this size: those that were read last.
pub const fn call_ids_for(connections: u32) -> u32 {
    match connections / 16 {
        ..1024 => 1024,
        calls @ 1024..16_384 => calls,
        _ => 16_384,
    }
}

#[cfg(not(target_arch = "bpf"))]
mod copied {
    use std::vec::Vec;

    use super::{CallId, Shared64, TEXT};

    /// A record as a system call copies it.
    pub type Words = [u64; CallId::WORDS];

    impl CallId {
        pub fn load(&self) -> Words {
            let mut words = [0; Self::WORDS];
            let all = [&self.length]
                .into_iter()
                .chain(&self.text)
                .chain(&self.client);
            for (to, from) in words.iter_mut().zip(all) {
                *to = Shared64::load(from);
            }
            words
        }
    }

    /// The record of a client's Call-ID, of which no more counts than it has room for.
    pub fn to_words(text: &[u8], client: [u8; 16]) -> Words {
        let text = &text[..text.len().min(CallId::LONGEST as usize)];
        let mut words = [0; CallId::WORDS];
        words[0] = text.len() as u64;
        for (to, bytes) in words[1..=TEXT].iter_mut().zip(text.chunks(8)) {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            *to = u64::from_le_bytes(word);
        }
        let (halves, _) = client.as_chunks::<8>();
        for (to, bytes) in words[1 + TEXT..].iter_mut().zip(halves) {
            *to = u64::from_ne_bytes(*bytes);
        }
        words
    }

    /// What a record says: a Call-ID, and its client.
    pub fn from_words(words: &Words) -> (Vec<u8>, [u8; 16]) {
        let length = words[0].min(CallId::LONGEST.into()) as usize;
        let bytes = words[1..=TEXT].iter().flat_map(|word| word.to_le_bytes());
        let mut client = [0; 16];
        let halves = client.as_chunks_mut::<8>().0;
        for (to, word) in halves.iter_mut().zip(&words[1 + TEXT..]) {
            *to = word.to_ne_bytes();
        }
        (bytes.take(length).collect(), client)
    }
}

#[cfg(not(target_arch = "bpf"))]
pub use copied::{Words, from_words, to_words};

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    #[test]
    fn what_is_added_is_there() {
        let all: Vec<u8> = (1..=CallId::LONGEST as u8).collect();
        let (id, mut word) = (CallId::default(), 0);
        // One is read where another was.
        for length in [CallId::LONGEST as usize, 0, 1, 7, 8, 9, 200] {
            let text = &all[all.len() - length..];
            for (place, byte) in text.iter().enumerate() {
                word = id.add(place as u32, word, *byte);
            }
            id.finish(length as u32);
            let client = [length as u8; 16];
            id.set_client(client);
            let expected = (text.to_vec(), client);
            assert_eq!(from_words(&id.load()), expected);
            assert_eq!(from_words(&to_words(text, client)), expected);
        }
    }

    #[test]
    fn there_is_room_for_a_part_of_the_connections() {
        assert_eq!(
            [0, 16_384, 100_000, 1_000_000, u32::MAX].map(call_ids_for),
            [1024, 1024, 6250, 16_384, 16_384]
        );
    }
}
