//! What a director says of itself.

use std::collections::BTreeMap;
use std::net::IpAddr;

use rlvs_control::Status;
use rlvs_control::model::{DestinationKey, Family, ForwardingMethod, ServiceKey};
use rlvs_control::status::{Attachment, NextHop};

/// The director of this network namespace.
#[derive(Clone, Debug)]
pub enum Director {
    /// No daemon runs; whether what an earlier one installed is still in the kernel.
    Absent {
        installed: bool,
    },
    /// It runs, and would not say.
    Silent {
        reason: String,
    },
    Running(Running),
}

/// A director that runs.
#[derive(Clone, Debug, Default)]
pub struct Running {
    /// The interfaces that its program is not on, and why.
    pub detached: BTreeMap<String, String>,
    /// Those that it is on in traffic control, and why.
    pub in_tc: BTreeMap<String, String>,
    pub services: Vec<Service>,
}

/// A virtual service.
#[derive(Clone, Debug)]
pub struct Service {
    pub key: ServiceKey,
    pub destinations: Vec<Destination>,
    /// What stands for clients in full NAT.
    pub local_addresses: Vec<IpAddr>,
}

/// A real server of one service.
#[derive(Clone, Debug)]
pub struct Destination {
    pub key: DestinationKey,
    pub method: ForwardingMethod,
    /// The interface that its packets leave by, or why there is none.
    pub next_hop: Result<String, String>,
    /// How large a packet may be on the way there, as far as this machine knows.
    pub path_mtu: Option<u32>,
}

impl Default for Director {
    fn default() -> Self {
        Self::Absent { installed: false }
    }
}

/// The director's words for an interface that its configuration leaves out, and for a port.
const LEFT_OUT: &str = "not among the configured interfaces";
const PART: &str = "part of ";

impl Running {
    /// Whether the director has nothing to do with an interface's packets there.
    pub(crate) fn leaves_out(&self, interface: &str) -> bool {
        let reason = self.detached.get(interface);
        reason.is_some_and(|reason| reason == LEFT_OUT || reason.starts_with(PART))
    }

    pub(crate) fn destinations(&self) -> impl Iterator<Item = (&Service, &Destination)> {
        self.services.iter().flat_map(|service| {
            let each = service.destinations.iter();
            each.map(move |destination| (service, destination))
        })
    }

    /// Whether a service of this family has a firewall mark.
    pub(crate) fn has_marks(&self, family: Family) -> bool {
        let mut keys = self.services.iter().map(|service| service.key);
        keys.any(|key| matches!(key, ServiceKey::Mark { family: of, .. } if of == family))
    }

    /// Whether a service of this family has a destination that is reached so.
    pub(crate) fn uses(&self, family: Family, method: fn(&ForwardingMethod) -> bool) -> bool {
        self.destinations().any(|(service, destination)| {
            service.key.family() == family && method(&destination.method)
        })
    }
}

impl From<Status> for Running {
    fn from(status: Status) -> Self {
        let those = |attachment: Attachment| {
            let of = status.interfaces.iter();
            of.filter(|it| it.attachment == attachment)
                .map(|it| (it.name.clone(), it.reason.clone()))
                .collect()
        };
        let (detached, in_tc) = (those(Attachment::Detached), those(Attachment::Tc));
        let services = status.services.into_iter().map(|service| Service {
            key: service.key,
            local_addresses: service
                .local_addresses
                .iter()
                .map(|it| it.address)
                .collect(),
            destinations: service
                .destinations
                .into_iter()
                .map(|destination| Destination {
                    key: destination.key,
                    method: destination.method,
                    next_hop: match destination.next_hop {
                        NextHop::Resolved { interface, .. } => Ok(interface),
                        // As the kernel routes its own addresses.
                        NextHop::Local => Ok("lo".to_owned()),
                        NextHop::Unresolved { reason } => Err(reason),
                    },
                    path_mtu: None,
                })
                .collect(),
        });
        Self {
            detached,
            in_tc,
            services: services.collect(),
        }
    }
}
