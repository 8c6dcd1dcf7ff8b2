//! Two packet paths and the sweep on the same tables, as fast as they can.
//!
//! A tick is a few packets here, and no CPU is more than some ticks ahead of another: what in
//! the kernel is true because a packet takes less than a tick.

mod checks;
mod cpu;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rlvs_engine::connection::State;
use rlvs_engine::destination::Destination;
use rlvs_engine::forward::Method;
use rlvs_engine::frame::{Route, RouteKind};
use rlvs_engine::memory::{Bytes, Memory, Sizes};
use rlvs_engine::process::process;
use rlvs_engine::reason::Event;
use rlvs_engine::schedule::{Scheduler, layout, rows};
use rlvs_engine::service::{Service, ServiceKey, filter, store_octets};
use rlvs_engine::tables::{Context, interface};
use rlvs_engine::{V4, Verdict, table};
use rlvs_testing::Packet;
use rlvs_testing::packet::{ACK, DIRECTOR, FIN, RST, SYN, TCP};

use checks::{check_counters, check_counts, check_end, check_live, live, noted, report};
use cpu::Cpu;

const CPUS: usize = 2;
/// For machines with better things to do.
const AT_MOST: Duration = Duration::from_secs(20);
const PACKETS_A_TICK: u64 = 4;
/// How many packets a CPU may be ahead.
const AHEAD: u64 = 400;
/// Connections that a CPU keeps busy.
const KEPT: u16 = 24;
/// Connections that come and go on both CPUs.
const CHURNED: u64 = 1500;
const DESTINATIONS: u32 = 5;

/// How far the CPUs are; the clock is that of the slowest.
#[derive(Default)]
struct Progress([AtomicU64; CPUS]);

impl Progress {
    fn slowest(&self) -> u64 {
        self.0
            .iter()
            .map(|it| it.load(Ordering::SeqCst))
            .min()
            .unwrap_or(0)
    }

    /// A CPU has finished a packet; waits for one that is far behind.
    fn advance(&self, cpu: usize, memory: &Memory, stop: &AtomicBool) {
        let mine = self.0[cpu].fetch_add(1, Ordering::SeqCst) + 1;
        loop {
            let slowest = self.slowest();
            memory
                .clock
                .fetch_max((slowest / PACKETS_A_TICK) as u32, Ordering::SeqCst);
            if mine <= slowest + AHEAD || stop.load(Ordering::Relaxed) {
                return;
            }
            thread::yield_now();
        }
    }

    fn finish(&self, cpu: usize) {
        self.0[cpu].store(u64::MAX / 2, Ordering::SeqCst);
    }
}

/// Ports 80 (least connections) and 443 (round robin, persistent), short timeouts.
fn tables(connections: u32) -> Memory {
    let memory = Memory::new(Sizes {
        connections,
        ..Sizes::default()
    });
    memory.interfaces[1].store(interface::word(1, DIRECTOR));
    for (number, port, scheduler) in [(0, 80u16, Scheduler::Lc), (1, 443, Scheduler::Rr)] {
        let key = ServiceKey::new([192, 0, 2, 80], port.to_be_bytes(), TCP);
        memory.v4.set_service(key, Some(number));
        let service = &memory.services[number as usize];
        let members: Vec<_> = (0..DESTINATIONS)
            .map(|place| (1, number * DESTINATIONS + place))
            .collect();
        for &(_, destination) in &members {
            let record = &memory.destinations[destination as usize];
            record.service.store(number);
            record.interface.store(1);
            record
                .next_hop
                .store(interface::mac([2, 0, 0, 0, 1, destination as u8]));
            record
                .flags
                .store(Destination::AVAILABLE | Destination::RESOLVED | Destination::USED);
        }
        let rows = [0, 1, 2, 3, 4];
        let store = |node: u32, word| memory.nodes[node as usize].store(word);
        let members = layout(1 + number * 64, &members, scheduler, store);
        rows::lay(members, &rows, store);
        service.members.store(members.0);
    }
    // One that is overloaded half of the time.
    memory.destinations[0].upper_threshold.store(60);
    let persistent = &memory.services[1];
    persistent
        .mode
        .store(persistent.mode.load() | Service::PERSISTENT);
    persistent.persistence.store(40);
    persistent.mask[0].store(u64::MAX);
    let (word, bit) = filter::place::<V4>([192, 0, 2, 80]);
    memory.filter[word as usize].store(bit);
    for state in 0..16 {
        memory.settings.set_timeout(State::from_bits(state), 60);
    }
    memory.settings.set_timeout(State::Established, 600);
    memory
}

