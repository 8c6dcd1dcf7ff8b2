//! The same packets and the same changes through the kernel's program and through the engine in
//! user space: every verdict and every byte is the same, and so are the tables at the end.
//!
//! The kernel's clock cannot be set. So that timeouts play a part all the same, entries are aged
//! on both sides; by amounts, and against timeouts, that are far apart beside the time a run takes.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rlvs_control::Change;
use rlvs_engine::connection::{Bucket, Key, Meta, Slot, State};
use rlvs_engine::family::Endpoints;
use rlvs_engine::fragment::Trail;
use rlvs_engine::memory::{self, Bytes, Entries, Memory};
use rlvs_engine::process::process;
use rlvs_engine::reason::Event;
use rlvs_engine::settings::ticks;
use rlvs_engine::tables::{Context, KeyOf, interface};
use rlvs_engine::vlan::Tags;
use rlvs_engine::{Family, FamilyTables, Reason, Tables, V4, V6, Verdict, table, tuple};
use rlvs_plane::{KernelTables, Sizes, Store, VlanInterface};
use rlvs_testing::Packet;
use rlvs_testing::fragments::cut;
use rlvs_testing::packet::{DIRECTOR, ETHERNET, icmp_error};
use rlvs_testing::site::{
    INTERFACE, OTHER_INTERFACE, Site, changes, clients, service_addresses, with_methods,
};
use rlvs_testing::strategy::{dressed, packets, spoilt};
use rlvs_wire::ethernet::{SERVICE_VLAN, VLAN};

use crate::loaded::{Loaded, code};
use crate::network::Network;

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    Frame(Vec<u8>),
    /// A frame of the VLAN interface in this place of [`vlans`].
    Tagged(Vec<u8>, usize),
    /// An ICMP error about a frame that was forwarded, from a router behind.
    Error {
        about: prop::sample::Index,
        kind: u8,
        code: u8,
        rest: [u8; 4],
        kept: usize,
    },
    /// A datagram's fragments, as they come: in any order, some twice, some not at all.
    Parts(Vec<Vec<u8>>),
    Change(Change),
    /// Everything becomes older by this many times 1000 s.
    Age(u32),
    Sweep,
    ReuseMode(u32),
}

/// Both sides of the comparison.
struct Both {
    program: Loaded,
    kernel: Site<KernelTables>,
    memory: Site<Memory>,
    forwarded: usize,
    /// Of them those that came with tags.
    of_vlans: usize,
    /// The last ones.
    sent: VecDeque<Vec<u8>>,
    network: Network,
    now: Instant,
}

/// How many frames are remembered, for errors about them.
const REMEMBERED: usize = 50;

/// The daemon's clock stands still but for this, so that both sides forget alike.
const BETWEEN_CHANGES: Duration = Duration::from_secs(3);

/// Changes before the first packet.
const CHANGES_FIRST: usize = 60;

#[test]
fn five_thousand_packets_with_room() {
    compare(2000, 60, 5000);
}

#[test]
fn five_thousand_packets_in_a_crowded_table() {
    compare(40, 120, 5000);
}

#[test]
fn five_thousand_packets_in_a_full_table() {
    compare(1, 80, 5000);
}

fn compare(connections: u32, clients: u16, frames: usize) {
    let seed = seed();
    println!("seed {seed} (RLVS_SEED={seed} repeats it)");
    let mut runner = runner(seed);
    let mut both = Both::new(connections);
    for _ in 0..CHANGES_FIRST {
        both.take(Step::Change(pick(&with_methods(changes()), &mut runner)));
    }
    let steps = steps(clients);
    let mut sent = 0;
    while sent < frames {
        let step = pick(&steps, &mut runner);
        sent += match &step {
            Step::Frame(_) | Step::Tagged(..) => 1,
            Step::Parts(parts) => parts.len(),
            _ => 0,
        };
        both.take(step);
    }
    both.assert_equal();
    println!("{} of {frames} frames were forwarded", both.forwarded);
    assert!(
        both.forwarded > frames / 8,
        "too few were forwarded to compare"
    );
    assert!(both.of_vlans > frames / 100, "{} had tags", both.of_vlans);
}

/// Another run each time.
fn seed() -> u64 {
    let given = std::env::var("RLVS_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.expect("it is after 1970").as_nanos() as u64
    })
}

fn runner(seed: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    TestRunner::new_with_rng(Config::default(), rng)
}

fn pick<T: std::fmt::Debug>(strategy: &BoxedStrategy<T>, runner: &mut TestRunner) -> T {
    strategy
        .new_tree(runner)
        .expect("strategies give values")
        .current()
}

