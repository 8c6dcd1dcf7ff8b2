//! The checks of a site's real servers, and what they have decided.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rlvs_check::machine::{
    Board, BoardState, Event, Member, NoVip, ProbeId, Reload, Server, ServiceSpec, Start, Wanted,
};
use rlvs_check::spec::ServerPolicy;
use rlvs_config::model::{RealServer, VirtualServer};
use rlvs_control::status::{FailingCheck, TroubledServer};
use rlvs_control::{DestinationKey, ServiceKey};
use rlvs_probe::{Prober, Report, Task, Ways};
use rustix::time::{ClockId, clock_gettime};

use super::real_path::{self, forwarding};
use super::target::all_up;
use crate::metrics::CheckedServer;

/// Time without writing down what is known of servers, for the time that it took.
const SHARE: u32 = 30;

/// A virtual server goes by the first of its services.
#[derive(Debug)]
pub(super) struct Health {
    board: Board<ServiceKey>,
    prober: Prober,
    ways: Arc<dyn Ways>,
    /// What was last made of each.
    wanted: HashMap<ServiceKey, Wanted>,
    /// Why checks failed that are not up.
    reasons: HashMap<ProbeId, String>,
    /// Something is to be remembered.
    is_changed: bool,
    quiet_until: Instant,
}

impl Health {
    pub(super) fn new(
        remembered: Option<BoardState<ServiceKey>>,
        prober: Prober,
        ways: Arc<dyn Ways>,
    ) -> Self {
        Self {
            board: Board::new(remembered),
            prober,
            ways,
            wanted: HashMap::new(),
            reasons: HashMap::new(),
            is_changed: false,
            quiet_until: Instant::now(),
        }
    }

    /// Checks these from now on.
    pub(super) fn follow(
        &mut self,
        servers: &[VirtualServer],
    ) -> Result<Vec<(ServiceKey, Event)>, NoVip> {
        let Reload {
            start,
            stop,
            activity,
            events,
        } = self.board.apply(specs(servers).collect())?;
        stop.iter().for_each(|id| drop(self.reasons.remove(id)));
        self.prober.remove(stop);
        let task = |start| task(start, &self.ways);
        self.prober.add(start.into_iter().map(task).collect());
        self.prober.set_active(activity);
        let wanted = self.board.services();
        self.wanted = wanted.map(|(key, it)| (*key, it.wanted())).collect();
        self.is_changed = true;
        Ok(events)
    }

    pub(super) fn wanted(&self, key: &ServiceKey) -> Option<&Wanted> {
        self.wanted.get(key)
    }

    /// What would be made of a virtual server with another configuration, if checks go on to say what
    /// they say. New real servers count as up, unless a check is to say so first.
    pub(super) fn expected(&self, server: &VirtualServer) -> Wanted {
        let mut expected = all_up(server);
        for (weight, real) in expected.servers.iter_mut().zip(&server.real) {
            let out = real.inhibit_on_failure.then_some(0);
            match self.stands(server, &real.destination.key) {
                Some(true) => {}
                Some(false) => *weight = out,
                None if real.checks.iter().any(|check| check.timing.alpha) => *weight = out,
                None => {}
            }
        }
        expected
    }

    /// Whether a real server serves, if it is known.
    fn stands(&self, server: &VirtualServer, key: &DestinationKey) -> Option<bool> {
        let name = name(server)?;
        let mut members = self.board.members(&name).iter();
        let place = members.position(|member| *member == address(key))?;
        Some(self.board.service(&name)?.servers().get(place)?.up())
    }

    /// What a report says of whom. Virtual servers whose pools are another then are noted in `turned`,
    /// with what they were.
    pub(super) fn hear(
        &mut self,
        report: &Report,
        turned: &mut BTreeMap<ServiceKey, Wanted>,
    ) -> Vec<(ServiceKey, Event)> {
        match &report.reason {
            Some(reason) => drop(self.reasons.insert(report.id, reason.clone())),
            None => drop(self.reasons.remove(&report.id)),
        }
        if !report.changed {
            return Vec::new();
        }
        self.is_changed = true;
        let events = self.board.hear(report.id, &report.standing);
        for (key, _) in &events {
            let after = self.board.service(key).map(|it| it.wanted());
            let (Some(after), Some(now)) = (after, self.wanted.get_mut(key)) else {
                continue;
            };
            let before = core::mem::replace(now, after);
            turned.entry(*key).or_insert(before);
        }
        events
    }

    /// Checks are made while this machine has the virtual address, where that is wanted.
    pub(super) fn follow_addresses(&mut self, servers: &[VirtualServer]) {
        let wanting = servers.iter().filter(|server| server.policy.ha_suspend);
        let mut wanting = wanting.peekable();
        if wanting.peek().is_none() {
            return;
        }
        let Ok(own) = own_addresses() else {
            return;
        };
        let is_here = |server: &VirtualServer| {
            server.keys().any(|key| match key {
                ServiceKey::Address { address, .. } => own.contains(address),
                ServiceKey::Mark { .. } => true,
            })
        };
        let suspended: Vec<_> = wanting
            .filter_map(|server| Some((name(server)?, !is_here(server))))
            .collect();
        let activity = self
            .board
            .suspend(suspended.iter().map(|(key, out)| (key, *out)));
        if !activity.is_empty() {
            self.prober.set_active(activity);
        }
    }

