//! What a daemon has done, told while it does it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use rlvs_control::sync::Dropped;

#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) messages: Count,
    pub(super) records: Count,
    pub(super) waiting: Count,
    /// By reason: names of a fixed list.
    dropped: Mutex<BTreeMap<&'static str, u64>>,
}

#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counts {
    pub(super) fn drop_for(&self, reason: &'static str, count: u64) {
        let mut dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        *dropped.entry(reason).or_default() += count;
    }

    pub(super) fn dropped(&self) -> Vec<Dropped> {
        let dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        let all = dropped.iter().map(|(&reason, &count)| Dropped {
            reason: reason.to_owned(),
            count,
        });
        all.collect()
    }
}
