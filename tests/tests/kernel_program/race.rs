//! The kernel's program and the daemon's sweep on the same memory at the same time.
//!
//! The clock is the kernel's and timeouts are short; besides, entries are aged under the
//! program's hands, so that the sweep ends what packets are just refreshing. Some connections
//! are not aged: those must never end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rlvs_control::{Change, ServiceKey};
use rlvs_director::sweep;
use rlvs_engine::connection::{Key, Meta, State};
use rlvs_engine::settings::ticks;
use rlvs_engine::{Family, Tables, V4};
use rlvs_plane::{KernelTables, Sizes, Store};
use rlvs_testing::Packet;
use rlvs_testing::packet::{ACK, FIN, RST, SYN};
use rlvs_testing::site::{Site, clients, destination, service, service_addresses, service_keys};

use crate::loaded::Loaded;

const TIME: Duration = Duration::from_secs(4);
/// Clients: the first ones are kept.
const CLIENTS: u16 = 500;
const KEPT: usize = 40;

#[test]
fn the_program_and_the_sweep_never_miscount() {
    let sizes = Sizes {
        connections: [300, 1],
        services: 4,
        destinations: 16,
    };
    let (mut program, tables) = Loaded::new(sizes);
    let mut site = Site::new(tables);
    let key = service_keys()[0];
    populate(&mut site, key);
    let clients = clients(CLIENTS).into_iter().filter(|it| it.is_ipv4());
    let to = service_addresses()[0];
    let frames: Vec<_> = clients
        .map(|client| [SYN, ACK, FIN | ACK, RST].map(|it| Packet::tcp(client, to, it).build()))
        .collect();
    let done = AtomicBool::new(false);
    let tables = &site.store;
    let (forwarded, (sweeps, most_ended)) = thread::scope(|scope| {
        let sweeper = scope.spawn(|| sweep_until(&done, tables));
        let forwarded = send_all(&mut program, &frames);
        done.store(true, Ordering::SeqCst);
        (forwarded, sweeper.join().expect("the sweep does not fail"))
    });
    println!("{forwarded} packets forwarded, {sweeps} sweeps, entries fell by up to {most_ended}");
    assert!(sweeps > 100);
    check(tables, forwarded);
    end(tables);
}

/// Least connections over five real servers; closing connections live for five ticks.
fn populate(site: &mut Site<KernelTables>, key: ServiceKey) {
    let now = Instant::now();
    site.change(Change::AddService(service(key, "lc", None)), now)
        .expect("a new service");
    for number in 0..5 {
        let destination = destination(key, number, 1, (0, 0));
        let change = Change::AddDestination {
            service: key,
            destination,
        };
        site.change(change, now).expect("a new destination");
    }
    let settings = site.store.settings().expect("it is loaded");
    for state in [
        State::SynRecv,
        State::FinWait,
        State::TimeWait,
        State::Close,
    ] {
        settings.set_timeout(state, 5);
    }
}

fn port(frame: &[u8]) -> u16 {
    u16::from_be_bytes([frame[34], frame[35]])
}

/// How many were forwarded. Kept connections are checked at every packet.
fn send_all(program: &mut Loaded, frames: &[[Vec<u8>; 4]]) -> u64 {
    let mut forwarded = 0;
    let mut send = |frame: &[u8]| {
        let (verdict, bytes) = program.run(frame);
        forwarded += u64::from(verdict > 2);
        (verdict > 2).then(|| bytes[5])
    };
    let homes: Vec<_> = (0..KEPT)
        .map(|place| {
            send(&frames[place][0]);
            send(&frames[place][1]).expect("it is established")
        })
        .collect();
    let begun = Instant::now();
    let mut random = 0x9e37_79b9_7f4a_7c15u64;
    while begun.elapsed() < TIME {
        for _ in 0..64 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let place = KEPT + (random >> 8) as usize % (frames.len() - KEPT);
            send(&frames[place][[0, 0, 1, 1, 2, 3][(random >> 40) as usize % 6]]);
        }
        let place = (random >> 20) as usize % KEPT;
        assert_eq!(
            send(&frames[place][1]),
            Some(homes[place]),
            "a kept connection has ended"
        );
    }
    forwarded
}

/// Ages what is not kept and sweeps; how often, and by how much entries fell at most.
fn sweep_until(done: &AtomicBool, tables: &KernelTables) -> (u64, u64) {
    let first = port(&Packet::tcp(clients(1)[0], service_addresses()[0], SYN).build());
    let kept = |key: &<<V4 as Family>::Key as Key>::Value| {
        let ends = V4::endpoints(key);
        let place = u16::from_be_bytes(ends.client_port).wrapping_sub(first);
        usize::from(place) * 7 + usize::from(ends.client[3]) < KEPT
    };
    let (mut sweeps, mut before, mut most) = (0, 0, 0);
    while !done.load(Ordering::SeqCst) {
        let slots = tables.buckets4().iter().flat_map(|bucket| &bucket.slots);
        for (number, slot) in slots.enumerate() {
            let is_due = (number as u64 + sweeps).is_multiple_of(3);
            if is_due && Meta(slot.meta.load()).is_live() && !kept(&slot.key.load()) {
                slot.seen.store(tables.now().wrapping_sub(ticks(2000)));
            }
        }
        let [entries, _] = sweep::once(tables).entries;
        most = most.max(u64::saturating_sub(before, entries));
        (sweeps, before) = (sweeps + 1, entries);
    }
    (sweeps, most)
}

/// What is counted is what is there.
fn check(tables: &KernelTables, forwarded: u64) {
    let slots = tables.buckets4().iter().flat_map(|bucket| &bucket.slots);
    let live: Vec<_> = slots
        .map(|slot| Meta(slot.meta.load()))
        .filter(|meta| meta.is_live())
        .collect();
    for (number, load) in tables.loads().iter().enumerate() {
        let of = live
            .iter()
            .copied()
            .filter(|meta| meta.destination() == number as u32);
        let (active, inactive): (Vec<_>, Vec<_>) = of.partition(|meta| meta.state().is_active());
        let expected = (active.len() as u32, inactive.len() as u32);
        assert_eq!(load.counts(), expected, "destination {number}");
    }
    assert_eq!(
        displaced(tables),
        live.iter().filter(|it| it.has(Meta::DISPLACED)).count() as u64
    );
    let packets: u64 = tables
        .all_counters()
        .iter()
        .map(|it| it.packets.load())
        .sum();
    assert_eq!(packets, forwarded);
}

fn displaced(tables: &KernelTables) -> u64 {
    use rlvs_engine::FamilyTables;
    let of = |bucket: usize| FamilyTables::<V4>::displaced(tables, bucket as u32);
    (0..tables.buckets4().len())
        .filter_map(of)
        .map(|count| count.load())
        .sum()
}

/// When all has ended nothing is counted.
fn end(tables: &KernelTables) {
    for slot in tables.buckets4().iter().flat_map(|bucket| &bucket.slots) {
        slot.seen.store(tables.now().wrapping_sub(ticks(100_000)));
    }
    assert_eq!(sweep::once(tables).entries, [0, 0]);
    assert!(tables.loads().iter().all(|load| load.counts() == (0, 0)));
    assert_eq!(displaced(tables), 0);
}