fn steps(of_clients: u16) -> BoxedStrategy<Step> {
    let plain = packets(clients(of_clients), service_addresses());
    let dressed = dressed(plain.clone());
    let spoilt = spoilt(dressed.clone());
    let garbled = (dressed.clone(), any::<(prop::sample::Index, u8)>());
    let garbled = garbled.prop_map(|(packet, (place, byte))| {
        let mut frame = packet.build();
        // Behind the MAC addresses.
        let at = 12 + place.index(frame.len() - 12);
        frame[at] = byte;
        frame
    });
    let frame = |packet: Packet| Step::Frame(packet.build());
    let tagged = (dressed.clone(), 0..vlans().len());
    let tagged = tagged.prop_map(|(packet, vlan)| Step::Tagged(packet.build(), vlan));
    prop_oneof![
        600 => plain.clone().prop_map(frame),
        200 => dressed.prop_map(frame),
        200 => spoilt.prop_map(frame),
        100 => garbled.prop_map(Step::Frame),
        40 => parts(plain).prop_map(Step::Parts),
        100 => tagged,
        30 => with_methods(changes()).prop_map(Step::Change),
        4 => (1u32..4).prop_map(Step::Age),
        4 => Just(Step::Sweep),
        150 => errors(),
        3 => (0u32..4).prop_map(Step::ReuseMode),
    ]
    .boxed()
}

fn errors() -> impl Strategy<Value = Step> {
    let rest = prop_oneof![
        any::<[u8; 4]>(),
        (0u8..7, any::<u8>()).prop_map(|(a, b)| [0, 0, a, b])
    ];
    let kept = prop_oneof![4 => Just(200usize), 1 => 0usize..200];
    (any::<prop::sample::Index>(), 1u8..13, 0u8..5, rest, kept).prop_map(
        |(about, kind, code, rest, kept)| Step::Error {
            about,
            kind,
            code,
            rest,
            kept,
        },
    )
}

/// To the sender of a frame, as a router says it.
fn error(about: &[u8], header: [u8; 2], rest: [u8; 4], kept: usize) -> Vec<u8> {
    let ip = &about[ETHERNET..];
    let part = &ip[..ip.len().min(kept)];
    match ip[0] >> 4 {
        4 => {
            let sender: [u8; 4] = std::array::from_fn(|i| ip[12 + i]);
            icmp_error([198, 51, 100, 9].into(), sender.into(), header, rest, part)
        }
        _ => {
            let sender: [u8; 16] = std::array::from_fn(|i| ip[8 + i]);
            let router = [0x2001, 0xdb8, 1, 0, 0, 0, 0, 9];
            icmp_error(router.into(), sender.into(), header, rest, part)
        }
    }
}

/// Identifications are few, so that datagrams get into each other's way.
fn parts(packets: BoxedStrategy<Packet>) -> BoxedStrategy<Vec<Vec<u8>>> {
    let eights = prop_oneof![1 => 1usize..4, 3 => 4usize..20];
    let parts = (packets, 64usize..400, eights, 0u32..8).prop_map(
        |(packet, payload, eights, identification)| {
            let whole = Packet { payload, ..packet }.build();
            cut(&whole, eights * 8, identification)
        },
    );
    let mostly_in_order = parts.prop_flat_map(|parts| {
        let some = prop::sample::subsequence(parts.clone(), 0..=parts.len());
        let twice = prop::collection::vec(prop::sample::select(parts.clone()), 0..3);
        let more = (some.clone(), twice).prop_map(|(some, twice)| [some, twice].concat());
        prop_oneof![4 => Just(parts.clone()), 2 => Just(parts).prop_shuffle(), 1 => some, 1 => more]
    });
    mostly_in_order.boxed()
}

impl Both {
    fn new(connections: u32) -> Self {
        let network = Network::enter().expect("root makes namespaces");
        let sizes = Sizes {
            connections: [connections; 2],
            services: 16,
            destinations: 128,
        };
        let (program, tables) = Loaded::new(sizes);
        let memory = Memory::new(memory::Sizes {
            connections,
            services: sizes.services,
            destinations: sizes.destinations,
            nodes: tables.nodes().len() as u32,
        });
        let settings = tables.settings().expect("it is loaded");
        memory.settings.seed.store(settings.seed.load());
        let mut both = Self {
            program,
            kernel: Site::new(tables),
            memory: Site::new(memory),
            forwarded: 0,
            of_vlans: 0,
            sent: VecDeque::new(),
            network,
            now: Instant::now(),
        };
        both.set_timeouts();
        both.set_vlans();
        both
    }

    fn set_vlans(&mut self) {
        let (kernel, memory) = (&self.kernel.store, &self.memory.store);
        self.program.connect(&kernel.vlans);
        kernel.vlans.set(&vlans()).expect("the maps can be written");
        for index in vlans().map(|vlan| vlan.index) {
            for slot in [kernel.interface(index), memory.interface(index)] {
                slot.expect("there is room")
                    .store(interface::word(index, DIRECTOR));
            }
        }
    }