/// Kept ones have ports of their own; of the others every third is of the persistent service.
fn packet(host: u8, port: u16, virtual_port: u16, flags: u8) -> Packet {
    let client = ([198, 51, 100, host], port).into();
    Packet::tcp(client, ([192, 0, 2, 80], virtual_port).into(), flags)
}

/// xorshift64.
struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % below
    }
}

/// The flags that a client's packets have, in the share they have them.
const FLAGS: [u8; 7] = [SYN, SYN, SYN, ACK, ACK, FIN | ACK, RST];

/// All packets of connections that come and go.
fn churn() -> Vec<[Vec<u8>; FLAGS.len()]> {
    let of = |one: u64| {
        let virtual_port = if one.is_multiple_of(3) { 443 } else { 80 };
        FLAGS.map(|flags| packet((one % 50) as u8, 1000 + one as u16, virtual_port, flags).build())
    };
    (0..CHURNED).map(of).collect()
}

/// A CPU's life; how many packets it forwarded.
fn packets(
    number: usize,
    cpu: &Cpu<'_>,
    count: u64,
    progress: &Progress,
    stop: &AtomicBool,
) -> u64 {
    let mut random = Random(0x9e37_79b9_7f4a_7c15 + number as u64);
    let mut forwarded = 0;
    let mut send = |bytes: &[u8]| {
        let mut frame = Bytes::received(bytes.to_vec(), 1);
        let verdict = process(&mut frame, cpu);
        progress.advance(number, cpu.memory, stop);
        let to = (verdict == Verdict::Transmit).then(|| frame.bytes[5]);
        forwarded += u64::from(to.is_some());
        to
    };
    let kept = |place: u16, flags| packet(200 + number as u8, 1000 + place, 80, flags).build();
    let home = |place: u16| {
        // A full table may give up a connection before its second packet.
        let mut tries =
            (0..100).filter_map(|_| send(&kept(place, SYN)).and(send(&kept(place, ACK))));
        (
            kept(place, ACK),
            tries.next().expect("it has an entry, or will"),
        )
    };
    let kept: Vec<_> = (0..KEPT).map(home).collect();
    let churn = churn();
    let mut turn = 0;
    while turn < count && !stop.load(Ordering::Relaxed) {
        turn += 1;
        if turn.is_multiple_of(2) {
            let (packet, to) = &kept[(turn / 2 % u64::from(KEPT)) as usize];
            assert_eq!(send(packet), Some(*to), "a busy connection was ended");
            continue;
        }
        // Some on both CPUs at once.
        let one = if turn % 8 == 1 {
            random.next(4)
        } else {
            random.next(CHURNED)
        };
        send(&churn[one as usize][random.next(FLAGS.len() as u64) as usize]);
    }
    progress.finish(number);
    forwarded
}

fn sweep_all(memory: &Memory) -> usize {
    let context = Context::new(memory).expect("memory has settings");
    let slots = memory.v4.buckets.iter().flat_map(|bucket| &bucket.slots);
    slots
        .filter(|slot| table::sweep::<V4, _>(context, slot))
        .count()
}

#[test]
fn packets_and_sweep_never_miscount() {
    let (swept, _) = run(450, 400_000);
    assert!(swept > 1000, "the sweep had work to do");
}

#[test]
fn nor_do_they_in_a_full_table() {
    let (_, evicted) = run(20, 40_000);
    assert!(evicted > 100, "there was no room");
}

/// How many entries the sweep ended, and how many made room for others.
fn run(connections: u32, packets_a_cpu: u64) -> (usize, u64) {
    let memory = tables(connections);
    let cpus: Vec<_> = (0..CPUS).map(|_| Cpu::new(&memory)).collect();
    let (progress, stop, done) = (
        Progress::default(),
        AtomicBool::new(false),
        AtomicU64::new(0),
    );
    let begun = Instant::now();
    let (mut swept, mut forwarded) = (0, 0);
    thread::scope(|scope| {
        let running: Vec<_> = cpus
            .iter()
            .enumerate()
            .map(|(number, cpu)| {
                let (progress, stop, done) = (&progress, &stop, &done);
                scope.spawn(move || {
                    // Also when it panics, so that nobody waits for it.
                    let _end = End {
                        progress,
                        number,
                        done,
                    };
                    packets(number, cpu, packets_a_cpu, progress, stop)
                })
            })
            .collect();
        while done.load(Ordering::SeqCst) < CPUS as u64 {
            swept += sweep_all(&memory);
            stop.fetch_or(begun.elapsed() > AT_MOST, Ordering::Relaxed);
        }
        forwarded = running
            .into_iter()
            .map(|cpu| cpu.join().expect("no CPU failed"))
            .sum();
    });
    report(&memory, &cpus, swept, begun);
    check_live(&memory);
    check_counters(&cpus, forwarded);
    check_end(&memory);
    (swept, noted(&cpus, Event::Evicted as usize))
}

