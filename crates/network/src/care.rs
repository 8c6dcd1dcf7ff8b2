//! What the neighbours need: to be managed, asked again, probed, or let go.
//!
//! The kernel notices by itself when a neighbour's MAC address changes silently, but takes 30 to
//! 50 seconds: it trusts an answer for 15 to 45 s and then waits 5 s more. So each watched
//! neighbour is asked every two seconds, by unicast, whether it is still there. When it is not,
//! the kernel gives up after three tries of one second, and is told to ask by broadcast at once.
//! Both have a rate that they never exceed; with very many neighbours, rounds take longer.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::allowance::Allowance;
use crate::neighbour::{Condition, Keeper, Key};
use crate::snapshot::Snapshot;

/// How often a neighbour is probed.
const ROUND: Duration = Duration::from_secs(2);
/// Probes, and renewed questions to silent neighbours, a second.
const PROBES: u32 = 300;
/// First questions a second.
const QUESTIONS: u32 = 4000;
/// The least time between two questions to one neighbour.
const PAUSE: Duration = Duration::from_secs(1);
/// When to look again at what was put off.
const DELAY: Duration = Duration::from_millis(100);

/// Something to ask of the kernel.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Action {
    /// Resolve the neighbour now and from now on.
    Manage(Key),
    /// Ask a known neighbour whether it is still there.
    Probe(Key),
    /// Hand it back to the kernel's ordinary care.
    Release(Key),
}

/// The neighbours in use, and when to do something about them.
#[derive(Debug)]
pub(crate) struct Care {
    users: HashMap<Key, HashSet<IpAddr>>,
    untended: HashSet<Key>,
    asked: HashMap<Key, Instant>,
    /// In the order of their times, as all wait equally long.
    rounds: VecDeque<(Instant, Key)>,
    in_rounds: HashSet<Key>,
    questions: Allowance,
    probes: Allowance,
}

