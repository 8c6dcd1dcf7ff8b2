//! What is known of sockets, in plain memory: for tests.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::{Ends, Way, Ways};

/// Sockets, and whose packets are whose.
#[derive(Debug, Default)]
pub struct Sockets {
    pub ways: HashMap<u64, Way>,
    owners: Mutex<HashMap<Ends, u64>>,
}

impl Ways for Sockets {
    fn way(&self, cookie: u64) -> Option<&Way> {
        self.ways.get(&cookie)
    }

    fn owner(&self, ends: &Ends) -> Option<u64> {
        let owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        owners.get(ends).copied()
    }

    fn own(&self, ends: &Ends, cookie: u64) -> Option<()> {
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        owners.insert(*ends, cookie);
        Some(())
    }
}
