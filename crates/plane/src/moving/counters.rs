//! What was counted goes on: new counters begin at zero, so what they will be too low by is taken
//! off their bases.

use rlvs_engine::destination::Destination;
use rlvs_engine::statistics::Counters;
use rlvs_word::Shared64;

use super::Others;
use crate::layout::word64;
use crate::store::Store;
use crate::tables::KernelTables;

/// What a record has counted.
type Sum = [u64; 5];

/// Once nobody counts in the old ones any more. Each base is stored once, after all that it is made
/// of was read.
pub(super) fn carry(from: &Others, to: &KernelTables) {
    let destinations = from.table("DESTINATIONS").len();
    let services = from.table("SERVICES").len();
    let cpus = from.table("COUNTERS").len() / destinations.max(1);
    let of_cpus: Vec<Vec<Sum>> = (0..cpus)
        .map(|cpu| {
            let numbers = 0..destinations;
            numbers
                .map(|number| read(from, "COUNTERS", cpu * destinations + number))
                .collect()
        })
        .collect();
    let raw = |number: usize| {
        let of_cpus = of_cpus.iter().map(|counted| counted[number]);
        of_cpus.fold(Sum::default(), |sum, it| each(sum, it, u64::wrapping_add))
    };
    let bases = to.bases();
    let (own_destinations, own_services) = (to.destinations().len(), to.services().len());
    let mut of_services = vec![Sum::default(); own_services];
    for (number, record) in to.destinations().iter().enumerate().take(destinations) {
        let (base, raw) = (read(from, "BASES", number), raw(number));
        write(each(base, raw, u64::wrapping_sub), &bases[number]);
        let service = of_services.get_mut(record.service.load() as usize);
        if let (true, Some(sum)) = (record.is(Destination::USED), service) {
            *sum = each(*sum, raw, u64::wrapping_add);
        }
    }
    for (number, sum) in of_services.into_iter().enumerate().take(services) {
        let base = read(from, "BASES", destinations + number);
        write(
            each(base, sum, u64::wrapping_sub),
            &bases[own_destinations + number],
        );
    }
    let all = read(from, "BASES", destinations + services);
    write(all, &bases[own_destinations + own_services]);
    let used = |number: &usize| to.destinations().get(*number).is_some_and(is_used);
    for (cpu, counted) in of_cpus.iter().enumerate() {
        let kept = read(from, "BASES", destinations + services + 1 + cpu);
        let present = counted
            .iter()
            .enumerate()
            .filter(|(number, _)| used(number));
        let kept = present.fold(kept, |sum, (_, it)| each(sum, *it, u64::wrapping_add));
        if let Some(base) = bases.get(own_destinations + own_services + 1 + cpu) {
            write(kept, base);
        }
    }
}

/// Packets that were not forwarded, by the names of their reasons. While the old tables are in use:
/// those of the last moment are not counted.
pub(super) fn reasons(from: &Others, to: &KernelTables) {
    let ours = crate::layout::Layout::ours();
    let theirs = &from.layout.tables["REASONS"];
    for (name, field) in &ours.tables["REASONS"].fields {
        if let Some(there) = theirs.fields.get(name) {
            let counted = from.table("REASONS").records();
            let counted = counted.map(|of_cpu| word64(of_cpu, there.offset));
            to.begin_reason(field.offset / 8, counted.fold(0, u64::wrapping_add));
        }
    }
}

fn is_used(record: &Destination) -> bool {
    record.is(Destination::USED)
}

fn read(from: &Others, table: &'static str, number: usize) -> Sum {
    let counters = Counters::default();
    from.table(table).carry(number, &counters);
    words(&counters).map(Shared64::load)
}

fn write(sum: Sum, to: &Counters) {
    for (word, value) in words(to).into_iter().zip(sum) {
        word.store(value);
    }
}

fn words(counters: &Counters) -> [&Shared64; 5] {
    let Counters {
        connections,
        packets,
        bytes,
        packets_back,
        bytes_back,
    } = counters;
    [connections, packets, bytes, packets_back, bytes_back]
}

fn each(left: Sum, right: Sum, by: fn(u64, u64) -> u64) -> Sum {
    std::array::from_fn(|place| by(left[place], right[place]))
}