impl Care {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            users: HashMap::new(),
            untended: HashSet::new(),
            asked: HashMap::new(),
            rounds: VecDeque::new(),
            in_rounds: HashSet::new(),
            questions: Allowance::per_second(QUESTIONS, now),
            probes: Allowance::per_second(PROBES, now),
        }
    }

    /// The way to `address` leads through `key`.
    pub(crate) fn acquire(&mut self, key: Key, address: IpAddr, now: Instant) {
        self.users.entry(key).or_default().insert(address);
        self.untended.insert(key);
        if self.in_rounds.insert(key) {
            self.rounds.push_back((now + ROUND, key));
        }
    }

    /// The way to `address` leads through `key` no more.
    pub(crate) fn drop_user(&mut self, key: Key, address: &IpAddr) {
        let Some(users) = self.users.get_mut(&key) else {
            return;
        };
        users.remove(address);
        if users.is_empty() {
            self.users.remove(&key);
            self.asked.remove(&key);
            self.untended.insert(key);
        }
    }

    /// The addresses whose way leads through `key`.
    pub(crate) fn users(&self, key: &Key) -> impl Iterator<Item = &IpAddr> {
        self.users.get(key).into_iter().flatten()
    }

    /// Something about this neighbour changed.
    pub(crate) fn look_at(&mut self, key: Key) {
        self.untended.insert(key);
    }

    /// Something about every neighbour in use may have changed.
    pub(crate) fn look_at_all(&mut self) {
        self.untended.extend(self.users.keys());
    }

    /// What is to be done now. Neighbours no longer in use are released only when it `may` be
    /// known which are in use.
    pub(crate) fn tend(&mut self, snapshot: &Snapshot, now: Instant, may: bool) -> Vec<Action> {
        let mut actions = Vec::new();
        for key in std::mem::take(&mut self.untended) {
            match self.need(snapshot, &key) {
                Some(Action::Release(_)) if !may => {}
                Some(action) if self.is_allowed(snapshot, action, now) => actions.push(action),
                Some(_) => _ = self.untended.insert(key),
                None => {}
            }
        }
        self.go_round(snapshot, now, &mut actions);
        actions
    }

    /// When there will be something to do.
    pub(crate) fn due(&self, now: Instant) -> Option<Instant> {
        let untended = (!self.untended.is_empty()).then_some(now + DELAY);
        let round = self.rounds.front().map(|(due, _)| (*due).max(now + DELAY));
        untended.into_iter().chain(round).min()
    }

    fn need(&self, snapshot: &Snapshot, key: &Key) -> Option<Action> {
        let entry = snapshot.neighbours.get(key);
        if !self.users.contains_key(key) {
            let ours = entry.is_some_and(|entry| entry.keeper == Keeper::Ours);
            return ours.then_some(Action::Release(*key));
        }
        let usable = |link: &crate::Link| link.up && link.ethernet;
        if !snapshot.links.get(&key.interface).is_some_and(usable) {
            return None;
        }
        let needed = entry.is_none_or(|entry| match (entry.keeper, entry.condition) {
            (Keeper::Other, _) => false,
            (Keeper::Kernel, _) | (_, Condition::Failed) => true,
            (_, Condition::Probing(_)) => false,
            _ => !entry.managed,
        });
        needed.then_some(Action::Manage(*key))
    }

    fn is_allowed(&mut self, snapshot: &Snapshot, action: Action, now: Instant) -> bool {
        let Action::Manage(key) = action else {
            return true;
        };
        if self
            .asked
            .get(&key)
            .is_some_and(|asked| now < *asked + PAUSE)
        {
            return false;
        }
        let entry = snapshot.neighbours.get(&key);
        let again = entry.is_some_and(|entry| entry.condition == Condition::Failed);
        let allowance = if again {
            &mut self.probes
        } else {
            &mut self.questions
        };
        let allowed = allowance.take(now);
        if allowed {
            self.asked.insert(key, now);
        }
        allowed
    }

    /// Probes whose turn it is; what the allowance does not cover waits at the front.
    fn go_round(&mut self, snapshot: &Snapshot, now: Instant, actions: &mut Vec<Action>) {
        while let Some((due, key)) = self.rounds.front().copied() {
            let probe = is_probed(snapshot, &key);
            if due > now || (probe && !self.probes.take(now)) {
                return;
            }
            self.rounds.pop_front();
            if !self.users.contains_key(&key) {
                self.in_rounds.remove(&key);
                continue;
            }
            self.rounds.push_back((now + ROUND, key));
            if probe {
                actions.push(Action::Probe(key));
            }
        }
    }
}

