//! Interfaces that go up and down count as what they were until they have been otherwise for so long
//! (`interface_up_down_delays`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rlvs_host::address::Interface;

use crate::plan::Delay;

/// What is known of each interface, or of anything else by that name.
#[derive(Debug, Default)]
pub(crate) struct Bounces {
    delays: Vec<Delay>,
    known: BTreeMap<String, Known>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    up: bool,
    /// It is otherwise, which counts from then on.
    other_from: Option<Duration>,
    /// It is no interface.
    is_lasting: bool,
}

impl Bounces {
    pub(crate) fn follow(&mut self, delays: Vec<Delay>) {
        let has = |name: &String| delays.iter().any(|it| it.interface == *name);
        self.known.retain(|name, _| has(name));
        self.delays = delays;
    }

    /// Interfaces as they count.
    pub(crate) fn settle(
        &mut self,
        now: Duration,
        interfaces: &Arc<Vec<Interface>>,
    ) -> Arc<Vec<Interface>> {
        if self.delays.is_empty() {
            return Arc::clone(interfaces);
        }
        let mut settled = Vec::clone(interfaces);
        let is_there = |name: &String| interfaces.iter().any(|it| it.name == *name);
        self.known
            .retain(|name, known| known.is_lasting || is_there(name));
        for interface in &mut settled {
            interface.running = self.counts(now, &interface.name, interface.running);
        }
        Arc::new(settled)
    }

    /// What counts of an interface. One that is seen for the first time counts at once.
    fn counts(&mut self, now: Duration, name: &str, up: bool) -> bool {
        let first = Known {
            up,
            other_from: None,
            is_lasting: false,
        };
        self.count(now, name, up, first)
    }

    /// What counts of something that is put back where it is not: at first it may be on its way.
    pub(crate) fn lasts(&mut self, now: Duration, name: &str, up: bool) -> bool {
        let first = Known {
            up: true,
            other_from: None,
            is_lasting: true,
        };
        self.count(now, name, up, first)
    }

    /// Nothing is known of it any more.
    pub(crate) fn forget(&mut self, name: &str) {
        self.known.remove(name);
    }

    fn count(&mut self, now: Duration, name: &str, up: bool, first: Known) -> bool {
        let Some(delay) = self.delays.iter().find(|it| it.interface == name) else {
            return up;
        };
        let known = self.known.entry(name.to_owned()).or_insert(first);
        if known.up == up {
            known.other_from = None;
            return up;
        }
        let time = if up { delay.up } else { delay.down };
        if now >= *known.other_from.get_or_insert(now + time) {
            (known.up, known.other_from) = (up, None);
        }
        known.up
    }

    /// When something is to be looked at again.
    pub(crate) fn due(&self) -> Option<Duration> {
        self.known.values().filter_map(|it| it.other_from).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_bounces_stays_what_it_was() {
        let mut bounces = Bounces::default();
        let second = Duration::from_secs(1);
        bounces.follow(vec![Delay {
            interface: "eth0".into(),
            down: second * 2,
            up: second,
        }]);
        let rows = [
            (0, true, true),
            (1, false, true),
            (2, true, true),
            (3, false, true),
            (4, false, true),
            (5, false, false),
            (6, true, false),
            (7, true, true),
        ];
        for (now, is, counts) in rows {
            assert_eq!(bounces.counts(second * now, "eth0", is), counts, "{now}");
            assert!(!bounces.counts(second * now, "eth1", false));
        }
        assert_eq!(bounces.due(), None);
        bounces.counts(second * 8, "eth0", false);
        assert_eq!(bounces.due(), Some(second * 10));
        bounces.follow(Vec::new());
        assert_eq!(bounces.due(), None);
    }

    #[test]
    fn an_interface_that_goes_is_waited_for_no_longer() {
        let second = Duration::from_secs(1);
        let mut bounces = Bounces::default();
        bounces.follow(vec![Delay {
            interface: "eth0".into(),
            down: second * 30,
            up: second,
        }]);
        let interface = |running| {
            let one = Interface {
                name: "eth0".into(),
                running,
                ..Interface::default()
            };
            Arc::new(vec![one])
        };
        assert!(bounces.settle(second, &interface(true))[0].running);
        assert!(bounces.settle(second * 2, &interface(false))[0].running);
        assert_eq!(bounces.due(), Some(second * 32));
        bounces.settle(second * 3, &Arc::default());
        assert_eq!(bounces.due(), None);
    }

    #[test]
    fn what_is_put_back_has_its_time_at_first_too() {
        let second = Duration::from_secs(1);
        let mut bounces = Bounces::default();
        bounces.follow(vec![Delay {
            interface: "/one".into(),
            down: second * 5,
            up: Duration::ZERO,
        }]);
        assert!(bounces.lasts(second, "/one", false));
        bounces.settle(second, &Arc::default());
        assert!(!bounces.lasts(second * 6, "/one", false));
        assert!(bounces.lasts(second * 7, "/one", true));
        assert!(bounces.lasts(second * 8, "/one", false));
        bounces.forget("/one");
        assert_eq!(bounces.due(), None);
    }

    #[test]
    fn what_has_no_time_counts_at_once() {
        let mut bounces = Bounces::default();
        bounces.follow(vec![Delay {
            interface: "eth0".into(),
            ..Delay::default()
        }]);
        let now = Duration::ZERO;
        assert!(bounces.counts(now, "eth0", true));
        assert!(!bounces.counts(now, "eth0", false));
    }
}
