//! One check of one target.
//!
//! The rules are keepalived's (check_http.c `epilog`, check_udp.c `udp_epilog`):
//! * Before the first result it counts as up, or with `alpha` as down; the first result decides.
//! * Up: a failure is asked about again after `delay_before_retry`; after `retry` more it is down.
//! * Down: asked every `delay_loop`, one success brings it up. TCP and SMTP are asked `retry` times
//!   more after `delay_before_retry` each time, as if it were up (keepalived 2.2.7).
//! * HTTP: one page at a time, each after `delay_loop`; a success is one of all pages in a row.
//!   Once a page has failed it alone is asked for, until it succeeds; then all are again. With
//!   `fast_recovery` there is no pause between the pages of a check that is not up yet.
//!
//! Ours are `rise` and `damping`.

use core::time::Duration;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::spec::{Check, Kind, Timing};

/// What came of asking once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The target serves; what that does to its weight.
    Success(Adjust),
    /// It does not, for this reason.
    Failure(String),
    /// It was not asked: something is wrong on this machine. That says nothing of the target.
    NotMade(String),
}

/// What a success says of the real server's weight.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Adjust {
    /// Nothing.
    #[default]
    Keep,
    /// It shall be this (a script's exit status less 2).
    Set(u32),
    /// This is added (a number in a file).
    Add(i32),
}

/// What is known of a target: what outlives a restart, and a reload.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Standing {
    pub up: bool,
    /// There was a result.
    pub known: bool,
    #[serde(default)]
    pub adjust: Adjust,
    /// When it last went down, if damping wants to know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub falls: Vec<Duration>,
}

impl Standing {
    /// What counts before the first result.
    pub fn new(timing: &Timing) -> Self {
        Self {
            up: !timing.alpha,
            ..Self::default()
        }
    }
}

/// What a result did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Heard {
    /// The standing is another than before.
    pub changed: bool,
    /// A failure that changed nothing shall be logged all the same.
    pub log: bool,
}

/// When a target is asked, and what it counts as.
#[derive(Clone, Debug)]
pub struct Checker {
    check: Arc<Check>,
    course: Course,
    standing: Standing,
    /// Failures in a row that have not brought it down yet.
    failures: u32,
    /// Successes in a row that have not brought it up yet.
    successes: u32,
    /// The first of the successes in a row.
    well_since: Option<Duration>,
    due: Duration,
}

/// Where a check of several pages is.
#[derive(Clone, Debug)]
struct Course {
    /// Pages; others than HTTP have one.
    steps: usize,
    http: bool,
    fast_recovery: bool,
    /// Retries are made also while it is down.
    retries_down: bool,
    at: usize,
    /// The page at `at` is why it is down, and is asked for until it is there again.
    failed: bool,
}

impl Checker {
    /// A check that is asked first within `warmup`, after the part `chance` (0 to 1) of it.
    pub fn new(check: &Arc<Check>, standing: Standing, now: Duration, chance: f64) -> Self {
        Self {
            check: check.clone(),
            course: Course::new(&check.kind),
            failures: if standing.known {
                0
            } else {
                check.timing.retry
            },
            standing,
            successes: 0,
            well_since: None,
            due: now + check.timing.warmup.mul_f64(chance.clamp(0.0, 1.0)),
        }
    }

    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// When it is to be asked next.
    pub fn due(&self) -> Duration {
        self.due
    }

    /// Which of its pages it is to be asked for next.
    pub fn step(&self) -> usize {
        self.course.at
    }

    /// It is not asked now (`ha_suspend`): look again after `delay_loop`.
    pub fn skip(&mut self, now: Duration) {
        self.due = now + self.check.timing.delay_loop;
    }

