//! Counters: sums over CPUs, less what `-Z` or an earlier tenant of a record left.

use std::collections::HashMap;

use rlvs_control::{DestinationKey, ServiceKey};
use rlvs_engine::statistics::Counters;
use rlvs_plane::Store;

use super::Installed;

/// Totals of a service or destination.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Totals {
    pub connections: u64,
    pub packets: u64,
    pub bytes: u64,
    pub packets_back: u64,
    pub bytes_back: u64,
}

impl Totals {
    fn of(counters: &Counters) -> Self {
        Self {
            connections: counters.connections.load(),
            packets: counters.packets.load(),
            bytes: counters.bytes.load(),
            packets_back: counters.packets_back.load(),
            bytes_back: counters.bytes_back.load(),
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            connections: self.connections.wrapping_add(other.connections),
            packets: self.packets.wrapping_add(other.packets),
            bytes: self.bytes.wrapping_add(other.bytes),
            packets_back: self.packets_back.wrapping_add(other.packets_back),
            bytes_back: self.bytes_back.wrapping_add(other.bytes_back),
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            connections: self.connections.wrapping_sub(other.connections),
            packets: self.packets.wrapping_sub(other.packets),
            bytes: self.bytes.wrapping_sub(other.bytes),
            packets_back: self.packets_back.wrapping_sub(other.packets_back),
            bytes_back: self.bytes_back.wrapping_sub(other.bytes_back),
        }
    }

    fn write(self, to: &Counters) {
        to.connections.store(self.connections);
        to.packets.store(self.packets);
        to.bytes.store(self.bytes);
        to.packets_back.store(self.packets_back);
        to.bytes_back.store(self.bytes_back);
    }
}

impl Installed {
    /// What a destination counts since its last reset.
    pub fn destination_totals<S: Store>(
        &self,
        store: &S,
        service: &ServiceKey,
        key: &DestinationKey,
    ) -> Totals {
        let number = self.destination(service, key);
        number.map_or(Totals::default(), |number| {
            raw(store, number).minus(Totals::of(&store.bases()[number as usize]))
        })
    }

    /// What a service counts: all its destinations, removed ones too.
    pub fn service_totals<S: Store>(&self, store: &S, key: &ServiceKey) -> Totals {
        let Some(service) = self.services.get(key) else {
            return Totals::default();
        };
        let base = Totals::of(&store.bases()[store.destinations().len() + service.number as usize]);
        self.raw_of_service(store, key).minus(base)
    }

    /// What each CPU counts since the start, in all there is and was.
    pub fn cpu_totals<S: Store>(&self, store: &S) -> Vec<Totals> {
        let numbers: Vec<_> = self.numbers().collect();
        let of_cpu = |(counters, kept): (&[Counters], &Counters)| {
            let present = numbers
                .iter()
                .filter_map(|&number| counters.get(number as usize));
            present.map(Totals::of).fold(Totals::of(kept), Totals::plus)
        };
        per_cpu(store).zip(kept(store)).map(of_cpu).collect()
    }

    /// What all CPUs count since the last reset of everything.
    pub fn all_totals<S: Store>(&self, store: &S) -> Totals {
        self.raw_of_all(store).minus(Totals::of(base_of_all(store)))
    }

    /// Begins the counters of all together at zero; not those of CPUs, as IPVS.
    pub fn zero_all<S: Store>(&self, store: &S) {
        self.raw_of_all(store).write(base_of_all(store));
    }

    fn raw_of_all<S: Store>(&self, store: &S) -> Totals {
        let cpus = self.cpu_totals(store).into_iter();
        cpus.fold(Totals::default(), Totals::plus)
    }

    /// Records that packets may be counted in.
    fn numbers(&self) -> impl Iterator<Item = u32> {
        let services = self.services.values();
        let live = services.flat_map(|service| service.destinations.values().copied());
        let removed = self.removed.values().flat_map(HashMap::values);
        live.chain(removed.map(|removed| removed.number))
    }

    /// Begins the counters of a service and its destinations at zero (`-Z`).
    pub fn zero<S: Store>(&self, store: &S, key: &ServiceKey) {
        let Some(service) = self.services.get(key) else {
            return;
        };
        for &number in service.destinations.values() {
            raw(store, number).write(&store.bases()[number as usize]);
        }
        let base = &store.bases()[store.destinations().len() + service.number as usize];
        self.raw_of_service(store, key).write(base);
    }

    fn raw_of_service<S: Store>(&self, store: &S, key: &ServiceKey) -> Totals {
        let live = self
            .services
            .get(key)
            .into_iter()
            .flat_map(|it| it.destinations.values());
        live.copied()
            .chain(self.removed_of(key))
            .map(|number| raw(store, number))
            .fold(Totals::default(), Totals::plus)
    }

    /// A new service begins at zero, and so do those destinations that it had when it was removed,
    /// should they come back.
    pub(super) fn begin_counters<S: Store>(&self, store: &S, key: &ServiceKey) {
        self.zero(store, key);
        for number in self.removed_of(key) {
            raw(store, number).write(&store.bases()[number as usize]);
        }
    }

    /// A record's new tenant begins at zero.
    pub(super) fn reset_counters<S: Store>(&self, store: &S, number: u32) {
        keep(store, number);
        Totals::default().write(&store.bases()[number as usize]);
    }

    fn removed_of(&self, key: &ServiceKey) -> impl Iterator<Item = u32> {
        let removed = self.removed.get(key).into_iter().flatten();
        removed.map(|(_, removed)| removed.number)
    }

    /// A record is given back: its service, if it is still there, keeps what it counted.
    pub(super) fn settle_counters<S: Store>(&self, store: &S, key: &ServiceKey, number: u32) {
        if let Some(service) = self.services.get(key) {
            let base = &store.bases()[store.destinations().len() + service.number as usize];
            Totals::of(base).minus(raw(store, number)).write(base);
        }
        keep(store, number);
    }
}

/// What the record counted goes to what each CPU counted in earlier ones.
fn keep<S: Store>(store: &S, number: u32) {
    for (counters, kept) in of_cpus(store, number).zip(kept(store)) {
        Totals::of(kept).plus(Totals::of(counters)).write(kept);
        Totals::default().write(counters);
    }
}

fn base_of_all<S: Store>(store: &S) -> &Counters {
    &store.bases()[store.destinations().len() + store.services().len()]
}

fn kept<S: Store>(store: &S) -> &[Counters] {
    &store.bases()[store.destinations().len() + store.services().len() + 1..]
}

fn raw<S: Store>(store: &S, number: u32) -> Totals {
    of_cpus(store, number)
        .map(Totals::of)
        .fold(Totals::default(), Totals::plus)
}

fn of_cpus<S: Store>(store: &S, number: u32) -> impl Iterator<Item = &Counters> {
    per_cpu(store).filter_map(move |counters| counters.get(number as usize))
}

fn per_cpu<S: Store>(store: &S) -> impl Iterator<Item = &[Counters]> {
    let destinations = store.destinations().len();
    store.all_counters().chunks_exact(destinations)
}
