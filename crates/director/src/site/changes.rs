//! What makes the director's services those of a site, and nothing more: what is as it should be
//! is not touched, so counters, connections and slow starts of the rest go on.

use std::collections::{HashMap, HashSet};

use rlvs_check::machine::Wanted;
use rlvs_config::model::VirtualServer;
use rlvs_control::{Change, Destination, DestinationKey, ServiceKey};

use super::target::{Target, pool};
use crate::desired::{Desired, DesiredDestination, DesiredService};

/// All changes. Services with an owned key that the site has no more are deleted; others that it
/// does not name are somebody else's.
pub(crate) fn changes(
    desired: &Desired,
    owned: &HashSet<ServiceKey>,
    targets: &[Target],
) -> Vec<Change> {
    let named: HashSet<ServiceKey> = targets.iter().map(|it| it.service.key).collect();
    let present = desired.services().map(|it| it.service().key);
    let gone = present.filter(|key| owned.contains(key) && !named.contains(key));
    let mut changes: Vec<Change> = gone.map(Change::DeleteService).collect();
    for target in targets {
        match desired.service(&target.service.key) {
            Some(present) => to_be_changed(present, target, &mut changes),
            None => to_be_added(target, &mut changes),
        }
    }
    changes
}

/// What checks want changed in the services of a virtual server. Where an operator took out what
/// they speak of, it stays out.
pub(crate) fn by_checks(
    desired: &Desired,
    server: &VirtualServer,
    before: &Wanted,
    after: &Wanted,
) -> Vec<Change> {
    let keys = server.services.iter().map(|service| service.key);
    let present = keys.filter_map(|key| Some((key, desired.service(&key)?)));
    present
        .flat_map(|(key, service)| {
            let before = by_key(pool(key, server, before));
            let after = pool(key, server, after);
            turned(key, service, before, after)
        })
        .collect()
}

/// Of one service.
fn turned(
    key: ServiceKey,
    service: &DesiredService,
    mut before: HashMap<DestinationKey, Destination>,
    after: Vec<Destination>,
) -> Vec<Change> {
    let mut changes = Vec::new();
    for destination in after {
        let was = before.remove(&destination.key);
        if was.as_ref() == Some(&destination) {
            continue;
        }
        match service.member(&destination.key) {
            None if was.is_none() => changes.push(add(key, destination)),
            Some(there) if !is(there, &destination) => changes.push(edit(key, destination)),
            _ => {}
        }
    }
    let is_spare = |gone: &DestinationKey| {
        let there = service.member(gone);
        there.is_some_and(|there| there.draining().is_none())
    };
    let gone = before.into_keys().filter(is_spare);
    changes.extend(gone.map(|gone| delete(key, gone)));
    changes
}

fn by_key(pool: Vec<Destination>) -> HashMap<DestinationKey, Destination> {
    pool.into_iter().map(|it| (it.key, it)).collect()
}

fn to_be_added(target: &Target, changes: &mut Vec<Change>) {
    let key = target.service.key;
    changes.push(Change::AddService(target.service.clone()));
    let address = |address: &_| Change::AddLocalAddress {
        service: key,
        address: *address,
    };
    changes.extend(target.local_addresses.iter().map(address));
    let destinations = target.destinations.iter().cloned();
    changes.extend(destinations.map(|destination| add(key, destination)));
}

fn to_be_changed(present: &DesiredService, target: &Target, changes: &mut Vec<Change>) {
    let key = target.service.key;
    if *present.service() != target.service {
        changes.push(Change::EditService(target.service.clone()));
    }
    let (had, wanted) = (present.local_addresses(), &target.local_addresses);
    for address in wanted.iter().filter(|address| !had.contains(address)) {
        changes.push(Change::AddLocalAddress {
            service: key,
            address: *address,
        });
    }
    let wanted_keys: HashMap<DestinationKey, &Destination> = target
        .destinations
        .iter()
        .map(|destination| (destination.key, destination))
        .collect();
    // What is drained goes by itself. In the order they were added.
    let spare = present.members().rev().filter(|member| {
        member.draining().is_none() && !wanted_keys.contains_key(&member.destination().key)
    });
    changes.extend(spare.map(|member| delete(key, member.destination().key)));
    for destination in &target.destinations {
        match present.member(&destination.key) {
            None => changes.push(add(key, destination.clone())),
            Some(member) if !is(member, destination) => {
                changes.push(edit(key, destination.clone()))
            }
            Some(_) => {}
        }
    }
    // Last: connections by full NAT need one.
    for address in had.iter().filter(|address| !wanted.contains(address)) {
        changes.push(Change::DeleteLocalAddress {
            service: key,
            address: *address,
        });
    }
}

/// Whether a destination is as it should be. While it is drained, its weight is what it gets back.
fn is(member: &DesiredDestination, wanted: &Destination) -> bool {
    let mut plain = member.destination().clone();
    if let Some(draining) = member.draining() {
        plain.weight = draining.weight;
    }
    plain == *wanted
}

fn add(service: ServiceKey, destination: Destination) -> Change {
    Change::AddDestination {
        service,
        destination,
    }
}

fn edit(service: ServiceKey, destination: Destination) -> Change {
    Change::EditDestination {
        service,
        destination,
    }
}

fn delete(service: ServiceKey, destination: DestinationKey) -> Change {
    Change::DeleteDestination {
        service,
        destination,
    }
}
