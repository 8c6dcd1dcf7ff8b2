//! What the director shall do: services, their destinations, timeouts, settings.
//!
//! Pure: no I/O and no clock; `now` is in seconds of one that goes on while daemons change. A [`Transaction`] is applied whole or not at all, at a cost that
//! depends on its changes only: whoever adds 40,000 destinations one by one must not pay for all
//! of them each time, so nothing is cloned; what was done is undone when a later change fails.

mod change;
mod destination;
mod ordered;
mod slow_start;
#[cfg(test)]
mod tests;
mod undo;

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

use rlvs_control::rules;
use rlvs_control::{
    Change, Destination, DestinationKey, Error, Service, ServiceKey, SyncDaemon, SyncRole,
    Timeouts, Transaction,
};
use serde::{Deserialize, Serialize};

pub use destination::{DesiredDestination, Draining};
use ordered::{Keyed, Ordered};
pub use slow_start::Present;
use undo::Undo;

/// The desired state of a director.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Desired {
    services: Ordered<DesiredService>,
    timeouts: Timeouts,
    /// Settings of IPVS that were set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    sysctls: BTreeMap<String, String>,
    /// Synchronisation daemons that were started.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    daemons: BTreeMap<SyncRole, SyncDaemon>,
}

/// A virtual service with its destinations.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct DesiredService {
    #[serde(flatten)]
    service: Service,
    destinations: Ordered<DesiredDestination>,
    /// For full NAT.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    local_addresses: Vec<IpAddr>,
}

impl Desired {
    /// Makes all changes of `transaction`, or none.
    ///
    /// `step` is called after each single change, with the state at that point and the change as
    /// it was made (a port that LVS replaces is replaced). When a later change fails, what `step`
    /// saw is undone without a further call: its effects must be kept apart until this returns.
    pub fn apply(
        &mut self,
        transaction: &Transaction,
        now: u64,
        step: &mut dyn FnMut(&Self, &Change),
    ) -> Result<(), Error> {
        let mut done = Vec::with_capacity(transaction.changes.len());
        let mut moment = Moment::at(now);
        for (index, change) in transaction.changes.iter().enumerate() {
            let change = rules::as_made(change);
            match self.make(&change, &mut moment) {
                Ok(undo) => done.push(undo),
                Err(error) => {
                    self.undo(done);
                    return Err(Error {
                        change: Some(index),
                        ..error
                    });
                }
            }
            step(self, &change);
        }
        Ok(())
    }

    /// In the order they were added.
    pub fn services(&self) -> impl DoubleEndedIterator<Item = &DesiredService> + ExactSizeIterator {
        self.services.iter()
    }

    /// Whether SIP's Call-IDs decide in any of them.
    pub fn reads_calls(&self) -> bool {
        let mut services = self.services();
        services.any(|service| service.service().persistence_engine.is_some())
    }

    pub fn service(&self, key: &ServiceKey) -> Option<&DesiredService> {
        self.services.find(key)
    }

    pub fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    /// The value that a setting of IPVS was set to, by its name without prefix.
    pub fn sysctl(&self, name: &str) -> Option<&str> {
        self.sysctls.get(name).map(String::as_str)
    }

    /// Synchronisation daemons, the master first.
    pub fn daemons(&self) -> impl Iterator<Item = &SyncDaemon> {
        self.daemons.values()
    }

    /// The latest first.
    fn undo(&mut self, done: Vec<Undo>) {
        for undo in done.into_iter().rev() {
            undo.run(self);
        }
    }
}

/// When a change is made, and what came before it in its transaction.
struct Moment {
    now: u64,
    /// Services that were added: what is added to them was there from their beginning.
    added: HashSet<ServiceKey>,
}

impl Moment {
    fn at(now: u64) -> Self {
        Self {
            now,
            added: HashSet::new(),
        }
    }
}

impl DesiredService {
    fn new(service: Service) -> Self {
        Self {
            service,
            destinations: Ordered::default(),
            local_addresses: Vec::new(),
        }
    }

    pub fn service(&self) -> &Service {
        &self.service
    }

    /// For full NAT, in the order they were added.
    pub fn local_addresses(&self) -> &[IpAddr] {
        &self.local_addresses
    }

    /// In LVS's order, which schedulers follow: the one added last comes first.
    pub fn destinations(
        &self,
    ) -> impl DoubleEndedIterator<Item = &Destination> + ExactSizeIterator {
        self.members().map(DesiredDestination::destination)
    }

    /// The same, with what is desired of them for a time.
    pub fn members(
        &self,
    ) -> impl DoubleEndedIterator<Item = &DesiredDestination> + ExactSizeIterator {
        self.destinations.iter().rev()
    }

    pub fn destination(&self, key: &DestinationKey) -> Option<&Destination> {
        self.member(key).map(DesiredDestination::destination)
    }

    pub fn member(&self, key: &DestinationKey) -> Option<&DesiredDestination> {
        self.destinations.find(key)
    }
}

impl Keyed for DesiredService {
    type Key = ServiceKey;

    fn key(&self) -> ServiceKey {
        self.service.key
    }
}
