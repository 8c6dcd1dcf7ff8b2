//! A director that ends after its connections have: no new ones, a time for those there are.
//!
//! That destinations take nobody any more is not written down: a daemon that dies meanwhile has
//! nothing to take back, the next one does what was desired before.

use std::time::{Duration, Instant};

use rlvs_control::stop::{AtStop, Stop, Stopping};
use rlvs_control::{Change, Code, Error, Transaction};

use crate::core::Core;
use crate::drains::now;
use crate::service_manager;

/// In which a packet that was on its way when draining began has been counted.
const SETTLING: Duration = Duration::from_secs(2);

/// Since when, and how long at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    since: Instant,
    until: Instant,
}

impl Core {
    /// What is to become of forwarding, by a client who says more than the file or not.
    pub(crate) fn ask_to_end(&mut self, asked: Stop) -> Stopping {
        let stop = &mut self.config.stop;
        stop.forwarding = asked.forwarding.unwrap_or(stop.forwarding);
        stop.drain_timeout = asked.drain_timeout.unwrap_or(stop.drain_timeout);
        self.asked_to_end = true;
        let drains = stop.forwarding == AtStop::Drain;
        Stopping {
            forwarding: stop.forwarding,
            drain_timeout: if drains { stop.drain_timeout } else { 0 },
        }
    }

    /// It is told to end; whether that is at once.
    pub(crate) fn end(&mut self) -> bool {
        self.asked_to_end = false;
        let stop = self.config.stop;
        // Who says it twice does not want to wait.
        if stop.forwarding != AtStop::Drain || self.is_ending() {
            return true;
        }
        let longest = Duration::from_secs(stop.drain_timeout.into());
        service_manager::stopping_within(longest);
        self.begin_ending(longest);
        false
    }

    /// Takes no new connections from now on.
    fn begin_ending(&mut self, longest: Duration) {
        let since = Instant::now();
        let services = self.desired.services();
        let changes = services.flat_map(|service| {
            let key = service.service().key;
            let spare = service.members().filter(|it| it.draining().is_none());
            spare.map(move |member| Change::Drain {
                service: key,
                destination: member.destination().key,
                deadline: None,
                keep_clients: false,
            })
        });
        let changes: Vec<_> = changes.collect();
        let taken = self.desire(&Transaction::from(changes), now());
        let installed = taken.map(|touched| self.install(&touched));
        match installed {
            Ok(Ok(())) => tracing::info!(?longest, "no new connections; those there are may end"),
            Ok(Err(error)) => tracing::error!(%error, "draining at the end"),
            Err(error) => tracing::error!(%error, "draining at the end"),
        }
        self.ending = Some(Ending {
            since,
            until: since + longest,
        });
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.ending.is_some()
    }

    /// Whether nobody is left, or there is no time.
    pub(crate) fn has_ended(&self) -> bool {
        let Some(Ending { since, until }) = self.ending else {
            return false;
        };
        let now = Instant::now();
        if now < since + SETTLING {
            return now >= until;
        }
        let left = self.connections_left();
        if left > 0 && now >= until {
            tracing::warn!(connections = left, "cut off: there is no more time");
        }
        left == 0 || now >= until
    }

    /// Who ends changes nothing any more.
    pub(crate) fn refuse_at_end(&self) -> Result<(), Error> {
        match self.ending {
            None => Ok(()),
            Some(_) => Err(Error::new(
                Code::Conflict,
                "The director ends, and only waits for connections to end: start it again first",
            )),
        }
    }

    fn connections_left(&self) -> u64 {
        let services = self.desired.services();
        let counts = services.flat_map(|service| {
            let key = service.service().key;
            let destinations = service.destinations();
            destinations.map(move |it| {
                let (active, inactive, _) = self.counts(&key, &it.key);
                u64::from(active) + u64::from(inactive)
            })
        });
        counts.sum()
    }
}
