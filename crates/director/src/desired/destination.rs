//! A destination, and what is desired of it for a time: to be drained.
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
    pub(super) fn new(destination: Destination) -> Self {
        Self {
            destination,
            draining: None,
        }
    }

    pub fn destination(&self) -> &Destination {
        &self.destination
    }

    pub fn draining(&self) -> Option<&Draining> {
        self.draining.as_ref()
    }

    pub(super) fn edited(&self, wanted: &Destination) -> Self {
        let mut edited = Self {
            destination: wanted.clone(),
            draining: self.draining,
        };
        if let Some(draining) = &mut edited.draining {
            draining.weight = std::mem::take(&mut edited.destination.weight);
        }
        edited
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

    pub(super) fn undrained(&self, service: &ServiceKey) -> Result<Self, Error> {
        let draining = self.draining.ok_or_else(|| {
            let key = self.destination.key;
            let message =
                format!("{key} of {service} is not being drained: `rlvs drain` lists what is");
            Error::new(Code::Invalid, message)
        })?;
        let mut undrained = self.clone();
        undrained.draining = None;
        undrained.destination.weight = draining.weight;
        Ok(undrained)
    }
}

impl Keyed for DesiredDestination {
    type Key = DestinationKey;

    fn key(&self) -> DestinationKey {
        self.destination.key
    }
}
