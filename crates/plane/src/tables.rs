//! The kernel's maps as the engine's tables: the same memory, for the daemon's sweep and writes.

use std::ops::ControlFlow;
use std::sync::Mutex;
use std::time::Duration;

use aya::Ebpf;
use aya::maps::{HashMap, Map, MapData, MapError};
use rlvs_engine::call_id::{CallId, Words, to_words};
use rlvs_engine::connection::Bucket;
use rlvs_engine::destination::{Destination, Load};
use rlvs_engine::failure::Failure;
use rlvs_engine::fragment::{Draft, Trail};
use rlvs_engine::lease::Local;
use rlvs_engine::locality::{Locality, Site};
use rlvs_engine::reason::{Event, ROOM, Reason};
use rlvs_engine::service::{Service, ServiceKey};
use rlvs_engine::settings::{Settings, TICK_SHIFT};
use rlvs_engine::statistics::{Counters, bump};
use rlvs_engine::table::connections_of;
use rlvs_engine::{Family, FamilyTables, Tables, V4, V6};
use rlvs_word::Shared64;
use rustix::thread::{MembarrierCommand, membarrier};
use rustix::time::{ClockId, clock_gettime};

use crate::call_ids::{self, CallIds};
use crate::error::Error;
use crate::layout::Layout;
use crate::localities::{self, Localities};
use crate::mapped::Mapped;
use crate::moving::LAYOUT_MAP;
use crate::plane::Sizes;
use crate::store::{CallOf, IndexKey, Remembered, Store};
use crate::vlans::Vlans;

/// The tables of a data plane in the kernel.
#[derive(Debug)]
pub struct KernelTables {
    layout: Mapped<Shared64>,
    settings: Mapped<Settings>,
    filter: Mapped<Shared64>,
    interfaces: Mapped<Shared64>,
    services: Mapped<Service>,
    destinations: Mapped<Destination>,
    loads: Mapped<Load>,
    locals: Mapped<Local>,
    nodes: Mapped<Shared64>,
    counters: Mapped<Counters>,
    bases: Mapped<Counters>,
    reasons: Mapped<Shared64>,
    connections4: Mapped<Bucket<<V4 as Family>::Key>>,
    connections6: Mapped<Bucket<<V6 as Family>::Key>>,
    displaced4: Mapped<Shared64>,
    displaced6: Mapped<Shared64>,
    index4: Mutex<HashMap<MapData, [u8; 8], u32>>,
    index6: Mutex<HashMap<MapData, [u8; 20], u32>>,
    localities: Localities,
    call_ids: CallIds,
    pub vlans: Vlans,
}

/// Far longer than a program may run.
const LONGEST_RUN: Duration = Duration::from_millis(50);

/// The maps, as the object and the pins call them.
pub const MAPS: [&str; 22] = [
    LAYOUT_MAP,
    "SETTINGS",
    "FILTER",
    "INTERFACES",
    "SERVICES",
    "DESTINATIONS",
    "LOADS",
    "LOCALS",
    "NODES",
    "COUNTERS",
    "BASES",
    "REASONS",
    "CONNECTIONS4",
    "CONNECTIONS6",
    "DISPLACED4",
    "DISPLACED6",
    "INDEX4",
    "INDEX6",
    "FRAGMENTS4",
    "FRAGMENTS6",
    localities::NAME,
    call_ids::NAME,
];

impl KernelTables {
    /// Takes the maps out of a loaded object.
    pub(crate) fn new(ebpf: &mut Ebpf) -> Result<Self, Error> {
        Ok(Self {
            layout: words(ebpf, LAYOUT_MAP)?,
            settings: mapped(ebpf, "SETTINGS")?,
            filter: mapped(ebpf, "FILTER")?,
            interfaces: mapped(ebpf, "INTERFACES")?,
            services: mapped(ebpf, "SERVICES")?,
            destinations: mapped(ebpf, "DESTINATIONS")?,
            loads: mapped(ebpf, "LOADS")?,
            locals: mapped(ebpf, "LOCALS")?,
            nodes: mapped(ebpf, "NODES")?,
            counters: mapped(ebpf, "COUNTERS")?,
            bases: mapped(ebpf, "BASES")?,
            reasons: mapped(ebpf, "REASONS")?,
            connections4: mapped(ebpf, "CONNECTIONS4")?,
            connections6: mapped(ebpf, "CONNECTIONS6")?,
            displaced4: mapped(ebpf, "DISPLACED4")?,
            displaced6: mapped(ebpf, "DISPLACED6")?,
            index4: Mutex::new(hash(ebpf, "INDEX4")?),
            index6: Mutex::new(hash(ebpf, "INDEX6")?),
            localities: Localities::new(ebpf)?,
            call_ids: CallIds::new(ebpf)?,
            vlans: Vlans::new(ebpf)?,
        })
    }

    /// Whether the tables are whole; what was left before that is thrown away.
    pub(crate) fn are_whole(&self) -> bool {
        self.layout[0].load() != 0
    }

