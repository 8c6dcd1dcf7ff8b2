//! So many a second, and not more.

use std::time::Duration;

use tokio::time::Instant;

/// A bucket that fills at a steady rate and holds what a tenth of a second brings.
#[derive(Debug)]
pub(crate) struct Allowance {
    interval: Duration,
    /// When the bucket was, or will have been, empty.
    empty: Instant,
}

/// How much time's worth the bucket holds.
const DEPTH: Duration = Duration::from_millis(100);

impl Allowance {
    pub(crate) fn per_second(rate: u32, now: Instant) -> Self {
        Self {
            interval: Duration::from_secs(1) / rate,
            empty: now,
        }
    }

    /// Takes one, if there is one.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        self.empty = self
            .empty
            .max(now - DEPTH.min(now.duration_since(self.empty)));
        let allowed = self.empty + self.interval <= now;
        if allowed {
            self.empty += self.interval;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_holds_over_time_and_after_a_rest() {
        let start = Instant::now();
        let mut allowance = Allowance::per_second(300, start);
        let mut taken = 0;
        for milliseconds in 1..=2000 {
            let now = start + Duration::from_millis(milliseconds);
            taken += (0..50).filter(|_| allowance.take(now)).count();
        }
        assert_eq!(taken, 600);
        let later = start + Duration::from_secs(60);
        assert_eq!((0..500).filter(|_| allowance.take(later)).count(), 30);
    }
}
