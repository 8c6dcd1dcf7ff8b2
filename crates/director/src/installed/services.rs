//! A desired service into records.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::ops::Range;
use std::time::Instant;

use rlvs_control::model::{Family, Granularity};
use rlvs_control::{Protocol, Service as DesiredRecord, ServiceKey};
use rlvs_engine::schedule::{Flags, Members, NODES_PER_MEMBER, Scheduler, layout, rows};
use rlvs_engine::service::{self, MARKED, Service, ServiceKey as Key};
use rlvs_engine::settings::ticks;
use rlvs_engine::{V4, V6};
use rlvs_plane::{IndexKey, Store};
use rlvs_wire::protocol;

use super::cursor::{Cursor, gcd_and_reach};
use super::rows::rows;
use super::servers::is_service;
use super::{Installed, InstalledService, Retired};
use crate::desired::{DesiredService, Present};

/// What IPVS's wrr learns of each single change, in order: the gcd of all weights, and their
/// maximum - gcd + 1. Its current weight goes through all of them.
pub type Steps = Vec<(u32, u32)>;

/// The present moment, by two clocks.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    pub instant: Instant,
    /// As [`Desired::apply`](crate::desired::Desired::apply) counts.
    pub seconds: u64,
}

impl Installed {
    /// Makes the records of one service as it is desired now: written, changed, or removed.
    pub fn install<S: Store>(
        &mut self,
        store: &S,
        key: &ServiceKey,
        desired: Option<&DesiredService>,
        steps: &Steps,
        now: Now,
    ) -> Result<(), rlvs_plane::Error> {
        match desired {
            Some(desired) => self.write(store, key, desired, steps, now),
            None => self.remove(store, key, now.instant),
        }
    }

    fn write<S: Store>(
        &mut self,
        store: &S,
        key: &ServiceKey,
        desired: &DesiredService,
        steps: &Steps,
        now: Now,
    ) -> Result<(), rlvs_plane::Error> {
        let is_new = !self.services.contains_key(key);
        if is_new {
            let number = self
                .free_services
                .pop()
                .ok_or(rlvs_plane::Error::ServicesFull)?;
            self.services.insert(*key, InstalledService::new(number));
        }
        let number = self.services[key].number;
        let record = &store.services()[number as usize];
        let scheduler = scheduler(desired.service());
        if is_new {
            // What another service left there is no scheduler to change from.
            let none = Members::new(0, 0, 0, scheduler);
            record.members.store(none.0);
            record.cursor.store(0);
            record.pool.store(0);
            self.begin_counters(store, key);
        }
        let mut cursor = Cursor::read(store, record);
        let present = desired.present(now.seconds);
        let members = self.write_destinations(store, key, desired, &present, number)?;
        self.write_pool(store, key, desired, now.instant)?;
        if !is_new && scheduler != record.scheduler() {
            Self::forget_localities(store, &HashSet::from([number]))?;
        }
        write_service(record, desired.service());
        match present.rise {
            // Nobody saw the weights that are desired.
            true => cursor.moved(scheduler, &members, &[of_members(&members)]),
            false => cursor.moved(scheduler, &members, steps),
        }
        self.write_members(store, key, scheduler, &members, now.instant)?;
        record.cursor.store(cursor.word());
        self.retire_missing(store, key, desired, now.instant);
        if is_new {
            self.show(store, key, Some(number))?;
        }
        Ok(())
    }

    /// Writes the list for schedulers in a region of its own and points the service to it.
    fn write_members<S: Store>(
        &mut self,
        store: &S,
        key: &ServiceKey,
        scheduler: Scheduler,
        members: &[(u32, u32)],
        now: Instant,
    ) -> Result<(), rlvs_plane::Error> {
        let leaves = (members.len() as u32).next_power_of_two();
        debug_assert!(2 * leaves <= NODES_PER_MEMBER * (members.len() as u32).max(1));
        let rows = rows(store, scheduler, members);
        let region = self.region(store, 2 * leaves + rows::nodes(rows.len() as u32))?;
        let nodes = store.nodes();
        let write = |node: u32, word| nodes[node as usize].store(word);
        let word = layout(region.start, members, scheduler, write);
        rows::lay(word, &rows, write);
        let service = self.services.get_mut(key).expect("it was written just now");
        store.services()[service.number as usize]
            .members
            .store(word.0);
        if let Some(old) = service.region.replace(region) {
            self.retired.push((now, Retired::Region(old)));
        }
        Ok(())
    }

