//! What is followed and what was told: changes go in, questions and events come out.
//!
//! No socket and no clock in here: [`crate::task`] carries messages between this and the kernel.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;

use tokio::time::Instant;

use crate::care::{Action, Care};
use crate::change::Change;
use crate::neighbour::{Condition, Keeper, Key, Neighbour};
use crate::queue::Queue;
use crate::route::Route;
use crate::snapshot::{Snapshot, resolve};
use crate::stale::{Extent, Stale};
use crate::{Event, Features, Link, NextHop, Unresolved};

/// The outcome of a resolution.
type Hop = Result<NextHop, Unresolved>;

/// The state of following.
#[derive(Debug)]
pub(crate) struct Follower {
    snapshot: Snapshot,
    care: Care,
    /// Whether it was ever said what to watch.
    told: bool,
    watched: HashSet<IpAddr>,
    stale: Stale,
    unrouted: Queue,
    unresolved: HashSet<IpAddr>,
    reported: HashMap<IpAddr, Hop>,
    links_changed: bool,
}

impl Follower {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            snapshot: Snapshot::default(),
            care: Care::new(now),
            told: false,
            watched: HashSet::new(),
            stale: Stale::default(),
            unrouted: Queue::default(),
            unresolved: HashSet::new(),
            reported: HashMap::new(),
            links_changed: true,
        }
    }

    /// Follows these addresses from now on, and no others.
    pub(crate) fn watch(&mut self, addresses: &HashSet<IpAddr>) {
        let gone: Vec<_> = self.watched.difference(addresses).copied().collect();
        gone.iter().for_each(|address| self.forget(address));
        self.unrouted.extend(addresses.difference(&self.watched));
        self.watched.clone_from(addresses);
        self.told = true;
    }

    /// Takes in what the kernel said.
    pub(crate) fn apply(&mut self, change: Change) {
        match change {
            Change::Link(link) => self.put_link(link),
            Change::LinkGone(index) => self.remove_link(index),
            Change::Neighbour(key, entry) => self.put_neighbour(key, entry),
            Change::NeighbourGone(key) => self.remove_neighbour(key),
            Change::Routes(prefix) => match prefix.host() {
                Some(address) if self.watched.contains(&address) => {
                    self.unrouted.push(address);
                }
                Some(_) => {}
                None => self.stale.add(prefix),
            },
            Change::AllRoutes => self.stale.add_all(),
            Change::Lost => {}
        }
    }

    /// Takes in everything anew.
    pub(crate) fn resync(&mut self, links: Vec<Link>, neighbours: HashMap<Key, Neighbour>) {
        let present: HashSet<_> = links.iter().map(|link| link.index).collect();
        let gone = self
            .snapshot
            .links
            .keys()
            .copied()
            .filter(|index| !present.contains(index));
        gone.collect::<Vec<_>>()
            .into_iter()
            .for_each(|index| self.remove_link(index));
        links.into_iter().for_each(|link| self.put_link(link));
        let gone = self.snapshot.neighbours.keys().copied();
        let gone: Vec<_> = gone.filter(|key| !neighbours.contains_key(key)).collect();
        gone.into_iter().for_each(|key| self.remove_neighbour(key));
        neighbours
            .into_iter()
            .for_each(|(key, entry)| self.put_neighbour(key, entry));
        self.care.look_at_all();
        self.stale.add_all();
    }

    /// Up to `limit` addresses whose routes are to be looked up.
    pub(crate) fn take_unrouted(&mut self, now: Instant, limit: usize) -> Vec<IpAddr> {
        match self.stale.take(now) {
            Some(Extent::All) => self.unrouted.extend(&self.watched),
            Some(Extent::Prefixes(prefixes)) => {
                let is_in = |address: &&IpAddr| prefixes.iter().any(|p| p.contains(address));
                self.unrouted.extend(self.watched.iter().filter(is_in));
            }
            None => {}
        }
        self.unrouted.take(limit)
    }

    /// The outcome of a look-up.
    pub(crate) fn routed(&mut self, address: IpAddr, route: Route, now: Instant) {
        if !self.watched.contains(&address) {
            return;
        }
        let before = self.snapshot.routes.get(&address);
        if before != Some(&route) {
            self.leave(&address);
            if let Ok(path) = &route {
                self.care.acquire(path.key(), address, now);
            }
            self.snapshot.routes.insert(address, route);
        }
        self.unresolved.insert(address);
    }

    /// What is to be asked of the kernel about neighbours.
    pub(crate) fn tend(&mut self, now: Instant) -> Vec<Action> {
        let settled = self.told && self.unrouted.is_empty();
        self.care.tend(&self.snapshot, now, settled)
    }

    /// Whether the kernel agreed to manage a neighbour, or why not.
    pub(crate) fn managed(&mut self, key: Key, outcome: Result<(), String>) {
        match outcome {
            Ok(()) if self.snapshot.refusals.remove(&key).is_none() => return,
            Ok(()) => {}
            Err(reason) => _ = self.snapshot.refusals.insert(key, reason),
        }
        self.unresolved.extend(self.care.users(&key));
    }

    /// What there is to tell.
    pub(crate) fn report(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        if std::mem::take(&mut self.links_changed) {
            events.push(Event::Links(
                self.snapshot.links.values().cloned().collect(),
            ));
        }
        for address in std::mem::take(&mut self.unresolved) {
            let hop = resolve(&self.snapshot, &address);
            if self.is_news(&address, &hop) {
                self.reported.insert(address, hop.clone());
                events.push(Event::NextHop { address, hop });
            }
        }
        events
    }

    /// When there will be something to do.
    pub(crate) fn due(&self, now: Instant) -> Option<Instant> {
        let unrouted = (!self.unrouted.is_empty()).then_some(now);
        let stale = self.stale.due(now);
        [unrouted, stale, self.care.due(now)]
            .into_iter()
            .flatten()
            .min()
    }

    /// Every neighbour that is ours: what is to be handed back when the daemon leaves.
    pub(crate) fn ours(&self) -> Vec<Action> {
        let ours = |(_, entry): &(&Key, &Neighbour)| entry.keeper == Keeper::Ours;
        let entries = self.snapshot.neighbours.iter().filter(ours);
        entries.map(|(key, _)| Action::Release(*key)).collect()
    }

    /// A hop being resolved anew does not take away the one that was: a server whose entry was
    /// flushed, or whose route changed, is served on the old way until the new one is known or
    /// known not to be.
    fn is_news(&self, address: &IpAddr, hop: &Hop) -> bool {
        let Some(before) = self.reported.get(address) else {
            return true;
        };
        let held = *hop == Err(Unresolved::Resolving)
            && before
                .as_ref()
                .is_ok_and(|before| self.is_up(before.interface));
        !held && before != hop
    }

    fn is_up(&self, interface: u32) -> bool {
        self.snapshot
            .links
            .get(&interface)
            .is_some_and(|link| link.up)
    }

    fn forget(&mut self, address: &IpAddr) {
        self.leave(address);
        self.snapshot.routes.remove(address);
        self.unrouted.remove(address);
        self.unresolved.remove(address);
        self.reported.remove(address);
    }

    fn leave(&mut self, address: &IpAddr) {
        if let Some(Ok(path)) = self.snapshot.routes.get(address) {
            let key = path.key();
            self.care.drop_user(key, address);
            if self.care.users(&key).next().is_none() {
                self.snapshot.refusals.remove(&key);
            }
        }
    }

    /// What devices do for the stack, which links do not tell.
    pub(crate) fn featured(&mut self, mut features: BTreeMap<u32, Features>) {
        let mut changed = Vec::new();
        for (index, link) in &mut self.snapshot.links {
            let known = features.remove(index).unwrap_or_default();
            if link.features != known {
                link.features = known;
                changed.push(*index);
            }
        }
        changed
            .into_iter()
            .for_each(|index| self.link_changed(index));
    }

    fn put_link(&mut self, mut link: Link) {
        let index = link.index;
        if let Some(before) = self.snapshot.links.get(&index) {
            link.features.clone_from(&before.features);
        }
        let before = self.snapshot.links.insert(index, link);
        let now = &self.snapshot.links[&index];
        if before.as_ref() == Some(now) {
            return;
        }
        if before.is_none_or(|before| before.up != now.up) {
            self.stale.add_all();
            self.care.look_at_all();
        }
        self.link_changed(index);
    }

    fn remove_link(&mut self, index: u32) {
        if self.snapshot.links.remove(&index).is_some() {
            self.snapshot
                .neighbours
                .retain(|key, _| key.interface != index);
            self.stale.add_all();
            self.link_changed(index);
        }
    }

    fn link_changed(&mut self, index: u32) {
        self.links_changed = true;
        let over = |route: &Route| route.as_ref().is_ok_and(|path| path.interface == index);
        let concerned = self.snapshot.routes.iter().filter(|(_, route)| over(route));
        self.unresolved
            .extend(concerned.map(|(address, _)| address));
    }

    fn put_neighbour(&mut self, key: Key, entry: Neighbour) {
        let before = self.snapshot.neighbours.get(&key).copied();
        let entry = entry.after(before.as_ref());
        if before == Some(entry) {
            // Told again: it failed again.
            self.care.look_at(key);
            return;
        }
        self.snapshot.neighbours.insert(key, entry);
        self.care.look_at(key);
        let view = |entry: &Neighbour| (entry.mac(), entry.condition == Condition::Failed);
        if before.as_ref().map(view) != Some(view(&entry)) {
            self.unresolved.extend(self.care.users(&key));
        }
    }

    fn remove_neighbour(&mut self, key: Key) {
        self.snapshot.neighbours.remove(&key);
        self.care.look_at(key);
        self.unresolved.extend(self.care.users(&key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::Path;

    const OLD: [u8; 6] = [2, 0, 0, 0, 0, 1];
    const NEW: [u8; 6] = [2, 0, 0, 0, 0, 2];

    fn server() -> IpAddr {
        [10, 0, 0, 7].into()
    }

    fn link(up: bool) -> Link {
        Link {
            index: 3,
            name: "eth0".into(),
            up,
            loopback: false,
            ethernet: true,
            mtu: 1500,
            address: [2, 0, 0, 0, 0, 9],
            kind: None,
            ..Link::default()
        }
    }

    fn path(neighbour: IpAddr) -> Path {
        Path {
            interface: 3,
            neighbour,
            mtu: None,
            local: None,
        }
    }

    fn entry(condition: Condition) -> Neighbour {
        Neighbour {
            condition,
            keeper: Keeper::Ours,
            managed: true,
        }
    }

    fn tell(follower: &mut Follower, condition: Condition) -> Vec<Event> {
        follower.apply(Change::Neighbour(path(server()).key(), entry(condition)));
        follower.report()
    }

    fn destinations(events: &[Event]) -> Vec<Option<[u8; 6]>> {
        let hop = |event: &Event| match event {
            Event::NextHop { hop, .. } => Some(hop.as_ref().ok().map(|hop| hop.destination)),
            Event::Links(_) => None,
        };
        events.iter().filter_map(hop).collect()
    }

    /// A follower of one server on the link, known to be at [`OLD`].
    fn following() -> Follower {
        let now = Instant::now();
        let mut follower = Follower::new(now);
        follower.resync(vec![link(true)], HashMap::new());
        follower.watch(&[server()].into());
        assert_eq!(follower.take_unrouted(now, 10), [server()]);
        follower.routed(server(), Ok(path(server())), now);
        assert_eq!(destinations(&follower.report()), [None]);
        assert_eq!(
            destinations(&tell(&mut follower, Condition::Known(OLD))),
            [Some(OLD)]
        );
        follower
    }

    #[test]
    fn only_what_changed_is_told() {
        let mut follower = following();
        assert_eq!(tell(&mut follower, Condition::Probing(OLD)), []);
        assert_eq!(tell(&mut follower, Condition::Known(OLD)), []);
        assert_eq!(
            destinations(&tell(&mut follower, Condition::Known(NEW))),
            [Some(NEW)]
        );
        assert_eq!(
            destinations(&tell(&mut follower, Condition::Failed)),
            [None]
        );
        assert_eq!(tell(&mut follower, Condition::Resolving), []);
    }

    #[test]
    fn a_hop_lasts_while_it_is_resolved_anew() {
        let mut follower = following();
        follower.apply(Change::NeighbourGone(path(server()).key()));
        assert_eq!(follower.report(), []);
        let gateway = [10, 0, 0, 254].into();
        follower.routed(server(), Ok(path(gateway)), Instant::now());
        assert_eq!(follower.report(), [], "the new way is not known yet");
        let key = path(gateway).key();
        follower.apply(Change::Neighbour(key, entry(Condition::Known(NEW))));
        assert_eq!(destinations(&follower.report()), [Some(NEW)]);
    }

    #[test]
    fn a_hop_over_a_link_that_is_down_does_not_last() {
        let mut follower = following();
        follower.apply(Change::Link(link(false)));
        assert_eq!(destinations(&follower.report()), [None]);
        let later = Instant::now() + std::time::Duration::from_secs(1);
        assert_eq!(follower.take_unrouted(later, 10), [server()]);
    }

    #[test]
    fn who_is_no_longer_watched_is_forgotten_and_released() {
        let mut follower = following();
        follower.watch(&HashSet::new());
        let released = follower.tend(Instant::now());
        assert_eq!(released, [Action::Release(path(server()).key())]);
        assert_eq!(tell(&mut follower, Condition::Known(NEW)), []);
        follower.watch(&[server()].into());
        assert_eq!(follower.take_unrouted(Instant::now(), 10), [server()]);
    }

    #[test]
    fn nothing_is_released_before_it_was_said_what_to_watch() {
        let mut follower = Follower::new(Instant::now());
        let left = [(path(server()).key(), entry(Condition::Known(OLD)))];
        follower.resync(vec![link(true)], left.into());
        assert_eq!(follower.tend(Instant::now()), []);
        follower.watch(&HashSet::new());
        follower.resync(vec![link(true)], left.into());
        assert_eq!(
            follower.tend(Instant::now()),
            [Action::Release(path(server()).key())]
        );
    }

    #[test]
    fn a_refusal_is_told_with_its_reason_until_it_is_over() {
        let mut follower = following();
        tell(&mut follower, Condition::Failed);
        let key = path(server()).key();
        follower.managed(key, Err("No buffer space available".into()));
        let events = follower.report();
        let refused = |event: &Event| {
            matches!(
                event,
                Event::NextHop {
                    hop: Err(Unresolved::Refused { .. }),
                    ..
                }
            )
        };
        assert!(events.iter().any(refused), "{events:?}");
        follower.managed(key, Ok(()));
        let silent = |event: &Event| {
            matches!(
                event,
                Event::NextHop {
                    hop: Err(Unresolved::NoAnswer { .. }),
                    ..
                }
            )
        };
        assert!(follower.report().iter().any(silent));
    }

    #[test]
    fn a_resync_finds_what_was_missed() {
        let mut follower = following();
        let key = path(server()).key();
        follower.resync(
            vec![link(true)],
            [(key, entry(Condition::Known(NEW)))].into(),
        );
        assert_eq!(destinations(&follower.report()), [Some(NEW)]);
        follower.resync(vec![], HashMap::new());
        assert!(matches!(follower.report()[0], Event::Links(ref links) if links.is_empty()));
    }
}
