//! Runs, medians, and whether the program did what it should.

use anyhow::{Result, ensure};
use rlvs_wire::protocol::TCP;
use serde::{Deserialize, Serialize};

use crate::case::{Case, Outcome};
use crate::packet::{Packet, Version, Walk};
use crate::subject::{Subject, Target};

pub(crate) const RUNS: u32 = 7;
/// How long a run takes, unless that were too many rounds.
const RUN_NS: f64 = 60e6;

const FIRST_ROUNDS: u32 = 5_000;
const FLOOR_ROUNDS: u32 = 1_500_000;
const EMPTY: &str = "bench_empty";

/// Nanoseconds a round takes: the median of all runs, and the least.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Time {
    pub(crate) median: f64,
    pub(crate) least: f64,
}

/// The same of what other rows are compared with.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Floors {
    pub(crate) empty: Time,
    pub(crate) array: Time,
    pub(crate) hash: Time,
    pub(crate) wrapper4: Time,
    pub(crate) wrapper6: Time,
}

#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    /// The engine in its wrapper.
    pub(crate) total: Time,
    /// The wrapper alone, measured in turn with it, as was the empty program.
    pub(crate) wrapper: Time,
    pub(crate) empty: Time,
}

impl Row {
    /// What the engine costs.
    pub(crate) fn net(&self) -> f64 {
        self.total.median - self.wrapper.median
    }

    pub(crate) fn least_net(&self) -> f64 {
        self.total.least - self.wrapper.least
    }

    /// How many empty programs that is.
    pub(crate) fn ratio(&self) -> f64 {
        self.net() / self.empty.median
    }
}

impl Time {
    fn of(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        Self {
            median: times[times.len() / 2],
            least: times[0],
        }
    }
}

pub(crate) fn floors() -> Result<Floors> {
    let [four, six] = [Version::V4, Version::V6].map(|version| Packet::new(version, TCP));
    let target = |packet: Packet| Target::new(packet.version, TCP, "wlc", 1);
    let mut subjects = [
        Subject::new(target(four), 1)?,
        Subject::new(target(six), 1)?,
    ];
    let mut times: [Vec<f64>; 5] = Default::default();
    for run in 0..RUNS {
        let mut take = |time: usize, packet: Packet, program: &str| {
            let subject = &mut subjects[usize::from(packet.version == Version::V6)];
            let plan = packet.plan(Walk::Random(run.into()), 1);
            times[time].push(subject.run(program, &packet.frame(), plan, FLOOR_ROUNDS)?);
            anyhow::Ok(())
        };
        take(0, four, EMPTY)?;
        take(1, four, "bench_array")?;
        take(2, four, "bench_hash")?;
        take(3, four, four.wrapper())?;
        take(4, six, six.wrapper())?;
    }
    let [empty, array, hash, wrapper4, wrapper6] = times.map(Time::of);
    Ok(Floors {
        empty,
        array,
        hash,
        wrapper4,
        wrapper6,
    })
}

pub(crate) fn case(case: &Case) -> Result<Row> {
    let mut subject = Subject::new(case.target, case.room)?;
    match case.before {
        Some(packet) => begin(&mut subject, packet, case.flows)?,
        None if case.outcome == Outcome::New => {}
        None => subject.populate(case.target, case.flows)?,
    }
    let frame = case.packet.frame();
    let (mut totals, mut wrappers, mut empties) = (Vec::new(), Vec::new(), Vec::new());
    let first = engine(&mut subject, case, 0, FIRST_ROUNDS)?;
    let rounds = case
        .most_rounds()
        .min((RUN_NS / first) as u32)
        .max(FIRST_ROUNDS);
    for run in 1..=RUNS {
        let plan = case.packet.plan(case.walk(run), case.flows);
        let wrapper = case.packet.wrapper();
        empties.push(subject.run(EMPTY, &frame, plan, FLOOR_ROUNDS)?);
        wrappers.push(subject.run(wrapper, &frame, plan, FLOOR_ROUNDS)?);
        totals.push(engine(&mut subject, case, run, rounds)?);
    }
    let [total, wrapper, empty] = [totals, wrappers, empties].map(Time::of);
    Ok(Row {
        name: case.name.clone(),
        total,
        wrapper,
        empty,
    })
}

/// A packet of every flow, by which the engine makes its connection, and all that belongs to it.
fn begin(subject: &mut Subject, packet: Packet, flows: u32) -> Result<()> {
    let plan = packet.plan(Walk::InTurn, flows);
    subject.run(packet.engine(), &packet.frame(), plan, flows)?;
    let made = subject.counted().connections;
    ensure!(made == u64::from(flows), "{made} of {flows} connections");
    Ok(())
}

/// A run of the engine, in which every packet must come out as it should.
fn engine(subject: &mut Subject, case: &Case, run: u32, rounds: u32) -> Result<f64> {
    let plan = case.packet.plan(case.walk(run), case.flows);
    let before = outcomes(subject, case);
    let time = subject.run(case.packet.engine(), &case.packet.frame(), plan, rounds)?;
    let right = outcomes(subject, case) - before;
    ensure!(
        right == u64::from(rounds),
        "{right} of {rounds} packets came out as {:?}",
        case.outcome
    );
    if case.outcome == Outcome::New {
        subject.clear();
    }
    Ok(time)
}

/// How many packets have come out as they should.
fn outcomes(subject: &Subject, case: &Case) -> u64 {
    let counted = subject.counted();
    match case.outcome {
        Outcome::Forwarded => counted.packets - counted.connections,
        Outcome::New => counted.connections,
        Outcome::Answered => counted.answers,
        Outcome::Passed(reason) => subject.tables.counted(reason),
    }
}
