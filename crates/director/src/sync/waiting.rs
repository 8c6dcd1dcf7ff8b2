//! What was told of connections whose destination is not known here: it may come yet, as a backup's
//! configuration or its checks come later than the master's.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rlvs_sync::Engine;
use rlvs_sync::receiver::Entry;

/// How many there may be: some 20 MB.
const MOST: usize = 1 << 16;

#[derive(Debug, Default)]
pub(super) struct Waiting(HashMap<Ends, Told>);

/// What tells them apart: protocol, client, virtual address; of templates by Call-ID, whose client may be
/// any, that as well.
type Ends = (u8, SocketAddr, SocketAddr, Option<Engine>);

#[derive(Debug)]
struct Told {
    entry: Entry,
    /// Ticks since its last packet, when it was told.
    idle: u32,
    at: Instant,
    lasts: Duration,
}

impl Waiting {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Keeps it for as long as it lasts; the later news counts. False if there is no room.
    pub(super) fn keep(&mut self, entry: Entry, idle: u32, lasts: Duration, now: Instant) -> bool {
        let record = entry.record();
        let ends = (
            record.protocol,
            record.client(),
            record.virtual_address(),
            record.engine.clone(),
        );
        if self.0.len() >= MOST && !self.0.contains_key(&ends) {
            return false;
        }
        let told = Told {
            entry,
            idle,
            at: now,
            lasts,
        };
        self.0.insert(ends, told);
        true
    }

    /// Takes all out that are not over: each with how long it was idle before, and since.
    pub(super) fn take(&mut self, now: Instant) -> Vec<(Entry, u32, Duration)> {
        let all = self.0.drain().map(|(_, told)| told);
        all.filter(|told| now.duration_since(told.at) < told.lasts)
            .map(|told| (told.entry, told.idle, now.duration_since(told.at)))
            .collect()
    }

    /// Lets go of what is over.
    pub(super) fn age(&mut self, now: Instant) {
        self.0
            .retain(|_, told| now.duration_since(told.at) < told.lasts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::tests::{entry, tcp};

    #[test]
    fn what_is_over_is_let_go() {
        let (mut waiting, now) = (Waiting::default(), Instant::now());
        let second = Duration::from_secs(1);
        assert!(waiting.keep(entry(tcp(1)), 5, 3 * second, now));
        assert!(waiting.keep(entry(tcp(2)), 0, second, now));
        waiting.age(now + second);
        assert_eq!(waiting.len(), 1);
        let taken = waiting.take(now + 2 * second);
        assert_eq!(taken, [(entry(tcp(1)), 5, 2 * second)]);
        assert_eq!(waiting.len(), 0);
    }

    #[test]
    fn memory_is_bounded() {
        let (mut waiting, now) = (Waiting::default(), Instant::now());
        let mut keep = |number: u32| {
            let mut record = tcp(number as u16);
            record.ports.virtual_port = (number >> 16) as u16;
            waiting.keep(entry(record), 0, Duration::from_secs(9), now)
        };
        assert!((0..MOST as u32).all(&mut keep));
        assert!(!keep(MOST as u32), "one too many");
        assert!(keep(0), "news of one that waits");
        assert_eq!(waiting.len(), MOST);
    }
}
