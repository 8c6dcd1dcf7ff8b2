//! Destinations that are being drained: who has how many connections left, and their end.
//!
//! What is drained is desired, so the journal has it. Only what became of those that ended is
//! forgotten with the daemon.

use std::collections::VecDeque;
use std::time::Instant;

use rlvs_control::drain::{self, Drains, End, EndedDrain, RunningDrain};
use rlvs_control::{Change, DestinationKey, ServiceKey, Transaction};
use rustix::time::{ClockId, clock_gettime};

use crate::core::Core;
use crate::desired::{DesiredDestination, Draining};

/// How many ended ones are remembered.
const REMEMBERED: usize = 256;
/// Seconds in which a packet that was on its way when draining began has been counted.
const SETTLING: u64 = 2;

type Key = (ServiceKey, DestinationKey);

/// Connections, active and inactive ones.
pub(crate) type Left = [u32; 2];

/// Seconds since the machine was started, which is as long as the journal lives.
pub(crate) fn now() -> u64 {
    u64::try_from(clock_gettime(ClockId::Boottime).tv_sec).unwrap_or(0)
}

/// What became of those that ended, the latest last.
#[derive(Debug, Default)]
pub(crate) struct Ended(VecDeque<(Instant, EndedDrain)>);

impl Ended {
    fn note(&mut self, (service, destination): Key, end: End, [active, inactive]: Left) {
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        let ended = EndedDrain {
            service,
            destination,
            end,
            active_connections: active,
            inactive_connections: inactive,
            seconds_ago: 0,
        };
        self.0.push_back((Instant::now(), ended));
    }

    /// The last one ended by itself.
    fn correct(&mut self, end: End, [active, inactive]: Left) {
        if let Some((_, ended)) = self.0.back_mut() {
            ended.end = end;
            (ended.active_connections, ended.inactive_connections) = (active, inactive);
        }
    }

    fn list(&self) -> Vec<EndedDrain> {
        let aged = |(since, ended): &(Instant, EndedDrain)| EndedDrain {
            seconds_ago: since.elapsed().as_secs(),
            ..ended.clone()
        };
        self.0.iter().map(aged).collect()
    }
}

impl Core {
    pub(crate) fn drains(&self) -> Drains {
        let now = now();
        let running = self.draining().map(|(key, draining)| {
            let (service, destination) = key;
            let (active, inactive, persistent) = self.counts(&service, &destination);
            RunningDrain {
                service,
                destination,
                draining: shown(draining, now),
                active_connections: active,
                inactive_connections: inactive,
                persistent_connections: persistent,
            }
        });
        Drains {
            running: running.collect(),
            ended: self.drains.list(),
        }
    }

    /// Removes those that have no connection left, or no time.
    pub(crate) fn end_drains(&mut self) {
        let now = now();
        let due: Vec<_> = self
            .draining()
            .filter_map(|(key, draining)| {
                let left = self.left(&key);
                Some((key, end(draining, self.holds(&key, draining), now)?, left))
            })
            .collect();
        for (key, end, left) in due {
            let (service, destination) = key;
            let removal = Change::DeleteDestination {
                service,
                destination,
            };
            // What was deleted by itself is to be remembered so.
            match self.apply(&removal.into()) {
                Ok(()) => {
                    let [active, inactive] = left;
                    tracing::info!(%service, %destination, active, inactive, "drained and removed");
                    self.drains.correct(end, left);
                }
                Err(error) => tracing::error!(%service, %destination, %error, "cannot be removed"),
            }
        }
    }

    /// Those that `transaction` may end, with the connections they have.
    pub(crate) fn running_drains(&self, transaction: &Transaction) -> Vec<(Key, Left)> {
        let ends = |change: &Change| {
            matches!(
                change,
                Change::Undrain { .. }
                    | Change::DeleteDestination { .. }
                    | Change::DeleteService(_)
                    | Change::Flush
            )
        };
        match transaction.changes.iter().any(ends) {
            true => self
                .draining()
                .map(|(key, _)| (key, self.left(&key)))
                .collect(),
            false => Vec::new(),
        }
    }

    /// Remembers which of `before` are drained no longer.
    pub(crate) fn note_drains(&mut self, before: Vec<(Key, Left)>) {
        for (key, left) in before {
            let service = self.desired.service(&key.0);
            match service.and_then(|service| service.member(&key.1)) {
                None => self.drains.note(key, End::Deleted, left),
                Some(member) if member.draining().is_none() => {
                    self.drains.note(key, End::Cancelled, left);
                }
                Some(_) => {}
            }
        }
    }

    pub(crate) fn draining(&self) -> impl Iterator<Item = (Key, &Draining)> {
        self.desired.services().flat_map(|service| {
            let of_it =
                |member: &DesiredDestination| (service.service().key, member.destination().key);
            service
                .members()
                .filter_map(move |member| Some((of_it(member), member.draining()?)))
        })
    }

    fn left(&self, (service, destination): &Key) -> Left {
        let (active, inactive, _) = self.counts(service, destination);
        [active, inactive]
    }

    /// Whether it still has what it must not be removed with.
    fn holds(&self, key: &Key, draining: &Draining) -> bool {
        let (_, _, persistent) = self.counts(&key.0, &key.1);
        self.left(key) != [0, 0] || draining.keeps_clients && persistent != 0
    }
}

pub(crate) fn shown(draining: &Draining, now: u64) -> drain::Draining {
    drain::Draining {
        seconds: now.saturating_sub(draining.since),
        seconds_left: draining.until.map(|until| until.saturating_sub(now)),
        keeps_clients: draining.keeps_clients,
        weight: draining.weight,
    }
}

/// Whether its draining ends now, and why.
fn end(draining: &Draining, holds: bool, now: u64) -> Option<End> {
    if !holds && now >= draining.since + SETTLING {
        return Some(End::Empty);
    }
    let is_late = draining.until.is_some_and(|until| now >= until);
    is_late.then_some(if holds { End::Deadline } else { End::Empty })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_when_nothing_is_left_or_no_time() {
        let draining = |until| Draining {
            since: 100,
            until,
            keeps_clients: false,
            weight: 3,
        };
        let cases = [
            (None, true, 1_000_000, None),
            (None, false, 101, None),
            (None, false, 102, Some(End::Empty)),
            (Some(400), true, 399, None),
            (Some(400), true, 400, Some(End::Deadline)),
            (Some(400), false, 399, Some(End::Empty)),
            (Some(100), true, 100, Some(End::Deadline)),
        ];
        for (until, holds, now, expected) in cases {
            assert_eq!(
                end(&draining(until), holds, now),
                expected,
                "{until:?} {now}"
            );
        }
    }
}
