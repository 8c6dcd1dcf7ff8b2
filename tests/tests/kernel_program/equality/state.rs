//! What both sides hold at the end.

use rlvs_engine::call_id::{Words, from_words};
use rlvs_engine::connection::{Bucket, Key, Meta, Slot};
use rlvs_engine::family::Endpoints;
use rlvs_engine::fragment::Trail;
use rlvs_engine::memory::{Entries, Memory};
use rlvs_engine::reason::Event;
use rlvs_engine::tables::KeyOf;
use rlvs_engine::{Family, FamilyTables, Reason, V4, V6};
use rlvs_plane::{KernelTables, Store};

use crate::loaded::Loaded;

/// What first fragments left.
pub(super) fn assert_trails(program: &mut Loaded, memory: &Memory) {
    assert_eq!(
        program.trails::<6>("FRAGMENTS6"),
        trails::<V6, 6>(&memory.v6)
    );
    assert_eq!(
        program.trails::<2>("FRAGMENTS4"),
        trails::<V4, 2>(&memory.v4)
    );
}

/// Call-IDs of templates, by what stands for them.
pub(super) fn assert_call_ids(kernel: &KernelTables, memory: &Memory) {
    let sorted = |all: Vec<(u64, Words)>| {
        let mut all: Vec<_> = all
            .iter()
            .map(|(call, id)| (*call, from_words(id)))
            .collect();
        all.sort_unstable();
        all
    };
    let all = kernel.call_ids().expect("the map can be read");
    println!("{:>6} Call-IDs", all.len());
    assert_eq!(sorted(all), sorted(memory.call_ids.all()));
}

pub(super) fn assert_counters(kernel: &KernelTables, memory: &Memory) {
    for &reason in Reason::ALL {
        let (name, count) = (reason.name(), memory.counted(reason));
        assert_eq!(kernel.counted(reason), count, "{name}");
        println!("{count:>6} {name}");
    }
    for event in [Event::Evicted, Event::Stateless] {
        let count = memory.noted(event);
        assert_eq!(kernel.noted(event), count, "{event:?}");
        println!("{count:>6} {event:?}");
    }
    assert_eq!(counted(kernel), counted(memory));
}

/// Connections, and what schedulers know.
pub(super) fn assert_tables(kernel: &KernelTables, memory: &Memory) {
    assert_eq!(loads(kernel), loads(memory));
    assert_eq!(cursors(kernel), cursors(memory));
    assert_eq!(
        entries::<V4>(kernel.buckets4()),
        entries::<V4>(&memory.v4.buckets)
    );
    assert_eq!(
        entries::<V6>(kernel.buckets6()),
        entries::<V6>(&memory.v6.buckets)
    );
    for index in 0..memory.v4.buckets.len() as u32 {
        let displaced = |tables: &dyn Displaced| tables.both(index);
        assert_eq!(displaced(kernel), displaced(memory), "bucket {index}");
    }
}

/// Datagrams' keys and what their first fragments left, but for the time.
fn trails<F: Family, const W: usize>(entries: &Entries<F>) -> Vec<([u64; W], [u64; 8])>
where
    KeyOf<F>: IntoIterator<Item = u64>,
{
    let of = |(key, trail): (KeyOf<F>, &Trail)| {
        let mut words = key.into_iter().chain(std::iter::repeat(0));
        let key = std::array::from_fn(|_| words.next().unwrap_or(0));
        let pairs = [
            (&trail.destination, None),
            (&trail.ports, Some(&trail.first)),
            (&trail.passed, Some(&trail.total)),
            (&trail.hash, None),
        ];
        let mut all = [0; 8];
        for (to, (low, high)) in all.iter_mut().zip(pairs) {
            *to = u64::from(low.load()) | u64::from(high.map_or(0, |it| it.load())) << 32;
        }
        for (to, from) in all[4..]
            .iter_mut()
            .zip(trail.source.iter().chain(&trail.target))
        {
            *to = from.load();
        }
        (key, all)
    };
    let mut all: Vec<_> = entries.trails.all().into_iter().map(of).collect();
    all.sort_unstable();
    all
}

/// Connections, packets and bytes of each destination, over all CPUs.
fn counted<S: Store>(store: &S) -> Vec<[u64; 3]> {
    let destinations = store.destinations().len();
    let of = |number: usize| {
        let of_cpus = store
            .all_counters()
            .iter()
            .skip(number)
            .step_by(destinations);
        of_cpus.fold([0; 3], |[connections, packets, bytes], it| {
            [
                connections + it.connections.load(),
                packets + it.packets.load(),
                bytes + it.bytes.load(),
            ]
        })
    };
    (0..destinations).map(of).collect()
}

/// Connections, templates and whether it is overloaded, of each destination.
fn loads<S: Store>(store: &S) -> Vec<((u32, u32), u32, u32)> {
    let all = store.loads().iter();
    all.map(|it| (it.counts(), it.persistent.load(), it.overloaded.load()))
        .collect()
}

fn cursors<S: Store>(store: &S) -> Vec<(u64, u64)> {
    store
        .services()
        .iter()
        .map(|it| (it.members.load(), it.cursor.load()))
        .collect()
}

/// Every slot: what it is, the children of a template, and the key of what is live.
fn entries<F: Family>(buckets: &[Bucket<F::Key>]) -> Vec<(Meta, u32, Option<Endpoints<F>>)> {
    let of = |slot: &Slot<F::Key>| {
        let meta = Meta(slot.meta.load());
        (
            meta,
            slot.children.load(),
            meta.is_live().then(|| F::endpoints(&slot.key.load())),
        )
    };
    buckets
        .iter()
        .flat_map(|bucket| &bucket.slots)
        .map(of)
        .collect()
}

/// How many entries of a bucket are in others, of IPv4 and IPv6.
trait Displaced {
    fn both(&self, bucket: u32) -> [u64; 2];
}

impl<T: FamilyTables<V4> + FamilyTables<V6>> Displaced for T {
    fn both(&self, bucket: u32) -> [u64; 2] {
        let four = FamilyTables::<V4>::displaced(self, bucket).unwrap();
        [
            four.load(),
            FamilyTables::<V6>::displaced(self, bucket).unwrap().load(),
        ]
    }
}
