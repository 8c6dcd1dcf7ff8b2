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

/// All checks, by the time at which they are due.
#[derive(Debug)]
pub(crate) struct Schedule {
    entries: HashMap<ProbeId, Entry>,
    /// Each check that waits, once.
    due: BinaryHeap<Reverse<(Duration, ProbeId)>>,
    running: usize,
    /// How many may run at once: as many as there are files for.
    most: usize,
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
            ready: Arc::new(Ready::new(task.probe, task.mark, self.tools.clone())),
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
        match self.running < self.most {
            true => self.due.peek().map(|Reverse((due, _))| *due),
            false => None,
        }
    }

    /// Starts what is due.
    pub(crate) fn start(&mut self, now: Duration, answers: &Answers) {
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