    /// Room for a list; what was given up of late is used if there is no other.
    pub(super) fn region<S: Store>(
        &mut self,
        store: &S,
        nodes: u32,
    ) -> Result<Range<u32>, rlvs_plane::Error> {
        if let Ok(region) = self.regions.allocate_range(nodes) {
            return Ok(region);
        }
        store.wait_for_packets();
        self.reuse_retired(store, |_| true);
        let region = self.regions.allocate_range(nodes);
        region.map_err(|_| rlvs_plane::Error::NodesFull)
    }

    /// Gives the members of a service that was installed as it is desired the weights they have
    /// by now: those that have risen are written, and what depends on them. A packet that reads
    /// meanwhile finds the old or the new; leaves come first, so that no sum promises more than
    /// they have.
    pub fn raise<S: Store>(&self, store: &S, key: &ServiceKey, present: &Present) {
        let Some(service) = self.services.get(key) else {
            return;
        };
        let old = store.services()[service.number as usize].members();
        let member = |index| old.member(store, index).map(|(_, number)| number);
        let numbers = (0..old.count()).filter_map(member);
        let members: Vec<_> = present.weights.iter().copied().zip(numbers).collect();
        if members.len() != old.count() as usize {
            return;
        }
        layout(old.base(), &members, old.scheduler(), |node, word| {
            let node = &store.nodes()[node as usize];
            if node.load() != word {
                node.store(word);
            }
        });
    }

    fn remove<S: Store>(
        &mut self,
        store: &S,
        key: &ServiceKey,
        now: Instant,
    ) -> Result<(), rlvs_plane::Error> {
        if !self.services.contains_key(key) {
            return Ok(());
        }
        self.show(store, key, None)?;
        self.retire_all(store, key, now);
        if let Some(service) = self.services.remove(key) {
            store.services()[service.number as usize]
                .members
                .store(Members::default().0);
            self.retired.push((now, Retired::Service(service.number)));
            store.services()[service.number as usize].pool.store(0);
            let regions = service.region.into_iter().chain(service.pool);
            let regions = regions.map(|region| (now, Retired::Region(region)));
            self.retired.extend(regions);
        }
        Ok(())
    }

    /// Lets packets find the service, or no longer.
    fn show<S: Store>(
        &self,
        store: &S,
        key: &ServiceKey,
        number: Option<u32>,
    ) -> Result<(), rlvs_plane::Error> {
        if number.is_some() {
            super::filter::add(store, key);
        }
        store.set_index(index_key(key), number)
    }

    /// Reads back what an earlier daemon wrote.
    pub fn adopt<S: Store>(store: &S, now: Instant) -> Result<Self, rlvs_plane::Error> {
        let mut installed = Self::new(store);
        let index = store.index()?.into_iter();
        let (services, servers): (Vec<_>, Vec<_>) = index.partition(|(key, _)| is_service(key));
        installed
            .told
            .extend(servers.into_iter().map(|(key, _)| key));
        let mut keys = HashMap::new();
        for (key, number) in services {
            let key = service_key(&key);
            keys.insert(number, key);
            installed
                .services
                .insert(key, InstalledService::new(number));
        }
        installed
            .free_services
            .retain(|number| !keys.contains_key(number));
        installed.adopt_destinations(store, &keys, now);
        installed.adopt_regions(store);
        installed.adopt_locals(store, now);
        Ok(installed)
    }

    fn adopt_regions<S: Store>(&mut self, store: &S) {
        let mut taken = Vec::new();
        for service in self.services.values_mut() {
            let members = store.services()[service.number as usize].members();
            if members != Members::default() {
                let rows = rows::count(store, members).unwrap_or(0);
                let length = members.nodes() + rows::nodes(rows);
                let region = members.base()..members.base() + length;
                service.region = Some(region.clone());
                taken.push(region);
            }
            let pool = store.services()[service.number as usize].pool();
            if pool.count() > 0 {
                let region = pool.base()..pool.base() + pool.count();
                service.pool = Some(region.clone());
                taken.push(region);
            }
        }
        self.regions = allocator_without(taken, store.nodes().len() as u32);
    }
}

impl InstalledService {
    fn new(number: u32) -> Self {
        Self {
            number,
            region: None,
            pool: None,
            destinations: HashMap::new(),
        }
    }
}

/// No region begins at 0: then the word of one is never that of none.
pub(super) const FIRST_NODE: u32 = 1;

