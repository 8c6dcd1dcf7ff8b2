//! All virtual servers, and the checks that they share.
//!
//! A check of a target is made once, however many services want to know. The board hears what a
//! checker says and tells what follows from it for each of them. It lives where the pool is
//! changed; the checkers live where the probes are made, and are named by number.

use core::hash::Hash;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::spec::{Check, ServerPolicy, ServicePolicy};

use super::probe::{Forwarding, Memory, NoVip, Probe, Question};
use super::{Event, Server, ServerState, Service, ServiceState, Standing};

/// The number of a checker, given once.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct ProbeId(pub u64);

/// A virtual server as configured.
#[derive(Clone, Debug)]
pub struct ServiceSpec {
    pub policy: ServicePolicy,
    /// Its address; a service by firewall mark has none.
    pub vip: Option<SocketAddr>,
    pub servers: Vec<Member>,
}

/// A real server as configured.
#[derive(Clone, Debug)]
pub struct Member {
    pub address: SocketAddr,
    pub forwarding: Forwarding,
    pub policy: ServerPolicy,
}

/// What follows from a configuration.
#[derive(Debug)]
pub struct Reload<K> {
    /// Checkers that begin.
    pub start: Vec<Start>,
    /// Checkers that nobody wants any more.
    pub stop: Vec<ProbeId>,
    /// Checkers that go on but are asked from now on, or not (`ha_suspend`).
    pub activity: Vec<(ProbeId, bool)>,
    pub events: Vec<(K, Event)>,
}

/// A checker that begins.
#[derive(Debug)]
pub struct Start {
    pub id: ProbeId,
    pub probe: Arc<Probe>,
    pub standing: Standing,
    /// False: it is not asked until further notice (`ha_suspend`).
    pub active: bool,
}

/// All virtual servers, by names of the caller's choice.
#[derive(Debug)]
pub struct Board<K> {
    probes: HashMap<Arc<Probe>, Entry<K>>,
    by_id: HashMap<ProbeId, Arc<Probe>>,
    services: BTreeMap<K, Placed>,
    remembered: BoardState<K>,
    next: u64,
}

#[derive(Debug)]
struct Entry<K> {
    id: ProbeId,
    standing: Standing,
    /// Who wants to know: the service, its real server and that one's check, by place.
    readers: Vec<(K, usize, usize)>,
    active: bool,
}

#[derive(Debug)]
struct Placed {
    service: Service,
    members: Vec<SocketAddr>,
    suspended: bool,
}

/// What outlives the daemon.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct BoardState<K> {
    checks: Vec<(Question, Standing)>,
    services: Vec<(K, PlacedState)>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct PlacedState {
    service: ServiceState,
    servers: Vec<(SocketAddr, ServerState)>,
}

impl<K: Clone + Eq + Hash + Ord> Board<K> {
    /// Nothing is checked yet; what was before is remembered when the configuration comes.
    pub fn new(remembered: Option<BoardState<K>>) -> Self {
        Self {
            probes: HashMap::new(),
            by_id: HashMap::new(),
            services: BTreeMap::new(),
            remembered: remembered.unwrap_or(BoardState {
                checks: Vec::new(),
                services: Vec::new(),
            }),
            next: 0,
        }
    }

    /// Makes the configuration this. What is unchanged goes on as it is, and a check whose timing
    /// alone has changed keeps its standing.
    pub fn apply(&mut self, site: Vec<(K, ServiceSpec)>) -> Result<Reload<K>, NoVip> {
        let checks = distinct(&site);
        let wanted = wanted_probes(&site, &checks)?;
        let mut reload = Reload {
            start: Vec::new(),
            stop: Vec::new(),
            activity: Vec::new(),
            events: Vec::new(),
        };
        self.change_probes(wanted, &mut reload);
        self.change_services(site, &checks, &mut reload);
        let begun: HashMap<ProbeId, usize> = places(&reload.start);
        for (id, active) in self.judge_activity() {
            match begun.get(&id) {
                Some(place) => reload.start[*place].active = active,
                None => reload.activity.push((id, active)),
            }
        }
        Ok(reload)
    }

    /// A checker's standing has changed. One that has stopped meanwhile is not listened to.
    pub fn hear(&mut self, id: ProbeId, standing: &Standing) -> Vec<(K, Event)> {
        let Some(entry) = self
            .by_id
            .get(&id)
            .and_then(|probe| self.probes.get_mut(probe))
        else {
            return Vec::new();
        };
        entry.standing = standing.clone();
        let mut all = Vec::new();
        for (key, server, check) in &entry.readers {
            let Some(placed) = self.services.get_mut(key) else {
                continue;
            };
            let events = placed.service.hear(*server, *check, standing.clone());
            all.extend(events.into_iter().map(|event| (key.clone(), event)));
        }
        all
    }

