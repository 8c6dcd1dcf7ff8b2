//! Both sides of the comparison, which take the same steps.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rlvs_control::Change;
use rlvs_engine::connection::{Bucket, State};
use rlvs_engine::memory::{self, Bytes, Memory};
use rlvs_engine::process::process;
use rlvs_engine::settings::ticks;
use rlvs_engine::tables::{Context, interface};
use rlvs_engine::vlan::Tags;
use rlvs_engine::{FamilyTables, Tables, V4, V6, Verdict, table, tuple};
use rlvs_plane::{KernelTables, Sizes, Store, VlanInterface};
use rlvs_testing::Packet;
use rlvs_testing::packet::{DIRECTOR, ETHERNET, TCP, icmp_error};
use rlvs_testing::site::{INTERFACE, OTHER_INTERFACE, Site};

use super::state;
use super::steps::Step;
use super::vlans::{Arrival, tagged, vlans};
use crate::loaded::{Loaded, code};
use crate::network::Network;

/// Both sides of the comparison.
pub(super) struct Both {
    program: Loaded,
    kernel: Site<KernelTables>,
    memory: Site<Memory>,
    pub(super) forwarded: usize,
    /// Of them those that came with tags.
    pub(super) of_vlans: usize,
    /// The last ones.
    sent: VecDeque<Vec<u8>>,
    network: Network,
    now: Instant,
}

/// How many frames are remembered, for errors about them.
const REMEMBERED: usize = 50;

/// The daemon's clock stands still but for this, so that both sides forget alike.
const BETWEEN_CHANGES: Duration = Duration::from_secs(3);

impl Both {
    pub(super) fn new(connections: u32) -> Self {
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

    pub(super) fn take(&mut self, step: Step) {
        match step {
            Step::Frame(frame) => self.send(&frame),
            Step::Error {
                about,
                kind,
                code,
                rest,
                kept,
            } => {
                if !self.sent.is_empty() {
                    let about = &self.sent[about.index(self.sent.len())];
                    self.send(&error(about, [kind, code], rest, kept));
                }
            }
            Step::Answer { to, flags, text } => {
                let sent = (!self.sent.is_empty()).then(|| to.index(self.sent.len()));
                let answer = sent.and_then(|sent| answer(&self.sent[sent], flags, text));
                if let Some(answer) = answer {
                    self.send(&answer.build());
                }
            }
            Step::Parts(parts) => parts.iter().for_each(|part| self.send(part)),
            Step::Change(change) => self.change(change),
            Step::Age(by) => self.age(ticks(1000 * by)),
            Step::Sweep => self.sweep(),
            Step::Sysctl(which, value) => {
                let settings = self.kernel.store.settings().unwrap();
                settings.set_sysctl(which, value);
                self.memory.store.settings.set_sysctl(which, value);
            }
        }
    }

    /// A frame; the engine in user space gets it without the tags of a VLAN that is here.
    fn send(&mut self, sent: &[u8]) {
        let arrival = Arrival::of(sent);
        let interface = arrival.vlan.map_or(INTERFACE, |(vlan, _)| vlan.index);
        let mut copy = Bytes {
            route: self.network.route,
            ..Bytes::received(arrival.frame, interface)
        };
        self.agree_on_now();
        let (verdict, bytes) = self.program.run(sent);
        let expected = process(&mut copy, &self.memory.store);
        let (expected, leaving) = leaving(expected, &copy.bytes, arrival.vlan);
        assert_eq!(verdict, code(expected), "{expected:?} for {sent:02x?}");
        assert_eq!(bytes, leaving, "for {sent:02x?}");
        if matches!(expected, Verdict::Transmit | Verdict::Redirect(_)) {
            self.forwarded += 1;
            self.of_vlans += usize::from(arrival.vlan.is_some());
            self.sent.push_back(copy.bytes);
            if self.sent.len() > REMEMBERED {
                self.sent.pop_front();
            }
        }
        self.agree_on_idle_time();
    }

    /// One clock; and no error long ago enough, else it would depend on the moment which is one
    /// too many.
    fn agree_on_now(&self) {
        let now = self.kernel.store.now();
        self.memory.store.clock.store(now, Ordering::Relaxed);
        let of_kernel = self.kernel.store.settings().unwrap();
        for settings in [of_kernel, &self.memory.store.settings] {
            settings.last_error.store(now.wrapping_sub(1));
        }
    }

    /// The kernel's clock may have ticked between our look at it and the program's: whoever is
    /// idle longer by that tick would go first from a full table.
    fn agree_on_idle_time(&self) {
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

    pub(super) fn assert_equal(&mut self) {
        let (kernel, memory) = (&self.kernel.store, &self.memory.store);
        state::assert_trails(&mut self.program, memory);
        state::assert_call_ids(kernel, memory);
        state::assert_counters(kernel, memory);
        state::assert_tables(kernel, memory);
    }
}

/// A verdict about a frame without tags, and that frame, as they are for the frame that came in.
fn leaving(
    verdict: Verdict,
    frame: &[u8],
    vlan: Option<(VlanInterface, Tags)>,
) -> (Verdict, Vec<u8>) {
    let with = |tags| tagged(frame, tags);
    match (verdict, vlan) {
        (Verdict::Pass, Some((_, tags))) => (verdict, with(tags)),
        (Verdict::Transmit, Some((vlan, _))) => (by(vlan), with(vlan.tags)),
        (Verdict::Redirect(to), Some((vlan, _))) if to == vlan.index => (by(vlan), with(vlan.tags)),
        (Verdict::Redirect(OTHER_INTERFACE), _) => (verdict, with(vlans()[2].tags)),
        _ => (verdict, frame.to_vec()),
    }
}

/// Back by a VLAN interface is back by the device below.
fn by(vlan: VlanInterface) -> Verdict {
    match vlan.redirect {
        true => Verdict::Redirect(vlan.lower),
        false => Verdict::Transmit,
    }
}

/// From the receiver of a frame to its sender, if it is of TCP and has plain headers.
fn answer(frame: &[u8], flags: u8, text: &'static str) -> Option<Packet> {
    let ip = frame.get(ETHERNET..)?;
    let [source, destination]: [IpAddr; 2] = match (ip.first()?, ip.get(6)?, ip.get(9)?) {
        (0x45, _, &TCP) => [12, 16].map(|at| address::<4>(ip, at).into()),
        (0x60..0x70, &TCP, _) => [8, 24].map(|at| address::<16>(ip, at).into()),
        _ => return None,
    };
    let ports = ip.get(if source.is_ipv4() { 20 } else { 40 }..)?.get(..4)?;
    let from = SocketAddr::new(destination, u16::from_be_bytes([ports[2], ports[3]]));
    let to = SocketAddr::new(source, u16::from_be_bytes([ports[0], ports[1]]));
    Some(Packet {
        payload: text.len(),
        message: text,
        ..Packet::tcp(from, to, flags)
    })
}

fn address<const LENGTH: usize>(ip: &[u8], at: usize) -> [u8; LENGTH] {
    std::array::from_fn(|i| ip[at + i])
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

fn copy_seen<K>(from: &[Bucket<K>], to: &[Bucket<K>]) {
    let from = from.iter().flat_map(|bucket| &bucket.slots);
    let to = to.iter().flat_map(|bucket| &bucket.slots);
    for (from, to) in from.zip(to) {
        if from.meta.load() == to.meta.load() {
            to.seen.store(from.seen.load());
        }
    }
}
