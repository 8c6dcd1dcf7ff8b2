//! What must hold of the tables while CPUs are at work, and when all has ended.

use std::sync::atomic::Ordering;
use std::time::Instant;

use rlvs_engine::connection::{Key, Meta, Slot, State};
use rlvs_engine::memory::Memory;
use rlvs_engine::reason::{Event, Reason};
use rlvs_engine::{Family, Tables, V4};
use rlvs_word::Shared64;

use crate::cpu::Cpu;
use crate::sweep_all;

/// A counter of all CPUs.
pub(crate) fn noted(cpus: &[Cpu<'_>], place: usize) -> u64 {
    cpus.iter().map(|cpu| cpu.reasons[place].load()).sum()
}

pub(crate) fn report(memory: &Memory, cpus: &[Cpu<'_>], swept: usize, begun: Instant) {
    println!(
        "{} ticks in {:?}: {swept} entries swept, {} evicted, {} packets without an entry, {} \
         without a destination",
        memory.now(),
        begun.elapsed(),
        noted(cpus, Event::Evicted as usize),
        noted(cpus, Event::Stateless as usize),
        noted(cpus, Reason::NoDestination as usize),
    );
}

pub(crate) fn live(memory: &Memory) -> impl Iterator<Item = (&Slot<<V4 as Family>::Key>, Meta)> {
    let slots = memory.v4.buckets.iter().flat_map(|bucket| &bucket.slots);
    slots
        .map(|slot| (slot, Meta(slot.meta.load())))
        .filter(|(_, meta)| meta.is_live())
}

pub(crate) fn check_live(memory: &Memory) {
    check_counts(memory);
    let mut keys: Vec<_> = live(memory).map(|(slot, _)| slot.key.load()).collect();
    let all = keys.len();
    keys.sort_unstable();
    keys.dedup();
    // Two, if they began at one moment: see below.
    assert!(
        all - keys.len() <= 2,
        "{} are there twice",
        all - keys.len()
    );
}

/// What is counted of each destination and bucket is what is there.
pub(crate) fn check_counts(memory: &Memory) {
    for (number, load) in memory.loads.iter().enumerate() {
        let of = |wanted: fn(State) -> bool| {
            let metas = live(memory).map(|(_, meta)| meta);
            metas
                .filter(|it| it.destination() == number as u32 && wanted(it.state()))
                .count()
        };
        let active = of(State::is_active) as u32;
        let inactive = of(|state| !state.is_active() && !state.is_template()) as u32;
        assert_eq!(load.counts(), (active, inactive), "of destination {number}");
        let templates = of(State::is_template) as u32;
        assert_eq!(
            load.persistent.load(),
            templates,
            "templates of destination {number}"
        );
    }
    let marked = live(memory)
        .filter(|(_, meta)| meta.has(Meta::DISPLACED))
        .count() as u64;
    let displaced: u64 = memory.v4.displaced.iter().map(Shared64::load).sum();
    assert_eq!(displaced, marked);
}

pub(crate) fn check_counters(cpus: &[Cpu<'_>], forwarded: u64) {
    let counters = || cpus.iter().flat_map(|cpu| &cpu.counters);
    assert_eq!(
        counters().map(|it| it.packets.load()).sum::<u64>(),
        forwarded
    );
    assert_eq!(
        counters().map(|it| it.bytes.load()).sum::<u64>(),
        forwarded * 40
    );
    assert_eq!(noted(cpus, Reason::Internal as usize), 0);
}

/// When everything has ended nothing is counted.
pub(crate) fn check_end(memory: &Memory) {
    for _ in 0..3 {
        memory.clock.fetch_add(1_000_000, Ordering::SeqCst);
        sweep_all(memory);
    }
    assert_eq!(live(memory).count(), 0);
    for (number, load) in memory.loads.iter().enumerate() {
        let left = (
            load.counts(),
            load.persistent.load(),
            load.overloaded.load(),
        );
        assert_eq!(left, ((0, 0), 0, 0), "destination {number}");
    }
    assert!(memory.v4.displaced.iter().all(|count| count.load() == 0));
}
