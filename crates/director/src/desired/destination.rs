//! A destination, and what is desired of it for a time: to be drained, to start slowly.
//!
//! While it is drained its weight is 0, to all who ask. An edit then sets what it gets back.

use rlvs_control::{Code, Destination, DestinationKey, Error, ServiceKey};
use serde::{Deserialize, Serialize};

use super::ordered::Keyed;

/// A destination of a service.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct DesiredDestination {
    #[serde(flatten)]
    destination: Destination,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    draining: Option<Draining>,
    /// When it came to a service that was there, or came back from weight 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<u64>,
}

/// It takes no new connections, and shall be removed when it has none.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Draining {
    pub since: u64,
    /// When it is removed, whatever connections there are.
    pub until: Option<u64>,
    pub keeps_clients: bool,
    /// Its weight otherwise.
    pub weight: u32,
}

impl DesiredDestination {
    pub(super) fn new(destination: Destination, since: Option<u64>) -> Self {
        Self {
            destination,
            draining: None,
            since,
        }
    }

    pub fn destination(&self) -> &Destination {
        &self.destination
    }

    pub fn draining(&self) -> Option<&Draining> {
        self.draining.as_ref()
    }

    /// When it came, if it did not come with its service.
    pub(super) fn since(&self) -> Option<u64> {
        self.since
    }

    pub(super) fn edited(&self, wanted: &Destination, now: u64) -> Self {
        let mut edited = Self {
            destination: wanted.clone(),
            ..self.clone()
        };
        if let Some(draining) = &mut edited.draining {
            draining.weight = std::mem::take(&mut edited.destination.weight);
        }
        edited.came_back(self, now)
    }

    pub(super) fn drained(&self, deadline: Option<u32>, keeps_clients: bool, now: u64) -> Self {
        let (since, weight) = match self.draining {
            Some(draining) => (draining.since, draining.weight),
            None => (now, self.destination.weight),
        };
        let mut drained = self.clone();
        drained.destination.weight = 0;
        drained.draining = Some(Draining {
            since,
            until: deadline.map(|seconds| now + u64::from(seconds)),
            keeps_clients,
            weight,
        });
        drained
    }

    pub(super) fn undrained(&self, service: &ServiceKey, now: u64) -> Result<Self, Error> {
        let draining = self.draining.ok_or_else(|| {
            let key = self.destination.key;
            let message =
                format!("{key} of {service} is not being drained: `rlvs drain` lists what is");
            Error::new(Code::Invalid, message)
        })?;
        let mut undrained = self.clone();
        undrained.draining = None;
        undrained.destination.weight = draining.weight;
        Ok(undrained.came_back(self, now))
    }

    fn came_back(mut self, before: &Self, now: u64) -> Self {
        if before.destination.weight == 0 && self.destination.weight != 0 {
            self.since = Some(now);
        }
        self
    }
}

impl Keyed for DesiredDestination {
    type Key = DestinationKey;

    fn key(&self) -> DestinationKey {
        self.destination.key
    }
}
