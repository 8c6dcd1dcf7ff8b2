//! Desired destinations into records, and removed ones until their last connection is gone.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use rlvs_control::model::{self, GueChecksum};
use rlvs_control::{
    ClientAddress, Destination as Desired, DestinationKey, ForwardingMethod, Protocol, Service,
    ServiceKey,
};
use rlvs_engine::destination::{Destination, Tunnel};
use rlvs_engine::forward::Method;
use rlvs_engine::service::{ANY_PORT, load_octets, store_octets};
use rlvs_plane::Store;

use super::{Installed, Removed, filter};
use crate::desired::{DesiredDestination, DesiredService, Present};

/// How long a removed destination without connections is remembered, as in IPVS
/// (`IP_VS_DEST_TRASH_PERIOD`).
const REMEMBERED: Duration = Duration::from_secs(120);

/// In a record's service: that was removed.
const NO_SERVICE: u32 = u32::MAX;

/// In a record's port: the address is an IPv6 one.
const IPV6: u32 = 1 << 16;

impl Installed {
    /// Writes the records of all of a service's destinations; (present weight, number) in its
    /// order.
    pub(super) fn write_destinations<S: Store>(
        &mut self,
        store: &S,
        service: &ServiceKey,
        desired: &DesiredService,
        present: &Present,
        service_number: u32,
    ) -> Result<Vec<(u32, u32)>, rlvs_plane::Error> {
        let mut members = Vec::with_capacity(desired.destinations().len());
        for (member, &weight) in desired.members().zip(&present.weights) {
            let destination = member.destination();
            let is_new = self.destination(service, &destination.key).is_none();
            let number = self.number(store, service, &destination.key)?;
            let record = &store.destinations()[number as usize];
            record.service.store(service_number);
            if is_new || destination.weight != 0 {
                record.last_weight.store(destination.weight);
            }
            write(store, number, destination);
            write_method(store, number, member, desired.service());
            members.push((weight, number));
        }
        Ok(members)
    }

    /// The record of a destination: its own, the one it had before it was removed, or a new one.
    fn number<S: Store>(
        &mut self,
        store: &S,
        service: &ServiceKey,
        key: &DestinationKey,
    ) -> Result<u32, rlvs_plane::Error> {
        if let Some(number) = self.destination(service, key) {
            return Ok(number);
        }
        let number = match self.come_back(service, key) {
            Some(removed) => removed.number,
            None => self.take(store, key)?,
        };
        if let Some(service) = self.services.get_mut(service) {
            service.destinations.insert(*key, number);
        }
        Ok(number)
    }

    fn come_back(&mut self, service: &ServiceKey, key: &DestinationKey) -> Option<Removed> {
        let removed = self.removed.get_mut(service)?;
        let found = removed.remove(key);
        if removed.is_empty() {
            self.removed.remove(service);
        }
        found
    }

    fn take<S: Store>(
        &mut self,
        store: &S,
        key: &DestinationKey,
    ) -> Result<u32, rlvs_plane::Error> {
        let number = self
            .free_destinations
            .pop()
            .ok_or(rlvs_plane::Error::DestinationsFull)?;
        let record = &store.destinations()[number as usize];
        store_octets(&record.address, octets(key.address));
        record
            .port
            .store(u32::from(key.port) | if key.address.is_ipv6() { IPV6 } else { 0 });
        let family = match key.address {
            IpAddr::V4(_) => 0,
            IpAddr::V6(_) => Destination::IPV6,
        };
        record.flags.store(Destination::USED | family);
        self.reset_counters(store, number);
        self.by_address.entry(key.address).or_default().push(number);
        self.write_hop(store, number, key.address);
        Ok(number)
    }

    /// Takes out the destinations that are no longer desired.
    pub(super) fn retire_missing<S: Store>(
        &mut self,
        store: &S,
        key: &ServiceKey,
        desired: &DesiredService,
        now: Instant,
    ) {
        let wanted: HashSet<_> = desired
            .destinations()
            .map(|destination| destination.key)
            .collect();
        self.retire(store, key, now, |destination| !wanted.contains(destination));
    }

    pub(super) fn retire_all<S: Store>(&mut self, store: &S, key: &ServiceKey, now: Instant) {
        self.retire(store, key, now, |_| true);
    }