    /// The machine has lost (`true`) or got virtual addresses of these services: which checkers are
    /// asked from now on, or not. Only services with `ha_suspend` are concerned.
    pub fn suspend<'a>(
        &mut self,
        services: impl IntoIterator<Item = (&'a K, bool)>,
    ) -> Vec<(ProbeId, bool)>
    where
        K: 'a,
    {
        for (key, suspended) in services {
            if let Some(placed) = self.services.get_mut(key) {
                placed.suspended = suspended && placed.service.policy().ha_suspend;
            }
        }
        self.judge_activity()
    }

    pub fn service(&self, key: &K) -> Option<&Service> {
        self.services.get(key).map(|placed| &placed.service)
    }

    pub fn services(&self) -> impl Iterator<Item = (&K, &Service)> {
        self.services
            .iter()
            .map(|(key, placed)| (key, &placed.service))
    }

    /// Its real servers, in the order in which events and [`super::Wanted`] count them.
    pub fn members(&self, key: &K) -> &[SocketAddr] {
        self.services.get(key).map_or(&[], |placed| &placed.members)
    }

    /// A check that is made.
    pub fn probe(&self, id: ProbeId) -> Option<&Probe> {
        self.by_id.get(&id).map(|probe| &**probe)
    }

    /// How many checks that are made have said nothing yet, of how many.
    pub fn unknown(&self) -> (usize, usize) {
        let made = self.probes.values().filter(|entry| entry.active);
        let unknown = made.clone().filter(|entry| !entry.standing.known);
        (unknown.count(), made.count())
    }

    /// All checks that are made.
    pub fn probes(&self) -> impl Iterator<Item = (ProbeId, &Probe, &Standing)> {
        self.probes
            .iter()
            .map(|(probe, entry)| (entry.id, &**probe, &entry.standing))
    }

    /// The daemon stops: what notifiers are to be told.
    pub fn stop(&self) -> Vec<(K, Event)> {
        let told = |(key, placed): (&K, &Placed)| {
            let events = placed.service.stop();
            events
                .into_iter()
                .map(|event| (key.clone(), event))
                .collect::<Vec<_>>()
        };
        self.services.iter().flat_map(told).collect()
    }

    /// What is to be remembered.
    pub fn state(&self) -> BoardState<K> {
        let known = self.probes.iter().filter(|(_, entry)| entry.standing.known);
        let checks = known.map(|(probe, entry)| (probe.question(), entry.standing.clone()));
        let services = self
            .services
            .iter()
            .map(|(key, placed)| (key.clone(), placed.state()));
        BoardState {
            checks: checks.collect(),
            services: services.collect(),
        }
    }

    fn change_probes(&mut self, wanted: Wants<K>, reload: &mut Reload<K>) {
        let mut old = core::mem::take(&mut self.probes);
        let mut memory = Memory::new(core::mem::take(&mut self.remembered.checks));
        if wanted.keys().any(|probe| !old.contains_key(probe)) {
            let known = old.iter().filter(|(_, entry)| entry.standing.known);
            memory.extend(known.map(|(probe, entry)| (probe.question(), entry.standing.clone())));
        }
        for (probe, readers) in wanted {
            let entry = match old.remove(&probe) {
                Some(entry) => Entry { readers, ..entry },
                None => self.begin(&probe, readers, &memory, reload),
            };
            self.probes.insert(probe, entry);
        }
        for entry in old.into_values() {
            self.by_id.remove(&entry.id);
            reload.stop.push(entry.id);
        }
    }

    fn begin(
        &mut self,
        probe: &Arc<Probe>,
        readers: Vec<(K, usize, usize)>,
        memory: &Memory,
        reload: &mut Reload<K>,
    ) -> Entry<K> {
        let id = ProbeId(self.next);
        self.next += 1;
        self.by_id.insert(id, probe.clone());
        let standing = memory
            .get(&probe.question())
            .unwrap_or_else(|| Standing::new(&probe.check.timing));
        reload.start.push(Start {
            id,
            probe: probe.clone(),
            standing: standing.clone(),
            active: true,
        });
        Entry {
            id,
            standing,
            readers,
            active: true,
        }
    }