    /// Takes in a result.
    pub fn result(&mut self, now: Duration, outcome: &Outcome) -> Heard {
        let before = (self.standing.up, self.standing.known, self.standing.adjust);
        let (delay, log) = match outcome {
            Outcome::Success(adjust) => (self.success(now, *adjust), false),
            Outcome::Failure(_) => (
                self.failure(now),
                self.check.timing.log_all_failures && before.0,
            ),
            Outcome::NotMade(_) => (self.check.timing.delay_loop, true),
        };
        self.due = now + delay;
        let after = (self.standing.up, self.standing.known, self.standing.adjust);
        Heard {
            changed: before != after,
            log,
        }
    }

    fn success(&mut self, now: Duration, adjust: Adjust) -> Duration {
        self.failures = 0;
        self.well_since.get_or_insert(now);
        let done = self.course.success();
        if done {
            self.rise(now);
            self.standing.adjust = adjust;
        }
        if !self.standing.known {
            self.failures = self.check.timing.retry;
        }
        match self.course.fast_recovery && !done && !(self.standing.up && self.standing.known) {
            true => Duration::ZERO,
            false => self.check.timing.delay_loop,
        }
    }

    /// All pages have succeeded.
    fn rise(&mut self, now: Duration) {
        self.standing.known = true;
        if self.standing.up {
            return;
        }
        self.successes += 1;
        if self.successes >= self.check.timing.rise && !self.held_down(now) {
            self.standing.up = true;
            self.successes = 0;
        }
    }

    fn held_down(&mut self, now: Duration) -> bool {
        let Some(damping) = self.check.timing.damping else {
            return false;
        };
        let falls = &mut self.standing.falls;
        falls.retain(|fall| *fall + damping.within > now);
        let well = self.well_since.map_or(Duration::ZERO, |since| now - since);
        falls.len() >= damping.falls as usize && well < damping.hold
    }

    fn failure(&mut self, now: Duration) -> Duration {
        self.successes = 0;
        self.well_since = None;
        let was_up = self.standing.up || !self.standing.known;
        self.standing.known = true;
        if was_up {
            self.failures += 1;
            if self.failures > self.check.timing.retry {
                self.fall(now);
            }
        }
        let delay_loop = self.check.timing.delay_loop;
        let before_retry = self.check.timing.delay_before_retry;
        match (self.standing.up, self.course.http, self.course.failed) {
            (true, ..) | (false, true, false) => before_retry,
            (false, true, true) => before_retry.max(delay_loop),
            (false, false, _) if !was_up && self.retries_down() => before_retry,
            (false, false, _) => delay_loop,
        }
    }

    /// Counts a failure of what is down; whether it is asked again sooner.
    fn retries_down(&mut self) -> bool {
        let again = self.course.retries_down && self.failures < self.check.timing.retry;
        self.failures = if again { self.failures + 1 } else { 0 };
        again
    }

    fn fall(&mut self, now: Duration) {
        self.failures = 0;
        self.course.failed = self.course.http;
        self.standing.adjust = Adjust::Keep;
        if !core::mem::replace(&mut self.standing.up, false) {
            return;
        }
        if let Some(damping) = self.check.timing.damping {
            let falls = &mut self.standing.falls;
            falls.push(now);
            let surplus = falls.len().saturating_sub(damping.falls as usize);
            falls.drain(..surplus);
        }
    }
}

impl Course {
    fn new(kind: &Kind) -> Self {
        let (steps, http, fast_recovery) = match kind {
            Kind::Http(http) => (http.urls.len().max(1), true, http.fast_recovery),
            _ => (1, false, false),
        };
        Self {
            steps,
            http,
            fast_recovery,
            retries_down: matches!(kind, Kind::Tcp | Kind::Smtp { .. }),
            at: 0,
            failed: false,
        }
    }

    /// Goes on to the next page; whether that was the last.
    fn success(&mut self) -> bool {
        let last = self.at + 1 == self.steps;
        if core::mem::take(&mut self.failed) {
            self.at = 0;
            return false;
        }
        self.at = if last { 0 } else { self.at + 1 };
        last
    }
}

#[cfg(test)]
mod tests;
