//! Rates per second, as IPVS estimates them (net/netfilter/ipvs/ip_vs_est.c): every two seconds
//! the estimate goes a quarter of the way to what the last two seconds had.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use crate::installed::Totals;

/// Between two estimates.
pub const PERIOD: Duration = Duration::from_secs(2);

/// Rates of many things, by what they belong to.
#[derive(Debug)]
pub struct Estimator<K> {
    estimates: HashMap<K, Estimate>,
    round: u64,
}

/// Present rates per second.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Rates {
    pub connections: u64,
    pub packets: u64,
    pub bytes: u64,
    pub packets_back: u64,
    pub bytes_back: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Estimate {
    last: Totals,
    connections: i64,
    packets: i64,
    bytes: i64,
    packets_back: i64,
    bytes_back: i64,
    round: u64,
}

impl<K> Default for Estimator<K> {
    fn default() -> Self {
        Self {
            estimates: HashMap::new(),
            round: 0,
        }
    }
}

impl<K: Eq + Hash> Estimator<K> {
    pub fn knows(&self, key: &K) -> bool {
        self.estimates.contains_key(key)
    }

    /// From now on there are rates of this; what it has counted so far is not in them.
    pub fn begin(&mut self, key: K, totals: Totals) {
        let estimate = Estimate {
            last: totals,
            round: self.round,
            ..Estimate::default()
        };
        self.estimates.insert(key, estimate);
    }

    /// Takes the present totals of everything that has begun; what is not among them is forgotten.
    pub fn tick(&mut self, totals: impl IntoIterator<Item = (K, Totals)>) {
        self.round += 1;
        for (key, totals) in totals {
            if let Some(estimate) = self.estimates.get_mut(&key) {
                estimate.advance(totals);
                estimate.round = self.round;
            }
        }
        self.estimates
            .retain(|_, estimate| estimate.round == self.round);
    }

    pub fn rates(&self, key: &K) -> Rates {
        self.estimates
            .get(key)
            .map_or(Rates::default(), Estimate::rates)
    }

    /// Starts again from nothing (`-Z`).
    pub fn reset(&mut self, key: &K) {
        if let Some(estimate) = self.estimates.get_mut(key) {
            *estimate = Estimate {
                round: estimate.round,
                ..Estimate::default()
            };
        }
    }
}

impl Estimate {
    fn advance(&mut self, now: Totals) {
        let last = std::mem::replace(&mut self.last, now);
        approach(&mut self.connections, now.connections, last.connections, 9);
        approach(&mut self.packets, now.packets, last.packets, 9);
        approach(&mut self.bytes, now.bytes, last.bytes, 4);
        approach(
            &mut self.packets_back,
            now.packets_back,
            last.packets_back,
            9,
        );
        approach(&mut self.bytes_back, now.bytes_back, last.bytes_back, 4);
    }

    fn rates(&self) -> Rates {
        Rates {
            connections: rounded(self.connections, 10),
            packets: rounded(self.packets, 10),
            bytes: rounded(self.bytes, 5),
            packets_back: rounded(self.packets_back, 10),
            bytes_back: rounded(self.bytes_back, 5),
        }
    }
}

/// Estimates are fixed-point numbers of half the rate: `shift` bits behind the point.
fn approach(estimate: &mut i64, now: u64, last: u64, shift: u32) {
    // Totals go back only when counters were reset.
    let delta = i64::try_from(now.saturating_sub(last)).unwrap_or(0);
    *estimate += (delta.saturating_mul(1 << shift) - *estimate) >> 2;
}

fn rounded(estimate: i64, shift: u32) -> u64 {
    let half = (1 << (shift - 1)) - 1;
    u64::try_from((estimate + half) >> shift).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As recorded from the kernel: 1000 connections and 1,500,000 bytes every two seconds.
    #[test]
    fn a_steady_rate_is_approached_as_in_ipvs() {
        let mut estimator = Estimator::default();
        let mut totals = Totals::default();
        estimator.begin((), totals);
        let mut seen = Vec::new();
        for _ in 0..12 {
            totals.connections += 1000;
            totals.bytes += 1_500_000;
            totals.packets_back += 1000;
            totals.bytes_back += 1_500_000;
            estimator.tick([((), totals)]);
            seen.push(estimator.rates(&()));
        }
        let connections: Vec<_> = seen.iter().map(|rates| rates.connections).collect();
        assert_eq!(
            connections,
            [125, 219, 289, 342, 381, 411, 433, 450, 462, 472, 479, 484]
        );
        let bytes: Vec<_> = seen.iter().take(3).map(|rates| rates.bytes).collect();
        assert_eq!(bytes, [187_500, 328_125, 433_594]);
        for rates in seen {
            assert_eq!(
                (rates.packets_back, rates.bytes_back),
                (rates.connections, rates.bytes)
            );
        }
    }

    #[test]
    fn what_is_gone_is_forgotten_and_resets_do_not_frighten() {
        let mut estimator = Estimator::default();
        estimator.begin("a", packets(100));
        estimator.tick([("a", packets(0))]);
        assert_eq!(estimator.rates(&"a"), Rates::default());
        estimator.tick([]);
        assert!(estimator.estimates.is_empty());
    }

    #[test]
    fn the_first_estimate_has_what_came_since_the_beginning() {
        let mut estimator = Estimator::default();
        estimator.begin("a", packets(100));
        estimator.tick([("a", packets(180))]);
        assert_eq!(estimator.rates(&"a").packets, 80 / 8);
    }

    fn packets(packets: u64) -> Totals {
        Totals {
            packets,
            ..Totals::default()
        }
    }
}
