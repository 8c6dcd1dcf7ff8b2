//! Probes by way of virtual addresses: the same packets through the kernel's programs and through
//! the engine in user space.

use std::net::UdpSocket;

use aya::Ebpf;
use aya::maps::{HashMap, MapData};
use aya::programs::{SchedClassifier, TestRun, TestRunOptions};
use proptest::prelude::*;
use rlvs_engine::destination::Tunnel;
use rlvs_engine::memory::Bytes;
use rlvs_engine::real_path::memory::Sockets;
use rlvs_engine::real_path::{Fate, Sender, Way, arrive, leave};
use rlvs_plane::PATH_OBJECT;
use rlvs_plane::real_path::{Path, words};
use rlvs_testing::Packet;
use rlvs_testing::packet::TCP;
use rlvs_testing::strategy::{dressed, packets, spoilt};
use rustix::net::sockopt::socket_cookie;
use rustix::thread::{CpuSet, sched_getcpu, sched_setaffinity};

use crate::equality::{pick, runner, seed};

const FRAMES: usize = 1500;
const TC_ACT_UNSPEC: u32 = u32::MAX;
const TC_ACT_SHOT: u32 = 2;
/// Shorter frames a test run does not take.
const SHORTEST: usize = 14 + 40;
/// The kernel gives a CPU so many cookies at a time (include/linux/cookie.h).
const BATCH: u64 = 4096;
/// So many cookies may go to others between two steps of ours.
const MARGIN: u64 = 64;
/// A packet that is not taken for the socket's is sent so often again.
const ATTEMPTS: usize = 20;
/// Its cookie in user space.
const SOCKET: Sender = Sender {
    cookie: 1,
    is_there: true,
};

const LOCAL: [&str; 2] = ["10.0.0.254:40000", "[2001:db8::fe]:40000"];
const SERVER: [&str; 2] = ["10.0.0.1:80", "[2001:db8::1]:80"];
const VIRTUAL: [&str; 2] = ["192.0.2.80:80", "[2001:db8:1::80]:80"];

#[test]
fn the_kernels_programs_do_what_the_engine_does() {
    let seed = seed();
    println!("seed {seed} (RLVS_SEED={seed} repeats it)");
    stay_on_this_cpu();
    let tunnels = [
        None,
        Some(Tunnel::new(Tunnel::IPIP, 0, 0)),
        Some(Tunnel::new(Tunnel::GRE, Tunnel::CHECKSUM, 0)),
        Some(Tunnel::new(Tunnel::GUE, Tunnel::REMOTE_CHECKSUM, 6080)),
    ];
    let mut runner = runner(seed);
    for six in [false, true] {
        for tunnel in tunnels {
            let mut both = Both::new(six, tunnel);
            let frames = frames(six);
            for _ in 0..FRAMES / 8 {
                let (packet, out) = pick(&frames, &mut runner);
                both.take(&packet, out);
            }
            println!("IPv6 {six}, {tunnel:?}: {:?}", both.counts);
            let [left, arrived] = both.counts;
            assert!(left > 10 && arrived > 10, "too few to compare");
        }
    }
}

/// A packet, and whether it leaves.
fn frames(six: bool) -> BoxedStrategy<(Packet, bool)> {
    let end = |ends: [&str; 2], six: bool| ends[usize::from(six)].parse().expect("an address");
    let of = |six| [LOCAL, SERVER, VIRTUAL].map(|ends| end(ends, six));
    let both = [of(false), of(true)].concat();
    let whatever = spoilt(dressed(packets(both.clone(), both)));
    let [local, server, virtual_end] = of(six);
    let tcp = |from, to| packets(vec![from], vec![to]);
    prop_oneof![
        1 => (whatever, any::<bool>()),
        2 => (dressed(tcp(local, server)), Just(true)),
        2 => (dressed(tcp(virtual_end, local)), Just(false)),
    ]
    .boxed()
}

/// The kernel numbers sockets by CPU.
fn stay_on_this_cpu() {
    let mut set = CpuSet::new();
    set.set(sched_getcpu());
    sched_setaffinity(None, &set).expect("this CPU is there");
}