    /// Far apart, and never where ages add up to.
    fn set_timeouts(&self) {
        for (place, state) in STATES.into_iter().enumerate() {
            let timeout = ticks(1000 * (place as u32 % 4 + 1) + 500);
            self.kernel
                .store
                .settings()
                .unwrap()
                .set_timeout(state, timeout);
            self.memory.store.settings.set_timeout(state, timeout);
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Frame(frame) => self.send(&frame, None),
            Step::Error {
                about,
                kind,
                code,
                rest,
                kept,
            } => {
                if !self.sent.is_empty() {
                    let about = &self.sent[about.index(self.sent.len())];
                    self.send(&error(about, [kind, code], rest, kept), None);
                }
            }
            Step::Parts(parts) => parts.iter().for_each(|part| self.send(part, None)),
            Step::Tagged(frame, vlan) => self.send(&frame, Some(vlans()[vlan])),
            Step::Change(change) => self.change(change),
            Step::Age(by) => self.age(ticks(1000 * by)),
            Step::Sweep => self.sweep(),
            Step::ReuseMode(mode) => {
                self.kernel
                    .store
                    .settings()
                    .unwrap()
                    .conn_reuse_mode
                    .store(mode);
                self.memory.store.settings.conn_reuse_mode.store(mode);
            }
        }
    }

    /// A frame; the engine in user space gets it without tags.
    fn send(&mut self, frame: &[u8], vlan: Option<VlanInterface>) {
        let interface = vlan.map_or(INTERFACE, |vlan| vlan.index);
        let mut copy = Bytes {
            route: self.network.route,
            ..Bytes::received(frame.to_vec(), interface)
        };
        let sent = match vlan {
            Some(vlan) => tagged(frame, Tags(vlan.tags.0 | PRIORITY)),
            None => frame.to_vec(),
        };
        self.memory
            .store
            .clock
            .store(self.kernel.store.now(), Ordering::Relaxed);
        // Else it would depend on the moment which error is one too many.
        let earlier = self.kernel.store.now().wrapping_sub(1);
        let of_kernel = self.kernel.store.settings().unwrap();
        for settings in [of_kernel, &self.memory.store.settings] {
            settings.last_error.store(earlier);
        }
        let (verdict, bytes) = self.program.run(&sent);
        let expected = process(&mut copy, &self.memory.store);
        // By a VLAN interface it leaves as by the device below.
        let expected = match (expected, vlan) {
            (Verdict::Redirect(to), Some(vlan)) if to == vlan.index => Verdict::Transmit,
            _ => expected,
        };
        let leaving = match (expected, vlan) {
            (Verdict::Pass, Some(vlan)) => tagged(&copy.bytes, Tags(vlan.tags.0 | PRIORITY)),
            (Verdict::Transmit, Some(vlan)) => tagged(&copy.bytes, vlan.tags),
            (Verdict::Redirect(OTHER_INTERFACE), _) => tagged(&copy.bytes, vlans()[2].tags),
            _ => copy.bytes.clone(),
        };
        let expected = match (expected, vlan) {
            (Verdict::Transmit, Some(vlan)) if vlan.redirect => Verdict::Redirect(vlan.lower),
            _ => expected,
        };
        assert_eq!(verdict, code(expected), "{expected:?} for {sent:02x?}");
        assert_eq!(bytes, leaving, "for {sent:02x?}");
        if verdict > 2 {
            self.forwarded += 1;
            self.of_vlans += usize::from(vlan.is_some());
            self.sent.push_back(copy.bytes);
            if self.sent.len() > REMEMBERED {
                self.sent.pop_front();
            }
        }
        self.agree_on_time();
    }

    /// The kernel's clock may have ticked between our look at it and the program's: whoever is
    /// idle longer by that tick would go first from a full table.
    fn agree_on_time(&self) {
        let (kernel, memory) = (&self.kernel.store, &self.memory.store);
        copy_seen(kernel.buckets4(), &memory.v4.buckets);
        copy_seen(kernel.buckets6(), &memory.v6.buckets);
    }

    fn change(&mut self, change: Change) {
        self.now += BETWEEN_CHANGES;
        let made = self.kernel.change(change.clone(), self.now);
        assert_eq!(made, self.memory.change(change, self.now));
        self.kernel.tidy(self.now);
        self.memory.tidy(self.now);
        self.set_timeouts();
    }