/// Only entries of ours are probed, and only those with an address to ask.
fn is_probed(snapshot: &Snapshot, key: &Key) -> bool {
    snapshot.neighbours.get(key).is_some_and(|entry| {
        entry.keeper == Keeper::Ours && matches!(entry.condition, Condition::Known(_))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Link;
    use crate::neighbour::Neighbour;

    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 9];

    fn key(last: u16) -> Key {
        let [high, low] = last.to_be_bytes();
        Key {
            interface: 3,
            address: [10, 0, high, low].into(),
        }
    }

    fn snapshot(up: bool) -> Snapshot {
        let link = Link {
            index: 3,
            name: "eth0".into(),
            up,
            loopback: false,
            ethernet: true,
            mtu: 1500,
            address: MAC,
            kind: None,
            ..Link::default()
        };
        Snapshot {
            links: [(3, link)].into(),
            ..Snapshot::default()
        }
    }

    fn entry(condition: Condition, keeper: Keeper) -> Neighbour {
        Neighbour {
            condition,
            keeper,
            managed: keeper == Keeper::Ours,
        }
    }

    fn care(keys: u16, now: Instant) -> Care {
        let mut care = Care::new(now - DELAY);
        (0..keys).for_each(|last| care.acquire(key(last), key(last).address, now));
        care
    }

    #[test]
    fn a_neighbour_in_use_is_managed_once() {
        let now = Instant::now();
        let (mut care, snapshot) = (care(1, now), snapshot(true));
        assert_eq!(care.tend(&snapshot, now, true), [Action::Manage(key(0))]);
        assert_eq!(care.tend(&snapshot, now, true), []);
        care.look_at(key(0));
        assert_eq!(care.tend(&snapshot, now, true), [], "asked a moment ago");
        assert_eq!(
            care.tend(&snapshot, now + PAUSE, true),
            [Action::Manage(key(0))]
        );
    }

    #[test]
    fn nothing_is_asked_on_a_link_that_is_down() {
        let now = Instant::now();
        assert_eq!(care(1, now).tend(&snapshot(false), now, true), []);
    }

    #[test]
    fn each_keeper_is_respected() {
        let now = Instant::now();
        for (keeper, condition, expected) in [
            (Keeper::Other, Condition::Known(MAC), vec![]),
            (Keeper::Other, Condition::Failed, vec![]),
            (
                Keeper::Kernel,
                Condition::Known(MAC),
                vec![Action::Manage(key(0))],
            ),
            (Keeper::Ours, Condition::Known(MAC), vec![]),
            (
                Keeper::Ours,
                Condition::Failed,
                vec![Action::Manage(key(0))],
            ),
        ] {
            let mut snapshot = snapshot(true);
            snapshot.neighbours.insert(key(0), entry(condition, keeper));
            assert_eq!(
                care(1, now).tend(&snapshot, now, true),
                expected,
                "{keeper:?}"
            );
        }
    }

    #[test]
    fn only_entries_of_ours_are_released_and_only_when_use_is_known() {
        let now = Instant::now();
        for (keeper, expected) in [
            (Keeper::Ours, vec![Action::Release(key(0))]),
            (Keeper::Kernel, vec![]),
            (Keeper::Other, vec![]),
        ] {
            let mut snapshot = snapshot(true);
            snapshot
                .neighbours
                .insert(key(0), entry(Condition::Known(MAC), keeper));
            let mut care = care(1, now);
            care.drop_user(key(0), &key(0).address);
            assert_eq!(care.tend(&snapshot, now, false), []);
            care.look_at(key(0));
            assert_eq!(care.tend(&snapshot, now, true), expected);
        }
    }

    #[test]
    fn first_questions_keep_their_rate() {
        let now = Instant::now();
        let (mut care, snapshot) = (care(10_000, now), snapshot(true));
        let mut asked = 0;
        for tenth in 0..10 {
            asked += care.tend(&snapshot, now + DELAY * tenth, true).len();
        }
        assert_eq!(asked, 4000);
    }

    #[test]
    fn known_neighbours_are_probed_in_turn_within_the_rate() {
        let now = Instant::now();
        let (mut care, mut snapshot) = (care(1000, now), snapshot(true));
        for last in 0..1000 {
            snapshot
                .neighbours
                .insert(key(last), entry(Condition::Known(MAC), Keeper::Ours));
        }
        assert_eq!(care.tend(&snapshot, now, true), [], "all are fresh");
        let mut probed = HashSet::new();
        for tenth in 0..=34 {
            let actions = care.tend(&snapshot, now + ROUND + DELAY * tenth, true);
            assert!(actions.len() <= 30);
            probed.extend(actions);
        }
        assert_eq!(probed.len(), 1000, "one round with no one twice");
    }

    #[test]
    fn who_left_is_not_probed() {
        let now = Instant::now();
        let (mut care, mut snapshot) = (care(1, now), snapshot(true));
        snapshot
            .neighbours
            .insert(key(0), entry(Condition::Known(MAC), Keeper::Kernel));
        care.drop_user(key(0), &key(0).address);
        assert_eq!(care.tend(&snapshot, now + ROUND, true), []);
        assert_eq!(care.due(now + ROUND), None);
    }
}
