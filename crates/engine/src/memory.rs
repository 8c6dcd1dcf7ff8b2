//! The tables in plain memory: for tests, models and the simulator.

mod call_ids;

use core::ops::ControlFlow;
use core::sync::atomic::{AtomicU32, Ordering};
use std::boxed::Box;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError, RwLock};
use std::vec::Vec;

use rlvs_word::{Shared32, Shared64};

use crate::call_id::{CallId, call_ids_for};
use crate::connection::{Bucket, Key};
use crate::destination::{Destination, Load};
use crate::family::{Family, V4, V6};
use crate::forward::Outer;
use crate::fragment::{Draft, Trail, trails_for};
use crate::frame::{Change, Frame, Route, Way};
use crate::lease::Local;
use crate::locality::{Locality, Site};
use crate::reason::{Event, ROOM, Reason};
use crate::service::{Service, ServiceKey, filter};
use crate::settings::Settings;
use crate::statistics::{Counters, bump};
use crate::table::buckets_for;
use crate::tables::{FamilyTables, KeyOf, Tables, interface};
use crate::vlan::Shrink;

pub use call_ids::CallIds;

/// A data plane of one CPU in memory, with a clock that tests set.
#[derive(Debug)]
pub struct Memory {
    pub clock: AtomicU32,
    pub settings: Settings,
    pub filter: Box<[Shared64]>,
    pub interfaces: Box<[Shared64]>,
    pub services: Box<[Service]>,
    pub destinations: Box<[Destination]>,
    pub loads: Box<[Load]>,
    pub locals: Box<[Local]>,
    pub nodes: Box<[Shared64]>,
    pub counters: Box<[Counters]>,
    pub bases: Box<[Counters]>,
    pub reasons: Box<[Shared64]>,
    pub localities: Localities,
    pub call_ids: CallIds,
    pub v4: Entries<V4>,
    pub v6: Entries<V6>,
}

/// One IP version's tables.
#[derive(Debug)]
pub struct Entries<F: Family> {
    pub buckets: Box<[Bucket<F::Key>]>,
    pub displaced: Box<[Shared64]>,
    pub services: RwLock<HashMap<ServiceKey<F::Address>, u32>>,
    pub trails: Trails<F>,
}

/// What lblc and lblcr remember, for a few addresses.
#[derive(Debug)]
pub struct Localities {
    places: Mutex<HashMap<Site, usize>>,
    localities: Box<[Locality]>,
}

const LOCALITIES: u32 = 64;

impl Localities {
    fn new() -> Self {
        Self {
            places: Mutex::default(),
            localities: table(LOCALITIES),
        }
    }

    fn find(&self, site: Site) -> Option<&Locality> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(&place) = places.get(&site) {
            return self.localities.get(place);
        }
        let mut all = 0..self.localities.len();
        let free = all.find(|place| !places.values().any(|taken| taken == place))?;
        places.insert(site, free);
        self.localities.get(free)
    }

    pub fn all(&self) -> Vec<(Site, &Locality)> {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let all = places.iter();
        all.map(|(&site, &place)| (site, &self.localities[place]))
            .collect()
    }

    pub fn forget(&self, site: &Site) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = places.remove(site) {
            self.localities[place].clear();
        }
    }
}

/// What first fragments left; when there is no more room, the oldest goes.
#[derive(Debug)]
pub struct Trails<F: Family> {
    places: Mutex<(HashMap<KeyOf<F>, usize>, usize)>,
    trails: Box<[Trail]>,
    draft: Draft<F>,
}

impl<F: Family> Trails<F> {
    fn new(room: u32) -> Self {
        Self {
            places: Mutex::default(),
            trails: table(room),
            draft: Draft::default(),
        }
    }

    /// All that are there.
    pub fn all(&self) -> Vec<(KeyOf<F>, &Trail)> {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let all = places.0.iter();
        all.map(|(&datagram, &place)| (datagram, &self.trails[place]))
            .collect()
    }

    pub fn clear(&self) {
        *self.places.lock().unwrap_or_else(PoisonError::into_inner) = Default::default();
    }

    fn find(&self, datagram: &KeyOf<F>) -> Option<&Trail> {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        self.trails.get(*places.0.get(datagram)?)
    }

