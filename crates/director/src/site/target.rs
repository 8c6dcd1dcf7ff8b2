//! What a site's services are to be, as far as checks have it so.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;

use rlvs_check::machine::Wanted;
use rlvs_config::model::VirtualServer;
use rlvs_control::{Change, Destination, Service, ServiceKey};

use rlvs_control::rules::as_made;

/// A virtual service with all that belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Target {
    pub(crate) service: Service,
    pub(crate) local_addresses: Vec<IpAddr>,
    /// In the order that they are added.
    pub(crate) destinations: Vec<Destination>,
}

/// Everything at its configured weight, and no sorry server: as if no check had ever failed.
pub(crate) fn all_up(server: &VirtualServer) -> Wanted {
    let inhibited = server
        .policy
        .sorry_server
        .is_some_and(|sorry| sorry.inhibit);
    Wanted {
        servers: server
            .real
            .iter()
            .map(|real| Some(real.destination.weight))
            .collect(),
        sorry_server: inhibited.then_some(0),
    }
}

/// The services of one virtual server.
pub(crate) fn targets(server: &VirtualServer, wanted: &Wanted) -> Vec<Target> {
    let targets = server.services.iter().map(|service| Target {
        service: service.clone(),
        local_addresses: server.local_addresses.clone(),
        destinations: pool(service.key, server, wanted),
    });
    targets.collect()
}

/// The destinations of one service. The sorry server may be one of the real servers, too.
pub(crate) fn pool(
    service: ServiceKey,
    server: &VirtualServer,
    wanted: &Wanted,
) -> Vec<Destination> {
    let real = server.real.iter().map(|real| &real.destination);
    let members = real.chain(&server.sorry_server);
    let weights = wanted.servers.iter().copied().chain([wanted.sorry_server]);
    let mut places = HashMap::new();
    let mut pool: Vec<Destination> = Vec::with_capacity(server.real.len());
    for (member, weight) in members.zip(weights) {
        let Some(weight) = weight else { continue };
        let destination = placed(service, member, weight);
        match places.entry(destination.key) {
            Entry::Vacant(place) => {
                place.insert(pool.len());
                pool.push(destination);
            }
            Entry::Occupied(place) => {
                let there = &mut pool[*place.get()];
                there.weight = there.weight.max(weight);
            }
        }
    }
    pool
}

/// A destination as the service has it.
pub(super) fn placed(service: ServiceKey, member: &Destination, weight: u32) -> Destination {
    let destination = Destination {
        weight,
        ..member.clone()
    };
    let add = Change::AddDestination {
        service,
        destination,
    };
    match as_made(&add).into_owned() {
        Change::AddDestination { destination, .. } => destination,
        _ => member.clone(),
    }
}
