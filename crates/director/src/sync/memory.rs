//! What other directors know of the entries of the connection tables: a word for each slot, in memory
//! that is taken bit by bit as it is needed.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use rlvs_engine::connection::{State, WAYS};
use rlvs_engine::table::Seat;

/// Words that are made at a time.
const CHUNK: usize = 1 << 14;

/// For both IP versions.
#[derive(Debug)]
pub(super) struct Memory([Box<[OnceLock<Chunk>]>; 2]);

type Chunk = Box<[AtomicU64]>;

/// What is known of one entry: when it ends (32 bits), its state (5), how often that was told (2), two
/// flags, and what tells the entry from others that were in its slot (23).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Known(u64);

impl Known {
    const STATE: u32 = 32;
    const RETRIES: u32 = 37;
    /// It was told, by this director or another; else it was merely noticed here.
    const TOLD: u64 = 1 << 39;
    /// Another director told it, and no packet of it has come here since.
    const LEARNED: u64 = 1 << 40;
    const TAG: u32 = 41;

    /// Noticed.
    pub(super) fn new(tag: u32, state: State, ends: u32) -> Self {
        let state = (state as u64) << Self::STATE;
        Self(u64::from(ends) | state | u64::from(tag) << Self::TAG)
    }

    #[must_use]
    pub(super) fn told(self, retries: u8) -> Self {
        Self(self.0 | Self::TOLD | u64::from(retries.min(3)) << Self::RETRIES)
    }

    #[must_use]
    pub(super) fn learned(self) -> Self {
        Self(self.told(0).0 | Self::LEARNED)
    }

    /// The tick at which the entry ends if no packet comes.
    pub(super) fn ends(self) -> u32 {
        self.0 as u32
    }

    pub(super) fn state(self) -> State {
        State::from_bits((self.0 >> Self::STATE) as u8)
    }

    pub(super) fn retries(self) -> u8 {
        (self.0 >> Self::RETRIES) as u8 & 3
    }

    pub(super) fn is_told(self) -> bool {
        self.0 & Self::TOLD != 0
    }

    pub(super) fn is_learned(self) -> bool {
        self.0 & Self::LEARNED != 0
    }

    /// Whether it is about an entry of this tag.
    pub(super) fn is_of(self, tag: u32) -> bool {
        self.0 != 0 && self.0 >> Self::TAG == u64::from(tag) & (u64::MAX >> Self::TAG)
    }
}

impl Memory {
    /// For tables of so many buckets.
    pub(super) fn new(buckets: [u32; 2]) -> Self {
        let chunks = |buckets: u32| (buckets as usize * WAYS).div_ceil(CHUNK);
        Self(buckets.map(|buckets| (0..chunks(buckets)).map(|_| OnceLock::new()).collect()))
    }

    pub(super) fn load(&self, family: usize, seat: Seat) -> Known {
        let (chunk, word) = place(seat);
        let words = self.0[family].get(chunk).and_then(OnceLock::get);
        let word = words.map(|words| words[word].load(Ordering::Relaxed));
        Known(word.unwrap_or_default())
    }

    pub(super) fn store(&self, family: usize, seat: Seat, known: Known) {
        let (chunk, word) = place(seat);
        if let Some(words) = self.0[family].get(chunk) {
            let words = words.get_or_init(|| (0..CHUNK).map(|_| AtomicU64::new(0)).collect());
            words[word].store(known.0, Ordering::Relaxed);
        }
    }

    /// Forgets what it may: that is told anew, for there may be others to hear it.
    pub(super) fn forget(&self, may: impl Fn(Known) -> bool) {
        let chunks = self.0.iter().flatten().filter_map(OnceLock::get);
        for word in chunks.flat_map(|words| words.iter()) {
            if may(Known(word.load(Ordering::Relaxed))) {
                word.store(0, Ordering::Relaxed);
            }
        }
    }
}

fn place(Seat(seat): Seat) -> (usize, usize) {
    (seat as usize / CHUNK, seat as usize % CHUNK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_kept_apart() {
        let known = Known::new(u32::MAX, State::Closed, u32::MAX).told(3);
        assert_eq!(
            (known.state(), known.ends(), known.retries()),
            (State::Closed, u32::MAX, 3)
        );
        assert!(known.is_of(u32::MAX) && known.is_told() && !known.is_learned());
        let noticed = Known::new(7, State::Udp, 0);
        assert!(noticed.is_of(7) && !noticed.is_of(8) && !noticed.is_told());
        assert!(noticed.learned().is_told() && noticed.learned().is_learned());
        assert!(!Known::default().is_of(0));
    }

    #[test]
    fn what_may_be_forgotten_is() {
        let memory = Memory::new([4, 100_000]);
        let [first, last] = [Seat(0), Seat(100_000 * WAYS as u32 - 1)];
        let known = Known::new(1, State::Established, 5);
        memory.store(1, first, known.told(0));
        memory.store(1, last, known.learned());
        assert_eq!(memory.load(1, first), known.told(0));
        assert_eq!(memory.load(0, first), Known::default());
        memory.forget(|known| !known.is_learned());
        assert_eq!(memory.load(1, first), Known::default());
        assert_eq!(memory.load(1, last), known.learned());
        // Beyond the table nothing is kept, and nothing breaks.
        memory.store(0, Seat::NONE, known);
        assert_eq!(memory.load(0, Seat::NONE), Known::default());
    }
}
