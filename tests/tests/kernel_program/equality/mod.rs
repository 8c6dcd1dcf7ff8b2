//! The same packets and the same changes through the kernel's program and through the engine in
//! user space: every verdict and every byte is the same, and so are the tables at the end.
//!
//! The kernel's clock cannot be set. So that timeouts play a part all the same, entries are aged
//! on both sides; by amounts, and against timeouts, that are far apart beside the time a run takes.

mod both;
mod state;
mod steps;
mod vlans;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use both::Both;
use steps::{Step, changes, steps};

/// Changes before the first packet.
const CHANGES_FIRST: usize = 120;

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
        both.take(Step::Change(pick(&changes(), &mut runner)));
    }
    let steps = steps(clients);
    let mut sent = 0;
    while sent < frames {
        let step = pick(&steps, &mut runner);
        sent += match &step {
            Step::Frame(_) => 1,
            Step::Parts(parts) => parts.len(),
            _ => 0,
        };
        both.take(step);
    }
    both.assert_equal();
    println!("{} of {frames} frames were forwarded", both.forwarded);
    assert!(
        both.forwarded > frames / 10,
        "too few were forwarded to compare"
    );
    assert!(both.of_vlans > frames / 200, "{} had tags", both.of_vlans);
}

/// Another run each time.
pub(crate) fn seed() -> u64 {
    let given = std::env::var("RLVS_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.expect("it is after 1970").as_nanos() as u64
    })
}

pub(crate) fn runner(seed: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    TestRunner::new_with_rng(Config::default(), rng)
}

pub(crate) fn pick<T: std::fmt::Debug>(strategy: &BoxedStrategy<T>, runner: &mut TestRunner) -> T {
    strategy
        .new_tree(runner)
        .expect("strategies give values")
        .current()
}
