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
        for interface in &mut settled {
            interface.running = self.counts(now, &interface.name, interface.running);
        }
        Arc::new(settled)
    }

    /// What counts of something that is up or not. What is seen for the first time counts at once.
    pub(crate) fn counts(&mut self, now: Duration, name: &str, up: bool) -> bool {
        let Some(delay) = self.delays.iter().find(|it| it.interface == name) else {
            return up;
        };
        let first = Known {
            up,
            other_from: None,
        };
        let known = self.known.entry(name.to_owned()).or_insert(first);
        if known.up == up {
            known.other_from = None;
            return up;
        }
        let time = if up { delay.up } else { delay.down };
        if now >= *known.other_from.get_or_insert(now + time) {
            *known = first;
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