    /// Hands on what is to be remembered, if it is another than before. That is done at once, but never
    /// takes more than a small part of the time, however many servers there are. What the machine did for
    /// others meanwhile does not count.
    pub(super) fn remember(&mut self, write: impl FnOnce(&BoardState<ServiceKey>)) {
        if !self.is_changed || Instant::now() < self.quiet_until {
            return;
        }
        self.is_changed = false;
        let begun = own_time();
        write(&self.board.state());
        self.quiet_until = Instant::now() + SHARE * own_time().saturating_sub(begun);
    }

    /// How many checks that are made have said nothing yet, of how many.
    pub(super) fn unknown(&self) -> (usize, usize) {
        self.board.unknown()
    }

    pub(super) fn board(&self) -> &Board<ServiceKey> {
        &self.board
    }

    /// What `omega` tells when the daemon ends.
    pub(super) fn stop(&self) -> Vec<(ServiceKey, Event)> {
        self.board.stop()
    }

    /// Real servers with health checks, and what these say.
    pub(super) fn checked_servers(&self, servers: &[VirtualServer]) -> Vec<CheckedServer> {
        let all = servers
            .iter()
            .flat_map(|server| server.real.iter().map(move |real| (server, real)));
        let checked = all.filter(|(_, real)| !real.checks.is_empty());
        let of = |(server, real): (&VirtualServer, &RealServer)| {
            Some(CheckedServer {
                service: name(server)?,
                server: address(&real.destination.key),
                up: self.stands(server, &real.destination.key)?,
            })
        };
        checked.filter_map(of).collect()
    }

    /// Checks that are not up, by target.
    pub(super) fn failing(&self) -> Vec<FailingCheck> {
        let probes = self.board.probes();
        let failing = probes.filter(|(.., standing)| standing.known && !standing.up);
        let mut failing: Vec<_> = failing
            .map(|(id, probe, _)| FailingCheck {
                target: probe.target,
                kind: probe.check.kind.name().to_owned(),
                reason: self.reasons.get(&id).cloned(),
            })
            .collect();
        failing.sort_by_key(|check| check.target);
        failing
    }

    /// Virtual servers that are not whole.
    pub(super) fn troubled(&self) -> Vec<TroubledServer> {
        let services = self.board.services();
        services
            .filter_map(|(key, service)| {
                let of = |is: fn(&Server) -> bool| -> Vec<SocketAddr> {
                    let members = self.board.members(key).iter().zip(service.servers());
                    let which = members.filter(|(_, server)| is(server));
                    which.map(|(member, _)| *member).collect()
                };
                let trouble = TroubledServer {
                    service: *key,
                    quorum: service.quorum(),
                    sorry: service.sorry(),
                    down: of(|server| !server.up()),
                    kept: of(Server::kept),
                    servers: service.servers().len(),
                };
                let is_whole = trouble.down.is_empty() && trouble.kept.is_empty();
                (!(is_whole && (trouble.quorum || trouble.servers == 0))).then_some(trouble)
            })
            .collect()
    }
}

/// Why a check cannot be made on this machine, of the first that cannot.
pub(super) fn refused(servers: &[VirtualServer]) -> Option<String> {
    let mut seen = HashSet::new();
    let own = real_path::own_addresses(servers);
    let checks = servers.iter().flat_map(|server| {
        let real = server.real.iter();
        real.flat_map(move |real| real.checks.iter().map(move |check| (server, real, check)))
    });
    for (server, real, check) in checks {
        let problem = match seen.insert(check) {
            true => rlvs_probe::validate(check).err(),
            false => None,
        };
        let way = || real_path::refused(server, real, check, &own);
        if let Some(reason) = problem.or_else(way) {
            let (kind, key) = (check.kind.name(), real.destination.key);
            return Some(format!("check {kind} of {key}: {reason}"));
        }
    }
    None
}

/// What a virtual server goes by here.
pub(super) fn name(server: &VirtualServer) -> Option<ServiceKey> {
    server.keys().next().copied()
}

pub(super) fn own_addresses() -> nix::Result<HashSet<IpAddr>> {
    let addresses = nix::ifaddrs::getifaddrs()?.filter_map(|it| {
        let address = it.address?;
        let v4 = address.as_sockaddr_in().map(|it| IpAddr::V4(it.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|it| IpAddr::V6(it.ip())))
    });
    Ok(addresses.collect())
}

fn specs(servers: &[VirtualServer]) -> impl Iterator<Item = (ServiceKey, ServiceSpec)> {
    let own = real_path::own_addresses(servers);
    servers
        .iter()
        .filter_map(move |server| Some((name(server)?, spec(server, &own))))
}

fn spec(server: &VirtualServer, own: &HashSet<IpAddr>) -> ServiceSpec {
    ServiceSpec {
        policy: server.policy.clone(),
        vip: real_path::vip(server),
        servers: server.real.iter().map(|real| member(real, own)).collect(),
    }
}

fn member(real: &RealServer, own: &HashSet<IpAddr>) -> Member {
    Member {
        address: address(&real.destination.key),
        forwarding: forwarding(real, own),
        policy: ServerPolicy {
            weight: real.destination.weight,
            inhibit_on_failure: real.inhibit_on_failure,
            checks: real.checks.clone(),
        },
    }
}

pub(super) fn address(key: &DestinationKey) -> SocketAddr {
    SocketAddr::new(key.address, key.port)
}

fn task(start: Start, ways: &Arc<dyn Ways>) -> Task {
    let through = start.probe.through;
    Task {
        id: start.id,
        probe: start.probe,
        standing: start.standing,
        active: start.active,
        ways: through.map(|_| ways.clone()),
    }
}

/// What this thread has had of a CPU.
fn own_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}
