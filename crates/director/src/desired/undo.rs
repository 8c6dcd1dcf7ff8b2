//! How to take a change back.

use std::net::IpAddr;

use rlvs_control::{DestinationKey, Service, ServiceKey, SyncDaemon, SyncRole, Timeouts};

use super::ordered::{Keyed, Ordered, Place};
use super::{Desired, DesiredDestination, DesiredService};

/// The opposite of a change that was made. It holds what the change destroyed.
#[derive(Debug)]
pub(super) enum Undo {
    Nothing,
    PutBackAll(Ordered<DesiredService>),
    PutBackDestination(ServiceKey, Place, DesiredDestination),
    PutBackService(Place, Box<DesiredService>),
    PutBackDaemon(SyncDaemon),
    RemoveDaemon(SyncRole),
    RemoveDestination(ServiceKey, DestinationKey),
    RemoveService(ServiceKey),
    ReplaceDestination(ServiceKey, DesiredDestination),
    ReplaceLocalAddresses(ServiceKey, Vec<IpAddr>),
    ReplaceService(Box<Service>),
    ReplaceSysctl(&'static str, Option<String>),
    ReplaceTimeouts(Timeouts),
}

impl Undo {
    /// Must run in the reverse order of the changes: then what it speaks of is there.
    pub(super) fn run(self, desired: &mut Desired) {
        match self {
            Self::Nothing => {}
            Self::PutBackAll(services) => desired.services = services,
            Self::PutBackService(place, service) => desired.services.put_back(place, *service),
            Self::RemoveService(key) => {
                desired.services.remove(&key);
            }
            Self::PutBackDaemon(daemon) => {
                desired.daemons.insert(daemon.role, daemon);
            }
            Self::RemoveDaemon(role) => {
                desired.daemons.remove(&role);
            }
            Self::ReplaceTimeouts(timeouts) => desired.timeouts = timeouts,
            Self::ReplaceSysctl(name, Some(old)) => {
                desired.sysctls.insert(name.to_owned(), old);
            }
            Self::ReplaceSysctl(name, None) => {
                desired.sysctls.remove(name);
            }
            Self::ReplaceService(old) => {
                let key = old.key;
                in_service(desired, &key, |known| known.service = *old);
            }
            Self::PutBackDestination(key, place, old) => {
                in_service(desired, &key, |known| {
                    known.destinations.put_back(place, old)
                });
            }
            Self::RemoveDestination(key, destination) => {
                in_service(desired, &key, |known| {
                    known.destinations.remove(&destination);
                });
            }
            Self::ReplaceLocalAddresses(key, old) => {
                in_service(desired, &key, |known| known.local_addresses = old);
            }
            Self::ReplaceDestination(key, old) => in_service(desired, &key, |known| {
                if let Some(destination) = known.destinations.find_mut(&old.key()) {
                    *destination = old;
                }
            }),
        }
    }
}

fn in_service(desired: &mut Desired, key: &ServiceKey, edit: impl FnOnce(&mut DesiredService)) {
    if let Some(service) = desired.services.find_mut(key) {
        edit(service);
    }
}
