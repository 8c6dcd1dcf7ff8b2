//! Which destination here is meant by what others tell.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use rlvs_engine::destination::Destination;
use rlvs_engine::lease::Local;
use rlvs_engine::service::ServiceKey;
use rlvs_engine::{V4, V6};
use rlvs_plane::{IndexKey, Store};
use rlvs_sync::receiver::{Entry, Service};

use super::portrait::local_address;
use crate::installed::destination_key;

/// Services and their destinations, as the tables have them.
#[derive(Debug, Default)]
pub(super) struct Places {
    services: HashMap<IndexKey, u32>,
    /// By service, address and port.
    destinations: HashMap<(u32, SocketAddr), u32>,
    /// Addresses that stand for clients under full NAT.
    locals: HashMap<IpAddr, u32>,
}

impl Places {
    /// Reads them.
    pub(super) fn of<S: Store>(store: &S) -> Self {
        let all = store.index().unwrap_or_else(|error| {
            tracing::warn!(%error, "connections of other directors find no services");
            Vec::new()
        });
        let is_service = |key: &IndexKey| match key {
            IndexKey::V4(key) => key.is_service(),
            IndexKey::V6(key) => key.is_service(),
        };
        let numbered = (0..).zip(store.destinations());
        let destinations = numbered.filter(|(_, it)| it.is(Destination::AVAILABLE));
        Self {
            services: all.into_iter().filter(|(key, _)| is_service(key)).collect(),
            destinations: destinations
                .map(|(number, it)| ((it.service.load(), address(it)), number))
                .collect(),
            locals: locals(store),
        }
    }

    /// The destination's number, if it is there and still what it was.
    pub(super) fn find<S: Store>(&self, store: &S, entry: &Entry) -> Option<u32> {
        let told = entry.record().destination();
        let is_ipv6 = entry.record().client().is_ipv6();
        let service = entry
            .services()
            .find_map(|service| self.services.get(&key(service, is_ipv6)))?;
        let with = |port| SocketAddr::new(told.ip(), port);
        let mut ports = entry.destination_ports().into_iter();
        let number = ports.find_map(|port| self.destinations.get(&(*service, with(port))))?;
        let record = store.destination(*number)?;
        let is_same = record.is(Destination::AVAILABLE)
            && record.service.load() == *service
            && address(record).ip() == told.ip();
        is_same.then_some(*number)
    }

    /// The number of an address that stands for clients.
    pub(super) fn local<S: Store>(&self, store: &S, address: IpAddr) -> Option<u32> {
        let number = *self.locals.get(&address)?;
        let record = store.local(number)?;
        let is_same = record.flags.load() & Local::USED != 0 && local_address(record) == address;
        is_same.then_some(number)
    }
}

fn locals<S: Store>(store: &S) -> HashMap<IpAddr, u32> {
    let numbered = (0..).zip(store.locals());
    let used = numbered.filter(|(_, it)| it.flags.load() & Local::USED != 0);
    used.map(|(number, it)| (local_address(it), number))
        .collect()
}

fn address(record: &Destination) -> SocketAddr {
    let key = destination_key(record);
    SocketAddr::new(key.address, key.port)
}

fn key(service: Service, is_ipv6: bool) -> IndexKey {
    match service {
        Service::Mark(mark) if is_ipv6 => IndexKey::V6(ServiceKey::of_mark::<V6>(mark)),
        Service::Mark(mark) => IndexKey::V4(ServiceKey::of_mark::<V4>(mark)),
        Service::Address { protocol, address } => {
            let port = address.port().to_be_bytes();
            match address.ip() {
                IpAddr::V4(ip) => IndexKey::V4(ServiceKey::new(ip.octets(), port, protocol)),
                IpAddr::V6(ip) => IndexKey::V6(ServiceKey::new(ip.octets(), port, protocol)),
            }
        }
    }
}