    fn lay(&self, datagram: KeyOf<F>, trail: &Trail) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, next) = &mut *places;
        let place = known.get(&datagram).copied().unwrap_or_else(|| {
            let place = *next % self.trails.len();
            *next += 1;
            known.retain(|_, other| *other != place);
            place
        });
        known.insert(datagram, place);
        self.trails[place].copy(trail);
    }
}

/// Sizes of the tables.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    pub connections: u32,
    pub services: u32,
    pub destinations: u32,
    pub nodes: u32,
}

/// Local addresses for full NAT.
const LOCALS: u32 = 16;

impl Default for Sizes {
    fn default() -> Self {
        Self {
            connections: 1024,
            services: 16,
            destinations: 64,
            nodes: 8192,
        }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new(Sizes::default())
    }
}

impl Memory {
    pub fn new(sizes: Sizes) -> Self {
        let buckets = buckets_for(sizes.connections);
        let settings = Settings {
            seed: Shared64::new(0x5eed),
            buckets: [const { Shared32::new(0) }; 2],
            destinations: Shared32::new(sizes.destinations),
            ..Settings::default()
        };
        settings
            .buckets
            .iter()
            .for_each(|of_family| of_family.store(buckets));
        settings.set_defaults();
        Self {
            clock: AtomicU32::new(0),
            settings,
            filter: table(filter::WORDS),
            interfaces: table(interface::SLOTS),
            services: table(sizes.services),
            destinations: table(sizes.destinations),
            loads: table(sizes.destinations),
            locals: table(LOCALS),
            nodes: table(sizes.nodes),
            counters: table(sizes.destinations),
            bases: table(sizes.destinations + sizes.services + 2),
            reasons: table(ROOM),
            localities: Localities::new(),
            call_ids: CallIds::new(call_ids_for(sizes.connections)),
            v4: Entries::new(buckets, trails_for(sizes.connections)),
            v6: Entries::new(buckets, trails_for(sizes.connections)),
        }
    }

    /// How many packets were not forwarded for this reason.
    pub fn counted(&self, reason: Reason) -> u64 {
        self.reasons[reason as usize].load()
    }

    pub fn noted(&self, event: Event) -> u64 {
        self.reasons[event as usize].load()
    }
}

impl<F: Family> Entries<F>
where
    F::Address: Hash,
{
    fn new(buckets: u32, trails: u32) -> Self {
        Self {
            buckets: table(buckets),
            displaced: table(buckets),
            services: RwLock::new(HashMap::new()),
            trails: Trails::new(trails),
        }
    }

    pub fn set_service(&self, key: ServiceKey<F::Address>, number: Option<u32>) {
        let mut services = self
            .services
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        match number {
            Some(number) => services.insert(key, number),
            None => services.remove(&key),
        };
    }

    pub fn all_services(&self) -> Vec<(ServiceKey<F::Address>, u32)> {
        let services = self.services.read().unwrap_or_else(PoisonError::into_inner);
        services
            .iter()
            .map(|(&key, &number)| (key, number))
            .collect()
    }

    fn service(&self, key: &ServiceKey<F::Address>) -> Option<u32> {
        self.services
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(key)
            .copied()
    }
}

fn table<T: Default>(length: u32) -> Box<[T]> {
    (0..length).map(|_| T::default()).collect()
}

impl Tables for Memory {
    fn now(&self) -> u32 {
        self.clock.load(Ordering::Relaxed)
    }

    fn settings(&self) -> Option<&Settings> {
        Some(&self.settings)
    }

    fn filter(&self, word: u32) -> Option<&Shared64> {
        self.filter.get(word as usize)
    }

    fn interface(&self, slot: u32) -> Option<&Shared64> {
        self.interfaces.get(slot as usize)
    }

    fn locality(&self, site: &Site) -> Option<&Locality> {
        self.localities.find(*site)
    }

    fn call_id(&self) -> Option<&CallId> {
        Some(&self.call_ids.read)
    }

    fn keep_call_id(&self, call: u64) {
        self.call_ids.keep(call, self.call_ids.read.load());
    }

    fn service_at(&self, number: u32) -> Option<&Service> {
        self.services.get(number as usize)
    }

    fn destination(&self, number: u32) -> Option<&Destination> {
        self.destinations.get(number as usize)
    }

    fn load(&self, destination: u32) -> Option<&Load> {
        self.loads.get(destination as usize)
    }

    fn local(&self, number: u32) -> Option<&Local> {
        self.locals.get(number as usize)
    }