    fn retire<S: Store>(
        &mut self,
        store: &S,
        key: &ServiceKey,
        now: Instant,
        which: impl Fn(&DestinationKey) -> bool,
    ) {
        let Some(service) = self.services.get_mut(key) else {
            return;
        };
        for (destination, number) in service.destinations.extract_if(|key, _| which(key)) {
            let flags = &store.destinations()[number as usize].flags;
            flags.store(flags.load() & !Destination::AVAILABLE);
            let removed = self.removed.entry(*key).or_default();
            removed.insert(destination, Removed { number, since: now });
        }
    }

    /// Frees the records of removed destinations whose time is over.
    pub(super) fn end_removed<S: Store>(&mut self, store: &S, now: Instant) {
        for removed in self.removed.values_mut().flat_map(HashMap::values_mut) {
            if is_in_use(store, removed.number) || self.localities.remember(removed.number) {
                removed.since = now;
            }
        }
        let over = |removed: &Removed| now.duration_since(removed.since) >= REMEMBERED;
        let mut ended = Vec::new();
        self.removed.retain(|service, removed| {
            let its = removed.extract_if(|_, removed| over(removed));
            ended.extend(its.map(|(key, removed)| (*service, key, removed)));
            !removed.is_empty()
        });
        // Not as the maps have them: the same changes take the same records.
        ended.sort_unstable_by_key(|(_, _, removed)| removed.number);
        for (service, key, removed) in ended {
            self.settle_counters(store, &service, removed.number);
            self.give_back(store, removed.number, key.address);
        }
    }

    /// The numbers of removed services are to be others': their removed destinations, whose
    /// records outlive them, are not the others'.
    pub(super) fn disown<S: Store>(&self, store: &S, services: &HashSet<u32>) {
        for removed in self.removed.values().flat_map(HashMap::values) {
            let record = &store.destinations()[removed.number as usize];
            if services.contains(&record.service.load()) {
                record.service.store(NO_SERVICE);
            }
        }
    }

    fn give_back<S: Store>(&mut self, store: &S, number: u32, address: IpAddr) {
        store.destinations()[number as usize].flags.store(0);
        if let Some(numbers) = self.by_address.get_mut(&address) {
            numbers.retain(|&other| other != number);
            if numbers.is_empty() {
                self.by_address.remove(&address);
                self.hops.remove(&address);
            }
        }
        self.free_destinations.push(number);
    }

    /// Reads back all records; `services` by number.
    pub(super) fn adopt_destinations<S: Store>(
        &mut self,
        store: &S,
        services: &HashMap<u32, ServiceKey>,
        now: Instant,
    ) {
        self.free_destinations.clear();
        for (number, record) in store.destinations().iter().enumerate().rev() {
            let number = number as u32;
            let service = services.get(&record.service.load());
            match (record.is(Destination::USED), service) {
                (true, Some(service)) => self.adopt_destination(record, number, service, now),
                // A removed destination of a removed service: only its connections know it.
                (true, None) => {
                    self.orphan(record, number, now);
                }
                _ => self.free_destinations.push(number),
            }
        }
    }

    fn adopt_destination(
        &mut self,
        record: &Destination,
        number: u32,
        service: &ServiceKey,
        now: Instant,
    ) {
        let key = key(record);
        self.by_address.entry(key.address).or_default().push(number);
        if record.is(Destination::AVAILABLE) {
            if let Some(installed) = self.services.get_mut(service) {
                installed.destinations.insert(key, number);
            }
        } else {
            let removed = self.removed.entry(*service).or_default();
            removed.insert(key, Removed { number, since: now });
        }
    }

    fn orphan(&mut self, record: &Destination, number: u32, now: Instant) {
        let key = key(record);
        // A group's address, one for each: nobody asks for it.
        let nowhere = ServiceKey::Address {
            protocol: Protocol::Tcp,
            address: Ipv6Addr::from_bits(0xff << 120 | u128::from(number)).into(),
            port: 0,
        };
        self.by_address.entry(key.address).or_default().push(number);
        let removed = self.removed.entry(nowhere).or_default();
        removed.insert(key, Removed { number, since: now });
    }
}

fn write<S: Store>(store: &S, number: u32, desired: &Desired) {
    let record = &store.destinations()[number as usize];
    record.weight.store(desired.weight);
    record.upper_threshold.store(desired.upper_threshold);
    record.lower_threshold.store(desired.lower_threshold);
    let load = &store.loads()[number as usize];
    let (active, inactive) = load.counts();
    if let Some(overloaded) = overloaded(desired, active + inactive) {
        load.overloaded.store(u32::from(overloaded));
    }
}

