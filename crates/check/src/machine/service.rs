//! A virtual server: quorum, sorry server, and which real servers are in the pool.
//!
//! The rules are keepalived's (ipwrapper.c `update_quorum_state`, `perform_svr_state`):
//! * The quorum is gained when the real servers that are up weigh `quorum + hysteresis` or more
//!   together, and lost when they weigh less than `quorum - hysteresis`, or nothing.
//! * While it is lost, the sorry server serves instead of all real servers. Without a sorry server
//!   those that are up go on.
//! * A real server that is not in the pool has weight 0 if it has `inhibit_on_failure`.
//!
//! Ours is `max_down`: a real server whose checks fail is kept while so many are down already.

use serde::{Deserialize, Serialize};

use crate::spec::ServicePolicy;

use super::{Event, Server, Standing};

/// A virtual server and its real servers.
#[derive(Clone, Debug)]
pub struct Service {
    policy: ServicePolicy,
    servers: Vec<Server>,
    quorum: bool,
    sorry: bool,
}

/// What is to be in the pool.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Wanted {
    /// The weight of each real server; `None`: it is not there.
    pub servers: Vec<Option<u32>>,
    /// The same of the sorry server.
    pub sorry_server: Option<u32>,
}

/// What of a virtual server outlives a restart, and a reload.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct ServiceState {
    pub quorum: bool,
    /// The sorry server serves.
    pub sorry: bool,
}

/// What of a real server does.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ServerState {
    pub up: bool,
    pub kept: bool,
}

impl Service {
    /// A virtual server that begins, or goes on from a state that it had, maybe with another
    /// configuration. A real server that is new has no state, and is up if its checks are.
    pub fn new(
        policy: &ServicePolicy,
        servers: Vec<(Server, Option<ServerState>)>,
        state: Option<ServiceState>,
    ) -> (Self, Vec<Event>) {
        let before = state.unwrap_or_default();
        let mut service = Self {
            policy: policy.clone(),
            servers: servers.into_iter().map(go_on).collect(),
            quorum: before.quorum,
            sorry: before.sorry && policy.sorry_server.is_some(),
        };
        let mut events = Vec::new();
        service.settle(&mut events, state.is_none());
        if !service.quorum && policy.sorry_server.is_some() && !service.sorry {
            service.sorry = true;
            events.push(Event::SorryServerIn);
        }
        (service, events)
    }

    /// What a check of a real server says now.
    pub fn hear(&mut self, server: usize, check: usize, standing: Standing) -> Vec<Event> {
        let mut events = Vec::new();
        let known = standing.known;
        let place = &mut self.servers[server];
        let (weight, was_up) = (place.weight(), place.up);
        let before = place.hear(check, standing);
        let to = place.weight();
        if to != weight {
            events.push(Event::ServerWeight {
                server,
                from: weight,
                to,
            });
        }
        // With alpha, the first failure is news (ipwrapper.c `update_svr_checker_state`).
        if !was_up && !before.known && known && !place.healthy() && !before.up {
            events.push(Event::ServerDown { server });
        }
        self.settle(&mut events, false);
        events
    }

    /// The daemon stops.
    pub fn stop(&self) -> Vec<Event> {
        if !self.policy.omega {
            return Vec::new();
        }
        let servers = 0..self.servers.len();
        let servers = servers.filter(|place| self.servers[*place].up).collect();
        vec![Event::Stopped { servers }]
    }

    /// What is to be in the pool now.
    pub fn wanted(&self) -> Wanted {
        let servers = self
            .servers
            .iter()
            .map(|server| match server.up && !self.sorry {
                true => Some(server.weight()),
                false => server.out(),
            });
        let sorry_server = self.policy.sorry_server.and_then(|sorry| match self.sorry {
            true => Some(1),
            false => sorry.inhibit.then_some(0),
        });
        Wanted {
            servers: servers.collect(),
            sorry_server,
        }
    }

    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// Whether the quorum is there.
    pub fn quorum(&self) -> bool {
        self.quorum
    }

    /// Whether the sorry server serves.
    pub fn sorry(&self) -> bool {
        self.sorry
    }

    pub fn state(&self) -> ServiceState {
        ServiceState {
            quorum: self.quorum,
            sorry: self.sorry,
        }
    }

    pub(super) fn policy(&self) -> &ServicePolicy {
        &self.policy
    }

    /// Lets real servers be up or down as their checks say, and the quorum follow.
    fn settle(&mut self, events: &mut Vec<Event>, start: bool) {
        for (place, server) in self.servers.iter_mut().enumerate() {
            if server.healthy() {
                server.kept = false;
                if !core::mem::replace(&mut server.up, true) {
                    events.push(Event::ServerUp { server: place });
                }
            }
        }
        self.take_out(events);
        self.judge_quorum(events, start);
    }

    /// Takes out real servers whose checks fail, those that wait longest first, as far as
    /// `max_down` lets it.
    fn take_out(&mut self, events: &mut Vec<Event>) {
        let limit = self
            .policy
            .max_down
            .map_or(usize::MAX, |part| part.of(self.servers.len()));
        let mut down = self.servers.iter().filter(|server| !server.up).count();
        for kept in [true, false] {
            for (place, server) in self.servers.iter_mut().enumerate() {
                if !server.up || server.healthy() || server.kept != kept {
                    continue;
                }
                if down < limit {
                    down += 1;
                    (server.up, server.kept) = (false, false);
                    events.push(Event::ServerDown { server: place });
                } else if !kept {
                    server.kept = true;
                    events.push(Event::ServerKept { server: place });
                }
            }
        }
    }

    fn judge_quorum(&mut self, events: &mut Vec<Event>, start: bool) {
        let up = self.servers.iter().filter(|server| server.up);
        let weight: u64 = up.map(|server| u64::from(server.weight())).sum();
        let (quorum, hysteresis) = (self.policy.quorum.into(), self.policy.hysteresis.into());
        let gain = u64::saturating_add(quorum, hysteresis);
        let keep = u64::saturating_sub(quorum, hysteresis);
        if !self.quorum && weight >= gain {
            self.quorum = true;
            if core::mem::take(&mut self.sorry) {
                events.push(Event::SorryServerOut);
            }
            events.push(Event::QuorumGained {
                weight,
                threshold: gain,
                start,
            });
            return;
        }
        let lost = self.quorum && (weight == 0 || weight < keep);
        // At the start it is news only if the sorry server has to serve.
        let sorry = self.policy.sorry_server.is_some();
        if lost || (start && sorry && !self.quorum) {
            let threshold = if self.quorum { keep } else { gain };
            self.quorum = false;
            if sorry && !core::mem::replace(&mut self.sorry, true) {
                events.push(Event::SorryServerIn);
            }
            events.push(Event::QuorumLost {
                weight,
                threshold,
                start,
            });
        }
    }
}

fn go_on((mut server, before): (Server, Option<ServerState>)) -> Server {
    if let Some(before) = before {
        server.up = before.up;
        server.kept = before.kept && !server.healthy();
    }
    server
}

#[cfg(test)]
mod tests;