/// Both CPUs receive the first packet of the same connection at one moment.
#[test]
fn a_connection_that_two_begin_is_one() {
    const ROUNDS: u16 = 10_000;
    let memory = tables(40_000);
    let cpus: Vec<_> = (0..CPUS).map(|_| Cpu::new(&memory)).collect();
    let arrived = AtomicU64::new(0);
    thread::scope(|scope| {
        for cpu in &cpus {
            scope.spawn(|| {
                for round in 0..ROUNDS {
                    let bytes = packet(1, 1000 + round, 80, SYN).build();
                    let mut frame = Bytes::received(bytes, 1);
                    arrived.fetch_add(1, Ordering::SeqCst);
                    while arrived.load(Ordering::SeqCst) < CPUS as u64 * u64::from(round + 1) {
                        std::hint::spin_loop();
                    }
                    assert_eq!(process(&mut frame, cpu), Verdict::Transmit);
                }
            });
        }
    });
    let entries = live(&memory).count();
    println!("{entries} entries of {ROUNDS} connections");
    // A CPU that is held up while it fills a slot is not waited for: then there are two.
    assert!(entries < usize::from(ROUNDS) * 21 / 20);
    check_counts(&memory);
    check_counters(&cpus, 2 * u64::from(ROUNDS));
    check_end(&memory);
}

/// Client and server end their connection at one moment, each on a CPU of its own.
#[test]
fn the_ends_of_both_sides_count() {
    const ROUNDS: u16 = 5000;
    let memory = tables(40_000);
    let server = [10, 0, 0, 1];
    masquerade(&memory, server);
    let cpus: Vec<_> = (0..CPUS).map(|_| Cpu::new(&memory)).collect();
    let client = |round| ([198, 51, 100, 1], 1000 + round).into();
    let pass = |packet: Packet, cpu| {
        let verdict = process(&mut routed(packet), cpu);
        assert!(
            matches!(verdict, Verdict::Redirect(_) | Verdict::Transmit),
            "{verdict:?}"
        );
    };
    for round in 0..ROUNDS {
        for flags in [SYN, ACK] {
            pass(packet(1, 1000 + round, 80, flags), &cpus[0]);
        }
    }
    let arrived = AtomicU64::new(0);
    thread::scope(|scope| {
        for (number, cpu) in cpus.iter().enumerate() {
            let arrived = &arrived;
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let packet = match number {
                        0 => packet(1, 1000 + round, 80, FIN | ACK),
                        _ => Packet::tcp((server, 8080).into(), client(round), FIN | ACK),
                    };
                    arrived.fetch_add(1, Ordering::SeqCst);
                    while arrived.load(Ordering::SeqCst) < CPUS as u64 * u64::from(round + 1) {
                        std::hint::spin_loop();
                    }
                    pass(packet, cpu);
                }
            });
        }
    });
    let ended = live(&memory).filter(|(_, meta)| meta.state() == State::TimeWait);
    assert_eq!(ended.count(), usize::from(ROUNDS));
    check_counts(&memory);
}

/// Leaves the first service one destination, which is masqueraded.
fn masquerade(memory: &Memory, server: [u8; 4]) {
    let record = &memory.destinations[0];
    let mut octets = [0; 16];
    octets[..4].copy_from_slice(&server);
    store_octets(&record.address, octets);
    record.port.store(8080);
    record.upper_threshold.store(0);
    let method = Destination::with_method(Method::Masquerade);
    record.flags.store(record.flags.load() | method);
    let (word, bit) = filter::place_of_server::<V4>(server);
    let word = &memory.filter[word as usize];
    word.store(word.load() | bit);
    let members = layout(1, &[(1, 0)], Scheduler::Lc, |node, word| {
        memory.nodes[node as usize].store(word);
    });
    memory.services[0].members.store(members.0);
}

/// A frame for which the kernel knows a way.
fn routed(packet: Packet) -> Bytes {
    Bytes {
        route: Route {
            kind: RouteKind::Known,
            interface: 1,
            ..Route::NONE
        },
        ..Bytes::received(packet.build(), 1)
    }
}

/// Lets the others go on without this CPU.
struct End<'p> {
    progress: &'p Progress,
    number: usize,
    done: &'p AtomicU64,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.progress.finish(self.number);
        self.done.fetch_add(1, Ordering::SeqCst);
    }
}
