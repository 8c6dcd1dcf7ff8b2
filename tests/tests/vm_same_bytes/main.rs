//! The kernel's IPVS and rlvs, given the same rules and the same packets, send the same bytes: by
//! every forwarding method and tunnel, IPv4 and IPv6, one in the other too.
//!
//! Three directors run on Debian's stock kernel, each in a namespace with the same addresses. What
//! is sent comes back on the same cable, MAC addresses and all:
//!
//! ```text
//!   kernel: ip_vs            tc: the daemon,           native: the daemon,
//!                            its program in tc         its program in XDP
//!      eth0 10.98.0.254         eth0 10.98.0.254          eth0 10.98.0.254
//!        │                        │   real servers and a router, in name only
//!   to-kernel ──────────────── to-tc ──── this test ─── to-native
//! ```
//!
//! Each packet of [`steps`] is sent to all three, and what comes back for it compared, but for what
//! [`mask`] leaves out: IPv4's identification outside, the port that GUE comes from, and how much
//! of a packet an ICMP error carries. All checksums are verified on their own. Where rlvs is to do
//! otherwise than the kernel (docs/DIFFERENCES.md), the step tells how, and that is verified
//! ([`told`]).

mod case;
mod mask;
mod side;
mod steps;
mod told;

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rlvs_lab::{Lab, Vm, vm};
use rlvs_tests::scene::Mode;
use rustix::thread::{CpuSet, sched_setaffinity};

use case::Case;
use side::Side;
use steps::Make;

#[test]
fn both_send_the_same_bytes() -> Result<()> {
    if !vm::inside() {
        let machine = Vm::new().limit(Duration::from_secs(800));
        return machine.run_test("both_send_the_same_bytes");
    }
    let lab = Lab::new()?;
    let cases = Case::all();
    let servers = cases.len() as u8;
    let mut sides = vec![Side::kernel(&lab, servers)?];
    for mode in [Mode::Tc, Mode::Native] {
        sides.push(Side::rlvs(&lab, servers, mode)?);
    }
    for side in &mut sides {
        side.wait_attached()?;
        side.apply(&cases)?;
    }
    // What one CPU sends, it is done with in order.
    let mut first = CpuSet::new();
    first.set(0);
    sched_setaffinity(None, &first)?;
    let mut different = String::new();
    for case in cases {
        compare(&mut sides, case, &mut different).with_context(|| format!("{case:?}"))?;
    }
    ensure!(different.is_empty(), "{different}");
    Ok(())
}

/// Sends a case's packets to all sides; what differs is added to `different`.
fn compare(sides: &mut [Side], case: Case, different: &mut String) -> Result<()> {
    // What a director sent last: an ICMP error may be about that.
    let mut last = vec![Vec::new(); sides.len()];
    for step in case.steps() {
        let mut got = Vec::new();
        for (side, last) in sides.iter_mut().zip(&mut last) {
            let frames = side.exchange(&step.frame(last), step.rests)?;
            if let (Make::Frame(_), Some(frame)) = (&step.make, frames.last()) {
                last.clone_from(frame);
            }
            let masked = frames.iter().map(|frame| mask::masked(frame));
            let masked = masked.collect::<Result<Vec<_>>>();
            got.push(masked.with_context(|| format!("{} of {}", step.name, side.name()))?);
        }
        let holds = got.split_first().is_some_and(|(kernel, ours)| {
            let as_told = |it: &Vec<_>| step.told.holds(kernel, it);
            ours.iter().all(|it| as_told(it) && it == &ours[0])
        });
        if !holds {
            let (name, told) = (&step.name, step.told);
            writeln!(different, "{case:?}, {name}, {told:?}:")?;
            writeln!(different, "{}", hex(&step.frame(&last[0])))?;
            for (side, frames) in sides.iter().zip(&got) {
                let frames = frames.iter().map(|it| format!("  {}\n", hex(it)));
                write!(
                    different,
                    " {}:\n{}",
                    side.name(),
                    frames.collect::<String>()
                )?;
            }
        }
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
