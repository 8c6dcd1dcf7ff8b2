//! The choices of every scheduler, compared with those of the kernel's own IPVS.
//!
//! Both directors run in one emulated machine on Debian's stock kernel, each in a namespace of its
//! own, with the same addresses down to the MAC address:
//!
//! ```text
//!   namespace kernel: ip_vs                      namespace rlvs: the daemon and its XDP program
//!        eth0 10.98.0.254                             eth0 10.98.0.254
//!          │ real servers 10.98.0.1..8: neighbours      │
//!   to-kernel ───────── raw socket, this test ─────── to-rlvs
//! ```
//!
//! Random scenarios ([`generate`]) are run on both at once: services of one or two protocols,
//! IPv4 or IPv6, with some persistence; destinations with weights and some thresholds, added,
//! changed and removed in between; packets that begin, acknowledge, close, reset and begin again.
//! Compared are the frames that go on, byte by byte, and so the real server that each packet is
//! given; then the connection tables with states and remaining times, and what the real `ipvsadm`
//! and rlvs's print. Before them comes SCTP: every chunk in every state ([`associations`]). A
//! scenario that differs is made as small as it gets before it is shown.
//!
//! `RLVS_SCENARIOS` says how many there are to be, `RLVS_SEED` with which number they begin: both
//! are printed when one fails. `RLVS_SCHEDULER` names the only scheduler that there is to be.
//! twos is not among them: it draws, and Debian's kernel has none.

mod associations;
mod compare;
mod frame;
mod generate;
mod kernel;
mod minimise;
mod rlvs;
mod scenario;
mod side;

use std::env;
use std::time::Duration;

use anyhow::{Result, ensure};
use rlvs_lab::{Lab, Vm, vm};

use compare::{Pair, anchors, describe};
use generate::Random;
use kernel::Kernel;
use minimise::minimise;
use rlvs::Rlvs;
use scenario::Scenario;

const SCENARIOS: u64 = 60;
/// So many failures say enough.
const FAILURES: usize = 3;

#[test]
fn choices_are_the_kernels() -> Result<()> {
    let count = number("RLVS_SCENARIOS")?.unwrap_or(SCENARIOS);
    if !vm::inside() {
        let seed = number("RLVS_SEED")?.unwrap_or_else(any_seed);
        println!("RLVS_SEED={seed} RLVS_SCENARIOS={count}");
        // One CPU: what is sent is done with in order.
        let machine = Vm::new()
            .smp(1)
            .limit(Duration::from_secs(480 + 10 * count))
            .env("RLVS_SEED", &seed.to_string())
            .env("RLVS_SCENARIOS", &count.to_string())
            .env(
                "RLVS_SCHEDULER",
                &env::var("RLVS_SCHEDULER").unwrap_or_default(),
            );
        return machine.run_test("choices_are_the_kernels");
    }
    let lab = Lab::new()?;
    let mut pair = Pair::new(Kernel::start(&lab)?, Rlvs::start(&lab)?);
    pair.apply(&anchors())?;
    pair.rlvs.wait_resolved()?;
    for scenario in associations::scenarios() {
        let difference = pair.differ(&scenario)?.unwrap_or_default();
        ensure!(difference.is_empty(), "{}{difference}", describe(&scenario));
    }
    let failures = compare_all(
        &mut pair,
        number("RLVS_SEED")?.unwrap_or_else(any_seed),
        count,
    )?;
    ensure!(failures.is_empty(), "{}", failures.concat());
    Ok(())
}

fn compare_all(pair: &mut Pair, first: u64, count: u64) -> Result<Vec<String>> {
    let name = env::var("RLVS_SCHEDULER").unwrap_or_default();
    let only = generate::named(&name);
    ensure!(
        name.is_empty() || only.is_some(),
        "RLVS_SCHEDULER={name}: no such scheduler"
    );
    let mut failures = Vec::new();
    for seed in (0..count).map(|n| first.wrapping_add(n)) {
        let original = generate::scenario(seed, only);
        if let Some(first) = pair.differ(&original)? {
            failures.push(explain(pair, seed, original, &first)?);
        }
        if failures.len() >= FAILURES {
            break;
        }
    }
    Ok(failures)
}

/// The smallest scenario that differs as this one does.
fn explain(pair: &mut Pair, seed: u64, original: Scenario, first: &str) -> Result<String> {
    let smallest = minimise(original.clone(), |it| Ok(pair.differ(it)?.is_some()))?;
    let (scenario, difference) = match pair.differ(&smallest)? {
        Some(difference) => (smallest, difference),
        None => (original, format!("{first}(not seen again)")),
    };
    Ok(format!(
        "RLVS_SEED={seed} RLVS_SCENARIOS=1\n{}{difference}\n",
        describe(&scenario)
    ))
}

fn any_seed() -> u64 {
    let time = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    // Short enough to be typed.
    Random(time.as_nanos() as u64).next() % 1_000_000_000
}

fn number(name: &str) -> Result<Option<u64>> {
    match env::var(name) {
        Ok(text) => Ok(Some(text.parse()?)),
        Err(_) => Ok(None),
    }
}
