//! How large a packet may be on the way to a real server: what the daemon knows of the route, and
//! what routers further on told.
//!
//! As the kernel's exceptions to routes: what was told holds for ten minutes (`mtu_expires`), and
//! nobody can tell less than a link must take (`min_pmtu`; RFC 8200, section 5).

use crate::destination::Destination;
use crate::settings::{elapsed, ticks};

/// What was told is forgotten after this time.
const EXPIRES: u32 = ticks(600);

/// Nothing below this is believed.
const LEAST4: u32 = 552;
const LEAST6: u32 = 1280;

impl Destination {
    /// A router told that packets may be no larger than this; how large they may be then.
    #[inline(always)]
    pub fn told_mtu(&self, told: u32, now: u32) -> u32 {
        let least = match self.is(Self::IPV6) {
            true => LEAST6,
            false => LEAST4,
        };
        let told = if told < least { least } else { told };
        let known = self.mtu.load();
        if known != 0 && known < told {
            return known;
        }
        self.mtu.store(told);
        // Never 0, which is: not told.
        self.mtu_told.store(now | 1);
        told
    }

    /// The route to the real server lets packets of this size through.
    pub fn known_mtu(&self, mtu: u32, now: u32) {
        let told = self.mtu_told.load();
        let holds = told != 0 && elapsed(now, told) < EXPIRES && self.mtu.load() < mtu;
        if !holds {
            self.forget_told_mtu();
            self.mtu.store(mtu);
        }
    }

    /// The way is another: what was told of the former no longer holds.
    pub fn forget_told_mtu(&self) {
        self.mtu_told.store(0);
    }

    /// Whether the daemon has to say again what the route lets through.
    pub fn is_told_mtu_over(&self, now: u32) -> bool {
        let told = self.mtu_told.load();
        told != 0 && elapsed(now, told) >= EXPIRES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_holds_for_a_while() {
        let destination = Destination::default();
        destination.known_mtu(1500, 100);
        assert_eq!(destination.told_mtu(1400, 200), 1400);
        assert_eq!(
            destination.told_mtu(1450, 200),
            1400,
            "less was told before"
        );
        destination.known_mtu(1500, 300);
        assert_eq!(destination.mtu.load(), 1400);
        assert!(!destination.is_told_mtu_over(200));
        let later = 202 + EXPIRES;
        assert!(destination.is_told_mtu_over(later));
        destination.known_mtu(1500, later);
        assert_eq!(destination.mtu.load(), 1500);
        assert!(!destination.is_told_mtu_over(later));
    }

    #[test]
    fn a_smaller_link_counts_at_once() {
        let destination = Destination::default();
        destination.known_mtu(1500, 1);
        destination.told_mtu(1400, 1);
        destination.known_mtu(1300, 2);
        assert_eq!(destination.mtu.load(), 1300);
    }

    #[test]
    fn nobody_makes_packets_tiny() {
        let destination = Destination::default();
        destination.known_mtu(1500, 1);
        assert_eq!(destination.told_mtu(0, 1), LEAST4);
        destination.flags.store(Destination::IPV6);
        destination.known_mtu(1500, 1 + EXPIRES);
        assert_eq!(destination.told_mtu(68, 1 + EXPIRES), LEAST6);
    }

    #[test]
    fn another_way_is_learnt_anew() {
        let destination = Destination::default();
        destination.known_mtu(1500, 1);
        destination.told_mtu(1400, 1);
        destination.forget_told_mtu();
        destination.known_mtu(1500, 2);
        assert_eq!(destination.mtu.load(), 1500);
    }
}