    /// Says what the tables have in them: from now on they are whole.
    pub(crate) fn finish(&self) {
        let text = Layout::ours().to_text();
        let words = text.as_bytes().chunks(8).map(|bytes| {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            u64::from_ne_bytes(word)
        });
        for (to, word) in self.layout[1..].iter().zip(words) {
            to.store(word);
        }
        self.layout[0].store(text.len() as u64);
    }

    /// A counter of packets that were not forwarded begins with what others counted.
    pub(crate) fn begin_reason(&self, place: usize, count: u64) {
        if let Some(counter) = self.reasons.get(place) {
            counter.store(count);
        }
    }

    pub(crate) fn keep_localities(
        &self,
        all: &[([u64; 3], localities::Copied)],
    ) -> Result<(), Error> {
        self.localities.keep(all)
    }

    pub(crate) fn keep_call_ids(&self, all: &[(u64, Words)]) -> Result<(), Error> {
        all.iter()
            .try_for_each(|(call, words)| self.call_ids.keep(*call, words))
    }

    /// All Call-IDs that are kept, by what stands for them in templates.
    pub fn call_ids(&self) -> Result<Vec<(u64, Words)>, Error> {
        self.call_ids.all()
    }

    /// How large the tables are.
    pub fn sizes(&self) -> Sizes {
        let of = |buckets: usize| connections_of(buckets as u32);
        Sizes {
            connections: [of(self.connections4.len()), of(self.connections6.len())],
            services: self.services.len() as u32,
            destinations: self.destinations.len() as u32,
        }
    }

    pub fn buckets4(&self) -> &[Bucket<<V4 as Family>::Key>] {
        &self.connections4
    }

    pub fn buckets6(&self) -> &[Bucket<<V6 as Family>::Key>] {
        &self.connections6
    }

    pub fn interfaces(&self) -> &[Shared64] {
        &self.interfaces
    }

    /// Packets of all CPUs that were not forwarded for this reason.
    pub fn counted(&self, reason: Reason) -> u64 {
        self.sum(reason as usize)
    }

    pub fn noted(&self, event: Event) -> u64 {
        self.sum(event as usize)
    }

    pub fn failed(&self, failure: Failure) -> u64 {
        self.sum(failure as usize)
    }

    fn sum(&self, place: usize) -> u64 {
        let of_cpus = self.reasons.chunks_exact(ROOM as usize);
        of_cpus
            .filter_map(|reasons| reasons.get(place))
            .map(Shared64::load)
            .sum()
    }
}

fn words(ebpf: &mut Ebpf, name: &'static str) -> Result<Mapped<Shared64>, Error> {
    match ebpf.take_map(name) {
        Some(Map::Array(data)) => {
            Mapped::words(data).map_err(|source| Error::Mapping { name, source })
        }
        _ => Err(Error::NoMap { name }),
    }
}

fn mapped<T: crate::mapped::Record>(
    ebpf: &mut Ebpf,
    name: &'static str,
) -> Result<Mapped<T>, Error> {
    match ebpf.take_map(name) {
        Some(Map::Array(data)) => {
            Mapped::new(data).map_err(|source| Error::Mapping { name, source })
        }
        _ => Err(Error::NoMap { name }),
    }
}

pub(crate) fn hash<K: aya::Pod, V: aya::Pod>(
    ebpf: &mut Ebpf,
    name: &'static str,
) -> Result<HashMap<MapData, K, V>, Error> {
    let map = ebpf.take_map(name).ok_or(Error::NoMap { name })?;
    HashMap::try_from(map).map_err(|source| Error::Map { name, source })
}

fn bytes4(key: &ServiceKey<[u8; 4]>) -> [u8; 8] {
    let ([a, b, c, d], [e, f]) = (key.address, key.port);
    [a, b, c, d, e, f, key.protocol, key.kind]
}

pub(crate) fn key4([a, b, c, d, e, f, protocol, kind]: [u8; 8]) -> ServiceKey<[u8; 4]> {
    ServiceKey {
        kind,
        ..ServiceKey::new([a, b, c, d], [e, f], protocol)
    }
}

fn bytes6(key: &ServiceKey<[u8; 16]>) -> [u8; 20] {
    let mut bytes = [0; 20];
    bytes[..16].copy_from_slice(&key.address);
    bytes[16..18].copy_from_slice(&key.port);
    bytes[18] = key.protocol;
    bytes[19] = key.kind;
    bytes
}

pub(crate) fn key6(bytes: [u8; 20]) -> ServiceKey<[u8; 16]> {
    let address = std::array::from_fn(|i| bytes[i]);
    ServiceKey {
        kind: bytes[19],
        ..ServiceKey::new(address, [bytes[16], bytes[17]], bytes[18])
    }
}

impl Tables for KernelTables {
    fn now(&self) -> u32 {
        let now = clock_gettime(ClockId::MonotonicCoarse);
        ((now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64) >> TICK_SHIFT) as u32
    }

    fn settings(&self) -> Option<&Settings> {
        self.settings.first()
    }

    fn filter(&self, word: u32) -> Option<&Shared64> {
        self.filter.get(word as usize)
    }

    fn interface(&self, slot: u32) -> Option<&Shared64> {
        self.interfaces.get(slot as usize)
    }