/// An allocator from which `taken` are allocated: all of it in pieces, the others freed again.
fn allocator_without(mut taken: Vec<Range<u32>>, end: u32) -> range_alloc::RangeAllocator<u32> {
    let mut allocator = range_alloc::RangeAllocator::new(FIRST_NODE..end);
    taken.sort_by_key(|range| range.start);
    let _ = allocator.allocate_range(end - FIRST_NODE);
    let mut free_from = FIRST_NODE;
    for range in taken {
        if range.start > free_from {
            allocator.free_range(free_from..range.start);
        }
        free_from = range.end.max(free_from);
    }
    if free_from < end {
        allocator.free_range(free_from..end);
    }
    allocator
}

fn of_members(members: &[(u32, u32)]) -> (u32, u32) {
    gcd_and_reach(members.iter().map(|&(weight, _)| weight))
}

fn scheduler(desired: &DesiredRecord) -> Scheduler {
    Scheduler::from_name(&desired.scheduler).unwrap_or(Scheduler::Wlc)
}

/// All but the scheduler, which is written with what is laid out for it.
fn write_service(record: &Service, desired: &DesiredRecord) {
    let mut mode = Service::with_flags(Flags(desired.scheduler_flags.into()));
    if let Some(persistence) = desired.persistence {
        record.persistence.store(ticks(persistence.timeout));
        service::store_octets(&record.mask, mask(persistence.granularity));
        mode |= Service::PERSISTENT;
    }
    if desired.one_packet {
        mode |= Service::ONE_PACKET;
    }
    if desired.persistence_engine.is_some() {
        mode |= Service::BY_CALL;
    }
    if many_ports(&desired.key).is_some() {
        mode |= Service::MANY_PORTS;
    }
    record.mark.store(match desired.key {
        ServiceKey::Mark { mark, .. } => mark,
        ServiceKey::Address { .. } => 0,
    });
    record.mode.store(mode);
}

/// The port of a service that may have connections to others: one on all ports, and one for FTP,
/// whose data goes where its commands went. The latter only while it is persistent; but what was
/// begun then goes on as it is.
pub(super) fn many_ports(key: &ServiceKey) -> Option<[u8; 2]> {
    let ServiceKey::Address { protocol, port, .. } = *key else {
        return None;
    };
    let port = port.to_be_bytes();
    let is_ftp = protocol == Protocol::Tcp && port == service::FTP_PORT;
    (is_ftp || port == service::ANY_PORT).then_some(port)
}

fn mask(granularity: Granularity) -> [u8; 16] {
    let mut mask = [0; 16];
    match granularity {
        Granularity::Mask(of) => mask[..4].copy_from_slice(&of.octets()),
        Granularity::Prefix(length) => {
            let bits = u128::MAX
                .checked_shl(128 - u32::from(length.min(128)))
                .unwrap_or(0);
            mask = bits.to_be_bytes();
        }
    }
    mask
}

/// Where packets find a service.
fn index_key(key: &ServiceKey) -> IndexKey {
    let (protocol, address, port) = match *key {
        ServiceKey::Address {
            protocol,
            address,
            port,
        } => (protocol, address, port),
        ServiceKey::Mark { family, mark } => {
            return match family {
                Family::Ipv4 => IndexKey::V4(Key::of_mark::<V4>(mark)),
                Family::Ipv6 => IndexKey::V6(Key::of_mark::<V6>(mark)),
            };
        }
    };
    let (port, protocol) = (port.to_be_bytes(), number(protocol));
    match address {
        IpAddr::V4(address) => IndexKey::V4(Key::new(address.octets(), port, protocol)),
        IpAddr::V6(address) => IndexKey::V6(Key::new(address.octets(), port, protocol)),
    }
}

fn service_key(key: &IndexKey) -> ServiceKey {
    let (family, address, port, number) = match *key {
        IndexKey::V4(key) => (Family::Ipv4, key.address.into(), key.port, key.protocol),
        IndexKey::V6(key) => (Family::Ipv6, key.address.into(), key.port, key.protocol),
    };
    let protocol = match number {
        MARKED => {
            let mark = mark_of(address);
            return ServiceKey::Mark { family, mark };
        }
        protocol::UDP => Protocol::Udp,
        protocol::SCTP => Protocol::Sctp,
        _ => Protocol::Tcp,
    };
    ServiceKey::Address {
        protocol,
        address,
        port: u16::from_be_bytes(port),
    }
}

/// The mark that stands in the place of an address.
fn mark_of(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(address) => address.to_bits(),
        IpAddr::V6(address) => (address.to_bits() >> 96) as u32,
    }
}

pub(super) fn number(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Tcp => protocol::TCP,
        Protocol::Udp => protocol::UDP,
        Protocol::Sctp => protocol::SCTP,
    }
}
