//! Counters, one set a CPU, so that no packet waits for another's.

use rlvs_word::Shared64;

/// What went to one destination, as seen by one CPU.
///
/// Only that CPU writes it; a load and a store are enough.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Counters {
    pub connections: Shared64,
    pub packets: Shared64,
    pub bytes: Shared64,
    /// What came back from it: forwarding methods in which replies pass the director.
    pub packets_back: Shared64,
    pub bytes_back: Shared64,
}

const _: () = assert!(size_of::<Counters>() == 40);

impl Counters {
    #[inline(always)]
    pub fn packet(&self, bytes: u32) {
        bump(&self.packets, 1);
        bump(&self.bytes, bytes as u64);
    }

    #[inline(always)]
    pub fn reply(&self, bytes: u32) {
        bump(&self.packets_back, 1);
        bump(&self.bytes_back, bytes as u64);
    }

    #[inline(always)]
    pub fn connection(&self) {
        bump(&self.connections, 1);
    }
}

/// Adds to a word that no other CPU writes.
#[inline(always)]
pub fn bump(word: &Shared64, by: u64) {
    word.store(word.load().wrapping_add(by));
}
