//! Call-IDs of templates.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::vec::Vec;

use crate::call_id::{CallId, Words};

/// When there is no more room, the oldest goes.
#[derive(Debug)]
pub struct CallIds {
    /// The last that was read.
    pub read: CallId,
    kept: Mutex<VecDeque<(u64, Words)>>,
    room: usize,
}

impl CallIds {
    pub(super) fn new(room: u32) -> Self {
        Self {
            read: CallId::default(),
            kept: Mutex::default(),
            room: room as usize,
        }
    }

    pub fn keep(&self, call: u64, words: Words) {
        let mut kept = self.lock();
        kept.retain(|(other, _)| *other != call);
        if kept.len() >= self.room {
            kept.pop_front();
        }
        kept.push_back((call, words));
    }

    pub fn find(&self, call: u64) -> Option<Words> {
        let kept = self.lock();
        let found = kept.iter().find(|(other, _)| *other == call);
        found.map(|(_, words)| *words)
    }

    /// All that are there, by what stands for them.
    pub fn all(&self) -> Vec<(u64, Words)> {
        self.lock().iter().copied().collect()
    }

    pub fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(u64, Words)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
