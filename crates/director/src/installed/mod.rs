//! The installed state: which record of the data plane's tables is what, and how a desired
//! service becomes records.
//!
//! The tables themselves are the only memory of it that lasts: [`Installed::adopt`] reads back
//! what an earlier daemon wrote. Packets flow while records are written, so everything is
//! ordered: a record is whole before it is pointed to, and used again only a while after.

mod cursor;
mod destinations;
mod filter;
mod hops;
mod localities;
mod locals;
mod rows;
mod servers;
mod services;
mod statistics;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use range_alloc::RangeAllocator;
use rlvs_control::{DestinationKey, ServiceKey};
use rlvs_plane::{IndexKey, Store};

pub(crate) use cursor::gcd_and_reach;
pub(crate) use destinations::{key as destination_key, word as tunnel_word};
pub use hops::Hop;
pub use services::{Now, Steps};
pub use statistics::Totals;

/// After this long no packet path still reads what was taken out of the tables.
const GRACE: Duration = Duration::from_secs(2);

/// What the data plane's tables hold.
#[derive(Debug)]
pub struct Installed {
    services: HashMap<ServiceKey, InstalledService>,
    /// Destinations that were removed, and may come back with their connections and counters.
    removed: HashMap<ServiceKey, HashMap<DestinationKey, Removed>>,
    /// Records by real server.
    by_address: HashMap<IpAddr, Vec<u32>>,
    hops: HashMap<IpAddr, Hop>,
    free_services: Vec<u32>,
    free_destinations: Vec<u32>,
    regions: RangeAllocator<u32>,
    locals: locals::Locals,
    localities: localities::Localities,
    /// Real servers that packets find by their address and port.
    told: HashSet<IndexKey>,
    /// What may be used again once `GRACE` is over.
    retired: Vec<(Instant, Retired)>,
}

#[derive(Debug)]
struct InstalledService {
    number: u32,
    region: Option<Range<u32>>,
    /// Where the numbers of its local addresses are.
    pool: Option<Range<u32>>,
    destinations: HashMap<DestinationKey, u32>,
}

#[derive(Debug)]
struct Removed {
    number: u32,
    /// When it last had a connection.
    since: Instant,
}

#[derive(Debug)]
enum Retired {
    Service(u32),
    Region(Range<u32>),
}

impl Installed {
    /// For tables that are new.
    pub fn new<S: Store>(store: &S) -> Self {
        // Popped from the end: low numbers first.
        let free = |count: usize| (0..count as u32).rev().collect();
        Self {
            services: HashMap::new(),
            removed: HashMap::new(),
            by_address: HashMap::new(),
            hops: HashMap::new(),
            free_services: free(store.services().len()),
            free_destinations: free(store.destinations().len()),
            regions: RangeAllocator::new(services::FIRST_NODE..store.nodes().len() as u32),
            locals: locals::Locals::new(store),
            localities: localities::Localities::default(),
            told: HashSet::new(),
            retired: Vec::new(),
        }
    }

    /// How many more services and destinations there is room for.
    pub fn room(&self) -> (usize, usize) {
        (self.free_services.len(), self.free_destinations.len())
    }

    /// Gives back what is no longer in use: to be called every second or so.
    pub fn tidy<S: Store>(&mut self, store: &S, now: Instant) {
        if let Err(error) = self.age_localities(store, now) {
            tracing::warn!(%error, "addresses that lblc and lblcr remember do not end");
        }
        self.end_removed(store, now);
        self.forget_told_mtus(store);
        self.end_locals(store, now);
        self.reuse_retired(store, |since| now.duration_since(*since) >= GRACE);
    }

    fn reuse_retired<S: Store>(&mut self, store: &S, over: impl Fn(&Instant) -> bool) {
        let retired: Vec<_> = self
            .retired
            .extract_if(.., |(since, _)| over(since))
            .collect();
        let mut services = Vec::new();
        for (_, retired) in retired {
            match retired {
                Retired::Service(number) => services.push(number),
                Retired::Region(region) => self.regions.free_range(region),
            }
        }
        if !services.is_empty() {
            self.reuse_services(store, services);
        }
    }

    /// All at once: whose they are is asked of everything that is remembered.
    fn reuse_services<S: Store>(&mut self, store: &S, numbers: Vec<u32>) {
        let gone: HashSet<_> = numbers.iter().copied().collect();
        self.disown(store, &gone);
        // Else the next look finds them.
        let _ = Self::forget_localities(store, &gone);
        self.free_services.extend(numbers);
    }

    /// The real servers whose next hops are needed.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.by_address.keys().copied()
    }

    /// All services there are.
    pub fn keys(&self) -> impl Iterator<Item = ServiceKey> {
        self.services.keys().copied()
    }

    /// Number of a service's destination.
    pub fn destination(&self, service: &ServiceKey, key: &DestinationKey) -> Option<u32> {
        self.services.get(service)?.destinations.get(key).copied()
    }
}