/// One way, in the kernel and here.
struct Both {
    ebpf: Ebpf,
    ways: HashMap<MapData, u64, [u64; size_of::<Way>() / 8]>,
    path: Path,
    /// The cookies up to here have it in the kernel.
    known: u64,
    sockets: Sockets,
    out: Vec<u8>,
    /// What left, and what arrived.
    counts: [usize; 2],
}

impl Both {
    fn new(six: bool, tunnel: Option<Tunnel>) -> Self {
        let mut ebpf = Ebpf::load(PATH_OBJECT).expect("the kernel takes the object");
        for (_, program) in ebpf.programs_mut() {
            let program: &mut SchedClassifier = program.try_into().expect("for tc");
            program.load().expect("the verifier takes it");
        }
        let ways = ebpf.take_map("WAYS").expect("it is there");
        let end = |ends: [&str; 2]| ends[usize::from(six)].parse().expect("an address");
        let server: std::net::SocketAddr = end(SERVER);
        let path = Path {
            server,
            virtual_address: end(VIRTUAL).ip(),
            protocol: TCP,
            tunnel,
        };
        let mut sockets = Sockets::default();
        let way = Way::new(server, path.virtual_address, TCP, tunnel);
        sockets.ways.insert(SOCKET.cookie, way);
        Self {
            ways: ways.try_into().expect("a hash map"),
            ebpf,
            path,
            known: 0,
            sockets,
            out: vec![0; 4096],
            counts: [0; 2],
        }
    }

    fn take(&mut self, packet: &Packet, out: bool) {
        let bytes = packet.build();
        if bytes.len() < SHORTEST {
            return;
        }
        let mut frame = Bytes::received(bytes.clone(), 1);
        let fate = match out {
            true => leave(&mut frame, &self.sockets, SOCKET),
            false => arrive(&mut frame, &self.sockets),
        };
        let wanted = match fate {
            Fate::Lost => TC_ACT_SHOT,
            Fate::Other | Fate::Goes => TC_ACT_UNSPEC,
        };
        let mut ran = self.run(&bytes, out);
        // Others may have taken more cookies than that meanwhile.
        for _ in 0..ATTEMPTS {
            if fate == Fate::Other || ran != (TC_ACT_UNSPEC, bytes.clone()) {
                break;
            }
            ran = self.run(&bytes, out);
        }
        let (code, after) = ran;
        assert_eq!(code, wanted, "{fate:?} of {packet:?}");
        if fate != Fate::Lost {
            assert_eq!(after, frame.bytes, "{fate:?}, leaves: {out}, {packet:?}");
        }
        self.counts[usize::from(!out)] += usize::from(fate == Fate::Goes);
    }

    /// A test run's packet has a socket of its own, which gets the next cookie.
    fn run(&mut self, bytes: &[u8], out: bool) -> (u32, Vec<u8>) {
        let last = last_cookie();
        for cookie in last.max(self.known) + 1..=last + MARGIN {
            let inserted = self.ways.insert(cookie, words(&self.path), 0);
            inserted.expect("there is room");
        }
        self.known = self.known.max(last + MARGIN);
        let name = if out {
            "rlvs_path_leave"
        } else {
            "rlvs_path_arrive"
        };
        let program: &mut SchedClassifier = self
            .ebpf
            .program_mut(name)
            .and_then(|program| program.try_into().ok())
            .expect("the object has it");
        let result = program
            .test_run(TestRunOptions {
                data_in: Some(bytes),
                data_out: Some(&mut self.out),
                ..TestRunOptions::new()
            })
            .expect("a test run");
        let length = result.data_size_out as usize;
        (result.return_value, self.out[..length].to_owned())
    }
}

/// The last that this CPU gave, well before the end of its batch.
fn last_cookie() -> u64 {
    loop {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let cookie = socket_cookie(&socket).expect("its cookie");
        if cookie % BATCH < BATCH - MARGIN {
            return cookie;
        }
    }
}
