//! Which routes may have changed, gathered until they are looked up again.
//!
//! A routing daemon may change thousands of routes a second. Each names its range, so only
//! addresses in it are looked up; with many ranges at once everything is, but only twice a
//! second.

use std::time::Duration;

use tokio::time::Instant;

use crate::route::Prefix;

/// With more ranges than this, all is stale.
const PREFIXES: usize = 32;
/// The least time between two look-ups of everything.
const PAUSE: Duration = Duration::from_millis(500);

/// The routes to look up again.
#[derive(Debug, Default)]
pub(crate) struct Stale {
    prefixes: Vec<Prefix>,
    all: bool,
    last: Option<Instant>,
}

/// What [`Stale::take`] says is stale.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Extent {
    All,
    Prefixes(Vec<Prefix>),
}

impl Stale {
    pub(crate) fn add(&mut self, prefix: Prefix) {
        if !self.all && !self.prefixes.contains(&prefix) {
            self.prefixes.push(prefix);
        }
        if self.prefixes.len() > PREFIXES {
            self.add_all();
        }
    }

    pub(crate) fn add_all(&mut self) {
        self.all = true;
        self.prefixes.clear();
    }

    /// When there will be something to take; none while nothing is stale.
    pub(crate) fn due(&self, now: Instant) -> Option<Instant> {
        if self.all {
            Some(self.last.map_or(now, |last| last + PAUSE))
        } else {
            (!self.prefixes.is_empty()).then_some(now)
        }
    }

    pub(crate) fn take(&mut self, now: Instant) -> Option<Extent> {
        if self.due(now).is_none_or(|due| due > now) {
            return None;
        }
        if std::mem::take(&mut self.all) {
            self.last = Some(now);
            return Some(Extent::All);
        }
        Some(Extent::Prefixes(std::mem::take(&mut self.prefixes)))
    }
}

#[cfg(test)]
mod tests {
    use netlink_packet_route::AddressFamily;
    use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage};

    use super::*;

    fn prefix(third: u8) -> Prefix {
        let mut route = RouteMessage::default();
        route.header.address_family = AddressFamily::Inet;
        route.header.destination_prefix_length = 24;
        let address = RouteAddress::Inet([10, 0, third, 0].into());
        route.attributes.push(RouteAttribute::Destination(address));
        Prefix::read(&route).unwrap()
    }

    #[test]
    fn a_few_ranges_are_taken_as_they_are() {
        let (mut stale, now) = (Stale::default(), Instant::now());
        assert_eq!(stale.take(now), None);
        stale.add(prefix(1));
        stale.add(prefix(1));
        assert_eq!(stale.take(now), Some(Extent::Prefixes(vec![prefix(1)])));
        assert_eq!(stale.take(now), None);
    }

    #[test]
    fn many_ranges_are_everything_twice_a_second() {
        let (mut stale, now) = (Stale::default(), Instant::now());
        (0..40).for_each(|third| stale.add(prefix(third)));
        assert_eq!(stale.take(now), Some(Extent::All));
        stale.add_all();
        assert_eq!(stale.take(now + PAUSE / 2), None);
        assert_eq!(stale.due(now), Some(now + PAUSE));
        assert_eq!(stale.take(now + PAUSE), Some(Extent::All));
    }
}
