//! Whose turn it is.

use core::cmp::Reverse;
use core::time::Duration;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use rlvs_check::machine::{Checker, Heard, Outcome, ProbeId, Standing};
use tokio::task::AbortHandle;

use crate::prober::Task;
use crate::ready::{Answers, Ready};
use crate::tools::Tools;

/// Checks that are due within this time are begun together, at its end.
pub(crate) const GRID: Duration = Duration::from_millis(5);
/// Not more are begun at once, though more are due when the machine had no time for them: each takes
/// memory until it is done.
const AT_ONCE: usize = 200;

/// All checks, by the time at which they are due.
#[derive(Debug)]
pub(crate) struct Schedule {
    entries: HashMap<ProbeId, Entry>,
    /// Each check that waits, once.
    due: BinaryHeap<Reverse<(Duration, ProbeId)>>,
    running: usize,
    /// How many may run at once: as many as there are files for.
    most: usize,
    /// How many were begun since then.
    begun: (Duration, usize),
    tools: Arc<Tools>,
}

#[derive(Debug)]
struct Entry {
    checker: Checker,
    ready: Arc<Ready>,
    active: bool,
    running: Option<AbortHandle>,
}

impl Schedule {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            entries: HashMap::new(),
            due: BinaryHeap::new(),
            running: 0,
            most,
            begun: (Duration::ZERO, 0),
            tools: Arc::default(),
        }
    }

    /// Takes in a check that begins.
    pub(crate) fn add(&mut self, task: Task, now: Duration) {
        let chance = fastrand::f64();
        let checker = Checker::new(&task.probe.check, task.standing, now, chance);
        self.due.push(Reverse((checker.due(), task.id)));
        let entry = Entry {
            checker,
            ready: Arc::new(Ready::new(task.probe, task.ways, self.tools.clone())),
            active: task.active,
            running: None,
        };
        self.entries.insert(task.id, entry);
    }

    /// A check is not wanted any more; one that is being made is broken off.
    pub(crate) fn remove(&mut self, id: ProbeId) {
        if let Some(running) = self.entries.remove(&id).and_then(|entry| entry.running) {
            running.abort();
            self.running -= 1;
        }
    }

    /// A check is made from now on, or not.
    pub(crate) fn set_active(&mut self, id: ProbeId, active: bool) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.active = active;
        }
    }

    /// When the next one is due; `None`: nothing waits, or nothing more may run now.
    pub(crate) fn next(&self) -> Option<Duration> {
        if self.running >= self.most {
            return None;
        }
        let Reverse((due, _)) = self.due.peek()?;
        let (since, count) = self.begun;
        Some(match count < AT_ONCE {
            true => *due,
            false => (since + GRID).max(*due),
        })
    }

    /// Starts what is due.
    pub(crate) fn start(&mut self, now: Duration, answers: &Answers) {
        if now >= self.begun.0 + GRID {
            self.begun = (now, 0);
        }
        while self.next().is_some_and(|due| due <= now) {
            let Some(Reverse((_, id))) = self.due.pop() else {
                return;
            };
            // One that was removed meanwhile is gone.
            let Some(entry) = self.entries.get_mut(&id) else {
                continue;
            };
            if !entry.active {
                entry.checker.skip(now);
                self.due.push(Reverse((entry.checker.due(), id)));
                continue;
            }
            entry.running = Some(entry.ready.start(id, entry.checker.step(), answers));
            self.running += 1;
            self.begun.1 += 1;
        }
    }

    /// Takes in what came of a check: what the checker makes of it.
    pub(crate) fn hear(
        &mut self,
        id: ProbeId,
        outcome: &Outcome,
        now: Duration,
    ) -> Option<(Heard, &Standing)> {
        let entry = self.entries.get_mut(&id)?;
        entry.running.take()?;
        self.running -= 1;
        let heard = entry.checker.result(now, outcome);
        self.due.push(Reverse((entry.checker.due(), id)));
        Some((heard, entry.checker.standing()))
    }
}