    /// None: no packet is scheduled here.
    fn locality(&self, _: &Site) -> Option<&Locality> {
        None
    }

    /// None, as no packet is read here.
    fn call_id(&self) -> Option<&CallId> {
        None
    }

    fn keep_call_id(&self, _: u64) {}

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

    /// None: user space forwards no packet.
    fn counters(&self, _: &Settings, _: u32) -> Option<&Counters> {
        None
    }

    fn count(&self, _: Reason) {}

    /// Of the daemon's own events, which no packet notes.
    fn note(&self, event: Event) {
        if let Some(counter) = self.reasons.get(event as usize) {
            bump(counter, 1);
        }
    }

    fn repeat<S: FnMut(u32) -> ControlFlow<()>>(&self, times: u32, step: S) {
        let _ = (0..times).try_for_each(step);
    }
}

macro_rules! family_tables {
    ($family:ty, $connections:ident, $displaced:ident, $index:ident, $bytes:ident) => {
        impl FamilyTables<$family> for KernelTables {
            fn bucket(&self, index: u32) -> Option<&Bucket<<$family as Family>::Key>> {
                self.$connections.get(index as usize)
            }

            fn displaced(&self, bucket: u32) -> Option<&Shared64> {
                self.$displaced.get(bucket as usize)
            }

            fn service(&self, key: &ServiceKey<<$family as Family>::Address>) -> Option<u32> {
                lock(&self.$index).get(&$bytes(key), 0).ok()
            }

            /// None: fragments are packets' matter.
            fn draft(&self) -> Option<&Draft<$family>> {
                None
            }

            fn trail(&self, _: &Draft<$family>) -> Option<&Trail> {
                None
            }

            fn lay(&self, _: &Draft<$family>) {}
        }
    };
}

family_tables!(V4, connections4, displaced4, index4, bytes4);
family_tables!(V6, connections6, displaced6, index6, bytes6);

impl Store for KernelTables {
    fn services(&self) -> &[Service] {
        &self.services
    }

    fn destinations(&self) -> &[Destination] {
        &self.destinations
    }

    fn loads(&self) -> &[Load] {
        &self.loads
    }

    fn locals(&self) -> &[Local] {
        &self.locals
    }

    fn nodes(&self) -> &[Shared64] {
        &self.nodes
    }

    fn filters(&self) -> &[Shared64] {
        &self.filter
    }

    fn all_counters(&self) -> &[Counters] {
        &self.counters
    }

    fn bases(&self) -> &[Counters] {
        &self.bases
    }

    fn set_index(&self, key: IndexKey, service: Option<u32>) -> Result<(), Error> {
        match key {
            IndexKey::V4(key) => set(&self.index4, "INDEX4", bytes4(&key), service),
            IndexKey::V6(key) => set(&self.index6, "INDEX6", bytes6(&key), service),
        }
    }

    /// A global memory barrier is the kernel's synchronize_rcu, and programs run under RCU. A
    /// kernel with adaptive-tick CPUs has none; there no program takes as long as we wait.
    fn wait_for_packets(&self) {
        if membarrier(MembarrierCommand::Global).is_err() {
            std::thread::sleep(LONGEST_RUN);
        }
    }

    fn index(&self) -> Result<Vec<(IndexKey, u32)>, Error> {
        let mut all = entries(&self.index4, "INDEX4", |bytes| IndexKey::V4(key4(bytes)))?;
        all.extend(entries(&self.index6, "INDEX6", |bytes| {
            IndexKey::V6(key6(bytes))
        })?);
        Ok(all)
    }

    fn localities(&self) -> Result<Vec<Remembered>, Error> {
        self.localities.all()
    }

    fn forget_locality(&self, site: &Site) -> Result<(), Error> {
        self.localities.forget(site)
    }

    fn call_id_of(&self, call: u64) -> Result<Option<CallOf>, Error> {
        self.call_ids.find(call)
    }

    fn learn_call_id(&self, call: u64, id: &[u8], client: [u8; 16]) -> Result<(), Error> {
        self.call_ids.keep(call, &to_words(id, client))
    }
}

fn set<const N: usize>(
    index: &Mutex<HashMap<MapData, [u8; N], u32>>,
    name: &'static str,
    key: [u8; N],
    service: Option<u32>,
) -> Result<(), Error> {
    let outcome = match service {
        Some(number) => lock(index).insert(key, number, 0),
        None => match lock(index).remove(&key) {
            Err(MapError::KeyNotFound) => Ok(()),
            outcome => outcome,
        },
    };
    outcome.map_err(|source| Error::Map { name, source })
}

fn entries<const N: usize>(
    index: &Mutex<HashMap<MapData, [u8; N], u32>>,
    name: &'static str,
    key: impl Fn([u8; N]) -> IndexKey,
) -> Result<Vec<(IndexKey, u32)>, Error> {
    lock(index)
        .iter()
        .map(|entry| entry.map(|(bytes, number)| (key(bytes), number)))
        .collect::<Result<_, _>>()
        .map_err(|source| Error::Map { name, source })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