    /// A thousand seconds are more than the way of fragments is remembered.
    fn age(&mut self, by: u32) {
        self.program.forget_trails();
        self.memory.store.v4.trails.clear();
        self.memory.store.v6.trails.clear();
        fn older<K>(buckets: &[Bucket<K>], by: u32) {
            for slot in buckets.iter().flat_map(|bucket| &bucket.slots) {
                slot.seen.store(slot.seen.load().wrapping_sub(by));
            }
        }
        older(self.kernel.store.buckets4(), by);
        older(self.kernel.store.buckets6(), by);
        older(&self.memory.store.v4.buckets, by);
        older(&self.memory.store.v6.buckets, by);
        for settings in [
            self.kernel.store.settings().unwrap(),
            &self.memory.store.settings,
        ] {
            let last = &settings.last_stateless;
            last.store(last.load().wrapping_sub(by));
        }
    }

    fn sweep(&self) {
        fn all<F: tuple::Packet, T: FamilyTables<F>>(tables: &T, buckets: &[Bucket<F::Key>]) {
            let context = Context::new(tables).unwrap();
            for slot in buckets.iter().flat_map(|bucket| &bucket.slots) {
                table::sweep::<F, T>(context, slot);
            }
        }
        self.memory
            .store
            .clock
            .store(self.kernel.store.now(), Ordering::Relaxed);
        all::<V4, _>(&self.kernel.store, self.kernel.store.buckets4());
        all::<V6, _>(&self.kernel.store, self.kernel.store.buckets6());
        all::<V4, _>(&self.memory.store, &self.memory.store.v4.buckets);
        all::<V6, _>(&self.memory.store, &self.memory.store.v6.buckets);
    }

    fn assert_equal(&mut self) {
        assert_eq!(
            self.program.trails::<6>("FRAGMENTS6"),
            trails::<V6, 6>(&self.memory.store.v6)
        );
        assert_eq!(
            self.program.trails::<2>("FRAGMENTS4"),
            trails::<V4, 2>(&self.memory.store.v4)
        );
        let (kernel, memory) = (&self.kernel.store, &self.memory.store);
        for &reason in Reason::ALL {
            assert_eq!(
                kernel.counted(reason),
                memory.counted(reason),
                "{}",
                reason.name()
            );
            println!("{:>6} {}", memory.counted(reason), reason.name());
        }
        for event in [Event::Evicted, Event::Stateless] {
            assert_eq!(kernel.noted(event), memory.noted(event), "{event:?}");
            println!("{:>6} {event:?}", memory.noted(event));
        }
        assert_eq!(counted(kernel), counted(memory));
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

/// VLAN interfaces: with one tag, with two, and the one that every fourth real server is behind.
fn vlans() -> [VlanInterface; 3] {
    let vlan = |index, vlans: &[(u16, u16)], redirect| VlanInterface {
        index,
        lower: INTERFACE,
        tags: Tags::of(vlans).expect("one or two"),
        receives: true,
        redirect,
    };
    [
        vlan(5, &[(VLAN, 10)], false),
        vlan(6, &[(SERVICE_VLAN, 20), (VLAN, 10)], false),
        vlan(OTHER_INTERFACE, &[(VLAN, 30)], true),
    ]
}

/// In the outer tag of what comes in.
const PRIORITY: u64 = 5 << 45;

/// A frame with tags, written down anew.
fn tagged(frame: &[u8], tags: Tags) -> Vec<u8> {
    let Some((addresses, rest)) = frame.split_at_checked(12) else {
        return frame.to_vec();
    };
    let tags = tags.0.to_be_bytes();
    let tags = if tags[4..] == [0; 4] {
        &tags[..4]
    } else {
        &tags
    };
    [addresses, tags, rest].concat()
}

/// States that time ends.
const STATES: [State; 28] = [
    State::Established,
    State::FinWait,
    State::Udp,
    State::SynRecv,
    State::TimeWait,
    State::Close,
    State::None,
    State::SynSent,
    State::CloseWait,
    State::LastAck,
    State::Listen,
    State::SynAck,
    State::Template,
    State::Assured,
    State::SctpNone,
    State::Init1,
    State::Init,
    State::CookieSent,
    State::CookieReplied,
    State::CookieWait,
    State::Cookie,
    State::CookieEchoed,
    State::SctpEstablished,
    State::ShutdownSent,
    State::ShutdownReceived,
    State::ShutdownAckSent,
    State::Rejected,
    State::Closed,
];

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

fn copy_seen<K>(from: &[Bucket<K>], to: &[Bucket<K>]) {
    let from = from.iter().flat_map(|bucket| &bucket.slots);
    let to = to.iter().flat_map(|bucket| &bucket.slots);
    for (from, to) in from.zip(to) {
        if from.meta.load() == to.meta.load() {
            to.seen.store(from.seen.load());
        }
    }
}
