//! The program, loaded with tables of its own.

use aya::Ebpf;
use aya::maps::{HashMap, MapData};
use aya::programs::{TestRun, TestRunOptions, Xdp};
use rlvs_engine::Verdict;
use rlvs_plane::{KernelTables, Plane, Sizes, Vlans};

/// XDP's verdicts (include/uapi/linux/bpf.h).
const XDP_DROP: u32 = 1;
const XDP_PASS: u32 = 2;
const XDP_TX: u32 = 3;
const XDP_REDIRECT: u32 = 4;

/// Room for a frame that a test run gives back.
const ROOM: usize = 4096;

/// Programs of the object.
pub(crate) struct Loaded {
    ebpf: Ebpf,
    out: Vec<u8>,
}

impl Loaded {
    pub(crate) fn new(sizes: Sizes) -> (Self, KernelTables) {
        let (ebpf, tables) = Plane::unpinned(sizes).expect("the kernel takes the object");
        (
            Self {
                ebpf,
                out: vec![0; ROOM],
            },
            tables,
        )
    }

    /// What first fragments left: each datagram's key, and the words of its trail but the time.
    pub(crate) fn trails<const W: usize>(&mut self, map: &str) -> Vec<([u64; W], [u64; 8])> {
        let trails = self.trails_of::<W>(map);
        let all = trails.iter().map(|entry| entry.expect("it is there"));
        let mut all: Vec<_> = all.map(|(key, words)| (key, without_time(words))).collect();
        all.sort_unstable();
        all
    }

    /// Forgets all of it.
    pub(crate) fn forget_trails(&mut self) {
        self.forget::<2>("FRAGMENTS4");
        self.forget::<6>("FRAGMENTS6");
    }

    fn forget<const W: usize>(&mut self, map: &str) {
        let mut trails = self.trails_of::<W>(map);
        let keys: Vec<_> = trails.keys().collect();
        for key in keys {
            let key = key.expect("it is there");
            trails.remove(&key).expect("nobody else removes it");
        }
    }

    fn trails_of<const W: usize>(
        &mut self,
        map: &str,
    ) -> HashMap<&mut MapData, [u64; W], [u32; 16]> {
        let map = self.ebpf.map_mut(map).expect("the object has it");
        map.try_into().expect("a hash map")
    }

    /// Lets frames with VLAN tags through.
    pub(crate) fn connect(&mut self, vlans: &Vlans) {
        vlans.connect(&mut self.ebpf).expect("the program is there");
    }

    /// One frame through the program: XDP's verdict, and the frame as it leaves it.
    pub(crate) fn run(&mut self, frame: &[u8]) -> (u32, &[u8]) {
        let program: &mut Xdp = self
            .ebpf
            .program_mut("rlvs_xdp")
            .and_then(|program| program.try_into().ok())
            .expect("the object has it");
        let result = program
            .test_run(TestRunOptions {
                data_in: Some(frame),
                data_out: Some(&mut self.out),
                ..TestRunOptions::new()
            })
            .expect("a test run");
        (
            result.return_value,
            &self.out[..result.data_size_out as usize],
        )
    }
}

/// See `rlvs_engine::fragment::Trail`: the tick comes first.
fn without_time(words: [u32; 16]) -> [u64; 8] {
    let pair = |at: usize| u64::from(words[at]) | u64::from(words[at + 1]) << 32;
    let mut all = std::array::from_fn(|n| pair(2 * n));
    all[0] = words[1].into();
    all
}

/// A verdict of the engine as XDP calls it.
pub(crate) fn code(verdict: Verdict) -> u32 {
    match verdict {
        Verdict::Pass => XDP_PASS,
        Verdict::Transmit => XDP_TX,
        Verdict::Redirect(_) => XDP_REDIRECT,
        Verdict::Drop | Verdict::Neighbour(_) | Verdict::Deliver => XDP_DROP,
    }
}
