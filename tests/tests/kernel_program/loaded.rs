//! The program, loaded with tables of its own.

use aya::Ebpf;
use aya::programs::{TestRun, TestRunOptions, Xdp};
use rlvs_engine::Verdict;
use rlvs_plane::{KernelTables, Plane, Sizes};

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

/// A verdict of the engine as XDP calls it.
pub(crate) fn code(verdict: Verdict) -> u32 {
    match verdict {
        Verdict::Pass => XDP_PASS,
        Verdict::Transmit => XDP_TX,
        Verdict::Redirect(_) => XDP_REDIRECT,
        Verdict::Drop | Verdict::Neighbour(_) => XDP_DROP,
    }
}
