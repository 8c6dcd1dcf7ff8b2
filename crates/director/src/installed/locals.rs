//! Local addresses of full NAT into records, and removed ones until their last connection is gone.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use rlvs_control::{LocalAddress, ServiceKey};
use rlvs_engine::lease::{Local, Pool};
use rlvs_engine::service::{load_octets, store_octets};
use rlvs_plane::Store;

use super::destinations::octets;
use super::{Installed, Retired};
use crate::desired::DesiredService;

/// So long a record stays after its last use: until no packet and no sweep is under way any more
/// that has seen it in use.
const REMEMBERED: Duration = Duration::from_secs(10);

/// What the table of local addresses holds.
#[derive(Debug)]
pub(super) struct Locals {
    /// In an order, so that numbers do not depend on chance.
    known: BTreeMap<IpAddr, Known>,
    free: Vec<u32>,
    /// Connections of each, as the last sweep counted them.
    leases: HashMap<IpAddr, u64>,
}

#[derive(Debug)]
struct Known {
    number: u32,
    /// When it last was a service's, or had connections.
    since: Instant,
}

impl Locals {
    pub(super) fn new<S: Store>(store: &S) -> Self {
        Self {
            known: BTreeMap::new(),
            free: (0..store.locals().len() as u32).rev().collect(),
            leases: HashMap::new(),
        }
    }
}

impl Installed {
    /// For how many more addresses there is room.
    pub fn room_for_locals(&self) -> usize {
        self.locals.free.len()
    }

    /// Writes which addresses a service has: their numbers in a fresh region, then the word that
    /// points there.
    pub(super) fn write_pool<S: Store>(
        &mut self,
        store: &S,
        key: &ServiceKey,
        desired: &DesiredService,
        now: Instant,
    ) -> Result<(), rlvs_plane::Error> {
        let addresses = desired.local_addresses();
        let mut numbers = Vec::with_capacity(addresses.len());
        for &address in addresses {
            numbers.push(self.local_number(store, address, now)?);
        }
        let service = self.services.get(key).expect("it was written just now");
        let record = &store.services()[service.number as usize];
        if self.pool(store, record.pool()) == numbers {
            return Ok(());
        }
        let region = match numbers.len() as u32 {
            0 => None,
            count => Some(self.region(store, count)?),
        };
        let pool = region.as_ref().map_or(Pool::default(), |region| {
            Pool::new(region.start, region.end - region.start)
        });
        for (node, number) in store.nodes()[pool.base() as usize..].iter().zip(numbers) {
            node.store(number.into());
        }
        record.pool.store(pool.0);
        let service = self.services.get_mut(key).expect("it is there still");
        if let Some(old) = std::mem::replace(&mut service.pool, region) {
            self.retired.push((now, Retired::Region(old)));
        }
        Ok(())
    }

    fn pool<S: Store>(&self, store: &S, pool: Pool) -> Vec<u32> {
        let nodes = pool.base() as usize..(pool.base() + pool.count()) as usize;
        let nodes = store.nodes().get(nodes).unwrap_or_default();
        nodes.iter().map(|node| node.load() as u32).collect()
    }

    fn local_number<S: Store>(
        &mut self,
        store: &S,
        address: IpAddr,
        now: Instant,
    ) -> Result<u32, rlvs_plane::Error> {
        if let Some(known) = self.locals.known.get(&address) {
            return Ok(known.number);
        }
        let number = self
            .locals
            .free
            .pop()
            .ok_or(rlvs_plane::Error::LocalsFull)?;
        let record = &store.locals()[number as usize];
        store_octets(&record.address, octets(address));
        record.conflicts.store(0);
        let family = if address.is_ipv6() { Local::IPV6 } else { 0 };
        record.flags.store(Local::USED | family);
        let known = Known { number, since: now };
        self.locals.known.insert(address, known);
        Ok(number)
    }

    /// What a sweep counted.
    pub fn note_leases(&mut self, leases: &HashMap<IpAddr, u64>, now: Instant) {
        self.locals.leases.clone_from(leases);
        for address in leases.keys() {
            if let Some(known) = self.locals.known.get_mut(address) {
                known.since = now;
            }
        }
    }

    /// Frees the records that neither services nor connections have any more.
    pub(super) fn end_locals<S: Store>(&mut self, store: &S, now: Instant) {
        if self.locals.known.is_empty() {
            return;
        }
        let services = self.services.values();
        let used: BTreeSet<u32> = services
            .flat_map(|service| self.pool(store, store.services()[service.number as usize].pool()))
            .collect();
        let locals = &mut self.locals;
        locals.known.retain(|_, known| {
            if used.contains(&known.number) {
                known.since = now;
            }
            let stays = now.duration_since(known.since) < REMEMBERED;
            if !stays {
                store.locals()[known.number as usize].flags.store(0);
                locals.free.push(known.number);
            }
            stays
        });
    }

    /// Reads back what an earlier daemon wrote.
    pub(super) fn adopt_locals<S: Store>(&mut self, store: &S, now: Instant) {
        for (number, record) in store.locals().iter().enumerate() {
            if record.flags.load() & Local::USED != 0 {
                let number = number as u32;
                let known = Known { number, since: now };
                self.locals.known.insert(address(record), known);
                self.locals.free.retain(|&free| free != number);
            }
        }
    }

    /// How the addresses of a service fare.
    pub fn local_addresses<S: Store>(
        &self,
        store: &S,
        desired: &DesiredService,
    ) -> Vec<LocalAddress> {
        let status = |&address: &IpAddr| LocalAddress {
            address,
            connections: self.locals.leases.get(&address).copied().unwrap_or(0),
            conflicts: self.locals.known.get(&address).map_or(0, |known| {
                store.locals()[known.number as usize].conflicts.load()
            }),
        };
        desired.local_addresses().iter().map(status).collect()
    }
}

fn address(record: &Local) -> IpAddr {
    let octets = load_octets(&record.address);
    match record.flags.load() & Local::IPV6 {
        0 => IpAddr::from([octets[0], octets[1], octets[2], octets[3]]),
        _ => IpAddr::from(octets),
    }
}
