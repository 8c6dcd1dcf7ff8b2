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
//! IPv4 or IPv6, some by firewall mark for several addresses (marked by iptables), with some
//! persistence, some with a setting that is not the default; destinations
//! of every forwarding method with weights and some thresholds, added, changed and removed in
//! between; packets that begin, acknowledge, close, reset and begin again; waits, in which
//! connections end. Compared are the frames that go on, byte by byte, and so the real server that
//! each packet is given; then the connection tables with states and remaining times within a
//! second, and what the real `ipvsadm` and rlvs's print: rules, counts, thresholds, statistics.
//! Before them come SCTP, every chunk in every state ([`associations`]), the states of `secure_tcp`
//! ([`handshakes`]), and [`rates`]. A scenario that differs is made as small as it gets before it is
//! shown. Last come the files of /proc/net ([`files`]).
//!
//! `cargo xtask oracle` runs many. `RLVS_SCENARIOS` says how many there are to be, `RLVS_SEED` with
//! which number they begin; `RLVS_SCHEDULER` names the scheduler of all services, or several with
//! commas between, for so many scenarios each; `each` is all of them, `mixed` another one for each
//! service, which is what there is without it. twos is not among them: it draws, and Debian's
//! kernel has none.

mod associations;
mod compare;
mod files;
mod frame;
mod generate;
mod handshakes;
mod kernel;
mod minimise;
mod plan;
mod rates;
mod record;
mod rlvs;
mod scenario;
mod side;
mod words;

use anyhow::{Result, ensure};
use rlvs_lab::{Lab, vm};

use compare::{Pair, anchors};
use kernel::Kernel;
use minimise::minimise;
use plan::Plan;
use rlvs::Rlvs;
use scenario::Scenario;
use words::describe;

/// So many failures of one scheduler say enough.
const FAILURES: u64 = 3;
/// After so many scenarios there is a word of how far it is.
const WORD: u64 = 20;

#[test]
fn choices_are_the_kernels() -> Result<()> {
    let plan = Plan::read()?;
    if !vm::inside() {
        return plan.run_in_machine("choices_are_the_kernels");
    }
    let lab = Lab::new()?;
    let mut pair = Pair::new(Kernel::start(&lab)?, Rlvs::start(&lab)?);
    pair.apply(&anchors())?;
    pair.rlvs.wait_resolved()?;
    println!("both directors are ready");
    if plan.schedulers.contains(&None) {
        compare_states(&mut pair, "SCTP", associations::scenarios())?;
        compare_states(&mut pair, "secure_tcp", handshakes::scenarios())?;
        rates::compare(&mut pair)?;
    }
    let mut failures = 0;
    for scheduler in &plan.schedulers {
        failures += compare_all(&mut pair, &plan, *scheduler)?;
    }
    ensure!(failures == 0, "{failures} scenarios differ");
    files::compare(&mut pair)
}

fn compare_states(
    pair: &mut Pair,
    name: &str,
    scenarios: impl Iterator<Item = Scenario>,
) -> Result<()> {
    for scenario in scenarios {
        let difference = pair.differ(&scenario)?.unwrap_or_default();
        ensure!(difference.is_empty(), "{}{difference}", describe(&scenario));
    }
    println!("{name}: alike");
    Ok(())
}

/// How many scenarios with this scheduler differ: each is shown.
fn compare_all(pair: &mut Pair, plan: &Plan, only: Option<&'static str>) -> Result<u64> {
    let (name, all, first) = (plan::name(only), plan.scenarios, plan.seed);
    let (mut done, mut failures) = (0, 0);
    while done < all && failures < FAILURES {
        let seed = first.wrapping_add(done);
        let original = generate::scenario(seed, only);
        if let Some(difference) = pair.differ(&original)? {
            failures += 1;
            println!("{name}, seed {seed}: differs");
            println!("{}", explain(pair, original, &difference)?);
            println!("again: cargo xtask oracle --scheduler {name} --seed {seed} --scenarios 1");
        }
        done += 1;
        if done % WORD == 0 && done < all {
            println!("{name}: {done} of {all}");
        }
    }
    let outcome = match failures {
        0 => "alike".to_owned(),
        some => format!("{some} differ"),
    };
    println!("{name}: {done} scenarios from seed {first} on: {outcome}");
    Ok(failures)
}

/// The smallest scenario that differs as this one does.
fn explain(pair: &mut Pair, original: Scenario, first: &str) -> Result<String> {
    let smallest = minimise(original.clone(), |it| Ok(pair.differ(it)?.is_some()))?;
    let (scenario, difference) = match pair.differ(&smallest)? {
        Some(difference) => (smallest, difference),
        None => (original, format!("{first}(not seen again)\n")),
    };
    Ok(format!("{}{difference}", describe(&scenario)))
}
