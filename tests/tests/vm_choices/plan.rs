//! Which scenarios there are to be: the environment says it, to the emulated machine as well.

use std::env;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, Result};
use rlvs_lab::Vm;

use crate::generate::{Random, SCHEDULERS};

const SCENARIOS: u64 = 16;
/// For a machine to boot, both directors to begin, and SCTP.
const BEGINNING: Duration = Duration::from_secs(480);
const EACH: Duration = Duration::from_secs(10);
/// What `RLVS_SCHEDULER` says for services with another scheduler each.
const MIXED: &str = "mixed";

#[derive(Debug)]
pub(crate) struct Plan {
    /// Of the first scenario; those that follow have those that follow.
    pub(crate) seed: u64,
    /// For each of the schedulers.
    pub(crate) scenarios: u64,
    /// Of all services; none where each service has another one.
    pub(crate) schedulers: Vec<Option<&'static str>>,
}

impl Plan {
    pub(crate) fn read() -> Result<Self> {
        let schedulers = env::var("RLVS_SCHEDULER").unwrap_or_default();
        Ok(Self {
            seed: number("RLVS_SEED")?.unwrap_or_else(any_seed),
            scenarios: number("RLVS_SCENARIOS")?.unwrap_or(SCENARIOS),
            schedulers: match schedulers.as_str() {
                "" => vec![None],
                "each" => SCHEDULERS.map(Some).to_vec(),
                names => names.split(',').map(scheduler).collect::<Result<_>>()?,
            },
        })
    }

    /// Carries it out in an emulated machine, by this test.
    pub(crate) fn run_in_machine(&self, test: &str) -> Result<()> {
        let names: Vec<_> = self.schedulers.iter().map(|it| name(*it)).collect();
        let count = self.scenarios * names.len() as u64;
        // Its clock counts instructions, so what is sent is done with in order, and in time; and
        // waiting takes no time.
        let machine = Vm::new()
            .icount(true)
            .limit(BEGINNING + EACH * u32::try_from(count)?)
            .env("RLVS_SEED", &self.seed.to_string())
            .env("RLVS_SCENARIOS", &self.scenarios.to_string())
            .env("RLVS_SCHEDULER", &names.join(","));
        machine.show_test(test)
    }
}

/// What a scheduler is called here.
pub(crate) fn name(scheduler: Option<&'static str>) -> &'static str {
    scheduler.unwrap_or(MIXED)
}

fn scheduler(name: &str) -> Result<Option<&'static str>> {
    if name == MIXED {
        return Ok(None);
    }
    let mut known = SCHEDULERS.into_iter();
    let known = known.find(|&known| known == name);
    let names = || {
        format!(
            "RLVS_SCHEDULER={name}: there are {MIXED}, {}",
            SCHEDULERS.join(", ")
        )
    };
    known.map(Some).with_context(names)
}

fn any_seed() -> u64 {
    let time = UNIX_EPOCH.elapsed().unwrap_or_default();
    // Short enough to be typed.
    Random(time.as_nanos() as u64).next() % 1_000_000_000
}

fn number(name: &str) -> Result<Option<u64>> {
    match env::var(name) {
        Ok(text) => Ok(Some(text.parse().with_context(|| name.to_owned())?)),
        Err(_) => Ok(None),
    }
}
