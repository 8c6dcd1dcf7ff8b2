//! What a daemon has done, told while it does it.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rlvs_control::sync::Dropped;

use super::herald::Herald;

#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) messages: Count,
    pub(super) records: Count,
    pub(super) waiting: Count,
    /// By reason: names of a fixed list.
    dropped: Mutex<BTreeMap<&'static str, u64>>,
    /// Who tells of it, and of whom.
    herald: Option<(Arc<Herald>, String)>,
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
    /// What is dropped is told as that of `sync`.
    pub(super) fn told_by(herald: &Arc<Herald>, sync: impl Display) -> Self {
        Self {
            herald: Some((Arc::clone(herald), sync.to_string())),
            ..Self::default()
        }
    }

    pub(super) fn drop_for(&self, reason: &'static str, count: u64) {
        let mut dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        *dropped.entry(reason).or_default() += count;
        drop(dropped);
        if let Some((herald, sync)) = &self.herald {
            herald.leave_out(sync, reason, count);
        }
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
