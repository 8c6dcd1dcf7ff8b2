//! Makes a scenario that shows a difference as small as it gets.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::scenario::{Edit, Scenario, Step};

/// Time for one scenario.
const PATIENCE: Duration = Duration::from_secs(60);

/// Leaves out whatever is not needed for `shows`.
pub(crate) fn minimise(
    mut scenario: Scenario,
    mut shows: impl FnMut(&Scenario) -> Result<bool>,
) -> Result<Scenario> {
    let begun = Instant::now();
    for size in [8, 4, 2, 1, 1] {
        let mut at = 0;
        while at < atoms(&scenario) && begun.elapsed() < PATIENCE {
            let smaller = without(&scenario, at, size);
            if atoms(&smaller) < atoms(&scenario) && shows(&smaller)? {
                scenario = smaller;
            } else {
                at += size;
            }
        }
    }
    Ok(scenario)
}

/// How many edits and packets there are.
fn atoms(scenario: &Scenario) -> usize {
    scenario.steps.iter().map(length).sum()
}

fn length(step: &Step) -> usize {
    match step {
        Step::Edit(edits) => edits.len(),
        Step::Send(packets) => packets.len(),
        Step::Wait(_) => 1,
    }
}

/// The scenario without `size` atoms from the one at `at` on, nor any that is invalid then.
fn without(scenario: &Scenario, at: usize, size: usize) -> Scenario {
    let mut place = 0;
    let mut keep = || {
        place += 1;
        !(at + 1..=at + size).contains(&place)
    };
    let mut valid = Valid::default();
    let mut steps = Vec::new();
    for step in &scenario.steps {
        let mut step = step.clone();
        match &mut step {
            Step::Edit(edits) => edits.retain(|edit| keep() && valid.make(edit)),
            Step::Send(packets) => packets.retain(|_| keep()),
            Step::Wait(_) if !keep() => continue,
            Step::Wait(_) => {}
        }
        if length(&step) > 0 {
            steps.push(step);
        }
    }
    let settings = scenario.settings.clone();
    Scenario {
        steps,
        settings,
        ..*scenario
    }
}

/// What there is, so that no change is refused.
#[derive(Default)]
struct Valid {
    services: BTreeSet<u8>,
    servers: BTreeSet<(u8, u8)>,
}

impl Valid {
    fn make(&mut self, edit: &Edit) -> bool {
        match *edit {
            Edit::BeginService(of) => self.services.insert(of.service),
            Edit::ChangeService(of) => self.services.contains(&of.service),
            Edit::EndService(service) => {
                self.servers.retain(|(of, _)| *of != service);
                self.services.remove(&service)
            }
            Edit::Add(real) => {
                self.services.contains(&real.service)
                    && self.servers.insert((real.service, real.server))
            }
            Edit::Change(real) => self.servers.contains(&(real.service, real.server)),
            Edit::Remove { service, server } => self.servers.remove(&(service, server)),
        }
    }
}