/// From here on packets go by its method, those of its connections too.
fn write_method<S: Store>(store: &S, number: u32, member: &DesiredDestination, service: &Service) {
    let desired = member.destination();
    let method = match desired.method {
        ForwardingMethod::Masquerade => Method::Masquerade,
        ForwardingMethod::Tunnel(_) => Method::Tunnel,
        ForwardingMethod::FullNat => Method::FullNat,
        ForwardingMethod::Route | ForwardingMethod::Local => Method::DirectRoute,
    };
    if method.answers_pass() {
        // Before the first packet goes there, for its answer.
        filter::add_server(store, desired.key.address);
    }
    let record = &store.destinations()[number as usize];
    if let ForwardingMethod::Tunnel(tunnel) = desired.method {
        record.tunnel.store(word(tunnel).0);
    }
    let told = match (method, service.client_address) {
        (Method::FullNat, ClientAddress::Toa) => Destination::TOA,
        (Method::FullNat, ClientAddress::Proxy) => Destination::PROXY,
        _ => 0,
    };
    let draining = match member.draining() {
        Some(draining) if !draining.keeps_clients => Destination::DRAINING,
        _ => 0,
    };
    let flags = &record.flags;
    let others = flags.load() & !WRITTEN;
    let serves = Destination::AVAILABLE | Destination::USED;
    let written = Destination::with_method(method) | told | ports(service, desired) | draining;
    flags.store(others | written | serves);
}

/// Flags that follow from the configuration.
const WRITTEN: u32 = Destination::METHODS
    | Destination::TOA
    | Destination::PROXY
    | Destination::DRAINING
    | Destination::KEEPS_PORT
    | Destination::KEEPS_DATA_PORT;

/// Which packets keep their port.
fn ports(service: &Service, destination: &Desired) -> u32 {
    if let ServiceKey::Mark { .. } = service.key {
        let keeps = service.persistence.is_some() || destination.key.port == 0;
        return if keeps { Destination::KEEPS_PORT } else { 0 };
    }
    match super::services::many_ports(&service.key) {
        Some(ANY_PORT) => Destination::KEEPS_PORT,
        Some(_) => Destination::KEEPS_DATA_PORT,
        None => 0,
    }
}

/// As packets' records have it.
pub(crate) fn word(tunnel: model::Tunnel) -> Tunnel {
    match tunnel {
        model::Tunnel::Ipip => Tunnel::new(Tunnel::IPIP, 0, 0),
        model::Tunnel::Gre { checksum: false } => Tunnel::new(Tunnel::GRE, 0, 0),
        model::Tunnel::Gre { checksum: true } => Tunnel::new(Tunnel::GRE, Tunnel::CHECKSUM, 0),
        model::Tunnel::Gue { port, checksum } => {
            let flags = match checksum {
                GueChecksum::None => 0,
                GueChecksum::Full => Tunnel::CHECKSUM,
                GueChecksum::Remote => Tunnel::REMOTE_CHECKSUM,
            };
            Tunnel::new(Tunnel::GUE, flags, port)
        }
    }
}

/// Whether a destination with so many connections is overloaded; none if it stays what it was.
/// Thresholds that were changed count at once, as in IPVS.
fn overloaded(desired: &Desired, connections: u32) -> Option<bool> {
    let (upper, lower) = (desired.upper_threshold, desired.lower_threshold);
    let lower = if lower == 0 { upper - upper / 4 } else { lower };
    if upper == 0 || connections < lower {
        Some(false)
    } else {
        (connections >= upper).then_some(true)
    }
}

fn is_in_use<S: Store>(store: &S, number: u32) -> bool {
    let load = &store.loads()[number as usize];
    load.counts() != (0, 0) || load.persistent.load() != 0
}

pub(super) fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        }
        IpAddr::V6(address) => address.octets(),
    }
}

/// Address and port of a record.
pub(crate) fn key(record: &Destination) -> DestinationKey {
    let octets = load_octets(&record.address);
    let port = record.port.load();
    let address = if port & IPV6 != 0 {
        IpAddr::from(octets)
    } else {
        IpAddr::from([octets[0], octets[1], octets[2], octets[3]])
    };
    DestinationKey {
        address,
        port: port as u16,
    }
}