    fn node(&self, index: u32) -> Option<&Shared64> {
        self.nodes.get(index as usize)
    }

    fn counters(&self, _: &Settings, destination: u32) -> Option<&Counters> {
        self.counters.get(destination as usize)
    }

    fn count(&self, reason: Reason) {
        bump(&self.reasons[reason as usize], 1);
    }

    fn note(&self, event: Event) {
        bump(&self.reasons[event as usize], 1);
    }

    fn repeat<S: FnMut(u32) -> ControlFlow<()>>(&self, times: u32, step: S) {
        let _ = (0..times).try_for_each(step);
    }
}

macro_rules! family_tables {
    ($family:ty, $entries:ident) => {
        impl FamilyTables<$family> for Memory {
            fn bucket(&self, index: u32) -> Option<&Bucket<<$family as Family>::Key>> {
                self.$entries.buckets.get(index as usize)
            }

            fn displaced(&self, bucket: u32) -> Option<&Shared64> {
                self.$entries.displaced.get(bucket as usize)
            }

            fn service(&self, key: &ServiceKey<<$family as Family>::Address>) -> Option<u32> {
                self.$entries.service(key)
            }

            fn draft(&self) -> Option<&Draft<$family>> {
                Some(&self.$entries.trails.draft)
            }

            fn trail(&self, draft: &Draft<$family>) -> Option<&Trail> {
                self.$entries.trails.find(&draft.datagram.load())
            }

            fn lay(&self, draft: &Draft<$family>) {
                let datagram = draft.datagram.load();
                self.$entries.trails.lay(datagram, &draft.trail);
            }
        }
    };
}

family_tables!(V4, v4);
family_tables!(V6, v6);

/// A frame in memory.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Bytes {
    pub bytes: Vec<u8>,
    pub interface: u32,
    /// Where the kernel would send anything.
    pub route: Route,
    pub way: Way,
    /// The mark of one that was led here because of it.
    pub led: Option<u32>,
}

impl Bytes {
    /// A frame that came in by an interface, with no way to anywhere.
    pub fn received(bytes: Vec<u8>, interface: u32) -> Self {
        Self {
            bytes,
            interface,
            route: Route::NONE,
            way: Way::In,
            led: None,
        }
    }
}

impl Shrink for Bytes {
    fn shrink(&mut self, by: usize) -> Option<()> {
        self.bytes.drain(..by);
        Some(())
    }
}

impl Frame for Bytes {
    fn header<H: rlvs_wire::Header>(&self, offset: usize) -> Option<&H> {
        H::ref_from_bytes(self.bytes.get(offset..)?.get(..size_of::<H>())?).ok()
    }

    fn header_mut<H: rlvs_wire::Header>(&mut self, offset: usize) -> Option<&mut H> {
        H::mut_from_bytes(self.bytes.get_mut(offset..)?.get_mut(..size_of::<H>())?).ok()
    }

    fn length(&self) -> usize {
        self.bytes.len()
    }

    fn interface(&self) -> u32 {
        self.interface
    }

    fn way(&self) -> Way {
        self.way
    }

    fn mark(&self) -> u32 {
        self.led.unwrap_or(0)
    }

    fn is_led(&self) -> bool {
        self.led.is_some()
    }

    fn mend(&mut self, change: Change) -> Option<()> {
        let field = self.header_mut::<[u8; 2]>(change.field)?;
        *field = change.of(*field);
        Some(())
    }

    fn bring(&mut self, from: usize, to: usize, length: usize) -> Option<()> {
        let whole = self.bytes.len();
        if from + length > whole || to + length > whole {
            return None;
        }
        self.bytes.copy_within(from..from + length, to);
        Some(())
    }

    fn resize(&mut self, length: usize) -> Option<()> {
        self.bytes.resize(length, 0);
        Some(())
    }

    fn open(&mut self, at: usize, by: usize, _: usize) -> Option<()> {
        self.bytes.splice(at..at, std::iter::repeat_n(0, by));
        Some(())
    }

    fn extend(&mut self, by: usize) -> Option<()> {
        self.bytes.splice(0..0, std::iter::repeat_n(0, by));
        Some(())
    }

    fn encapsulate(&mut self, room: usize, _: Outer) -> Option<()> {
        self.extend(room)
    }

    fn route<F: Family>(&mut self, _: &KeyOf<F>) -> Route {
        self.route
    }
}