    fn change_services(
        &mut self,
        site: Vec<(K, ServiceSpec)>,
        checks: &Checks,
        reload: &mut Reload<K>,
    ) {
        let mut old = core::mem::take(&mut self.services);
        let remembered = core::mem::take(&mut self.remembered.services);
        let mut remembered: HashMap<K, PlacedState> = remembered.into_iter().collect();
        for (key, spec) in site {
            let before = old.remove(&key);
            let suspended = before.as_ref().is_some_and(|before| before.suspended);
            let before = before
                .map(|placed| placed.state())
                .or(remembered.remove(&key));
            let (service, events) = self.place(&spec, checks, before);
            let placed = Placed {
                service,
                members: spec.servers.iter().map(|member| member.address).collect(),
                suspended: suspended && spec.policy.ha_suspend,
            };
            reload
                .events
                .extend(events.into_iter().map(|event| (key.clone(), event)));
            self.services.insert(key, placed);
        }
    }

    /// A virtual server with what is known of its checks.
    fn place(
        &self,
        spec: &ServiceSpec,
        checks: &Checks,
        before: Option<PlacedState>,
    ) -> (Service, Vec<Event>) {
        let (state, servers) = before
            .map(|before| (before.service, before.servers))
            .unzip();
        let states: HashMap<_, _> = servers.into_iter().flatten().collect();
        let members = spec.servers.iter().map(|member| {
            let standing = |check: &Check| {
                let probe = probe(check, member, spec, checks).ok();
                let entry = probe.and_then(|probe| self.probes.get(&probe));
                entry.map_or_else(
                    || Standing::new(&check.timing),
                    |entry| entry.standing.clone(),
                )
            };
            let checks = member.policy.checks.iter().map(standing).collect();
            let server = Server::new(&member.policy, checks);
            (server, states.get(&member.address).copied())
        });
        Service::new(&spec.policy, members.collect(), state)
    }

    /// A checker is asked if one of those who want to know is not suspended: those that change.
    fn judge_activity(&mut self) -> Vec<(ProbeId, bool)> {
        let services = &self.services;
        let mut changed = Vec::new();
        for entry in self.probes.values_mut() {
            let listens = |key: &K| services.get(key).is_some_and(|placed| !placed.suspended);
            let active = entry.readers.iter().any(|(key, ..)| listens(key));
            if core::mem::replace(&mut entry.active, active) != active {
                changed.push((entry.id, active));
            }
        }
        changed
    }
}

impl Placed {
    fn state(&self) -> PlacedState {
        let servers = self.service.servers().iter().map(Server::state);
        PlacedState {
            service: self.service.state(),
            servers: self.members.iter().copied().zip(servers).collect(),
        }
    }
}

/// Each check that is wanted, and who wants it.
type Wants<K> = HashMap<Arc<Probe>, Vec<(K, usize, usize)>>;

/// Each check once, however many real servers have it.
type Checks = HashSet<Arc<Check>>;

fn distinct<K>(site: &[(K, ServiceSpec)]) -> Checks {
    let members = site.iter().flat_map(|(_, spec)| &spec.servers);
    let mut checks = Checks::new();
    for check in members.flat_map(|member| &member.policy.checks) {
        if !checks.contains(check) {
            checks.insert(Arc::new(check.clone()));
        }
    }
    checks
}

fn probe(
    check: &Check,
    member: &Member,
    spec: &ServiceSpec,
    checks: &Checks,
) -> Result<Probe, NoVip> {
    let shared = checks.get(check).cloned();
    let check = shared.unwrap_or_else(|| Arc::new(check.clone()));
    Probe::new(check, member.address, member.forwarding, spec.vip)
}

fn wanted_probes<K: Clone>(site: &[(K, ServiceSpec)], checks: &Checks) -> Result<Wants<K>, NoVip> {
    let mut wanted = Wants::<K>::new();
    for (key, spec) in site {
        for (server, member) in spec.servers.iter().enumerate() {
            for (check, wants) in member.policy.checks.iter().enumerate() {
                let probe = probe(wants, member, spec, checks)?;
                let readers = wanted.entry(Arc::new(probe)).or_default();
                readers.push((key.clone(), server, check));
            }
        }
    }
    Ok(wanted)
}

fn places(start: &[Start]) -> HashMap<ProbeId, usize> {
    start
        .iter()
        .enumerate()
        .map(|(place, start)| (start.id, place))
        .collect()
}

#[cfg(test)]
mod tests;
