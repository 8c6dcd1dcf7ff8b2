//! How states change.

use core::time::Duration;

use super::Machine;
use crate::machine::track::effective_priority;
use crate::machine::{Action, Event, Obstacle, State, Why};

impl Machine {
    /// Whether it can be in Backup or Master.
    pub(super) fn may_begin(&self) -> bool {
        self.obstacle().is_none() && !self.unsettled() && !self.group.unsettled
    }

    /// Goes to Fault, or begins, if that is what is left.
    pub(super) fn judge(&mut self, now: Duration, why: Why) {
        let Some(begins) = self.begins else {
            return;
        };
        match (self.obstacle(), self.state) {
            (Some(obstacle), _) => self.obstruct(now, obstacle),
            (None, State::Initialize | State::Fault) if self.may_begin() && begins <= now => {
                self.begin(now, why);
            }
            _ => {}
        }
    }

    pub(super) fn obstruct(&mut self, now: Duration, obstacle: Obstacle) {
        if self.begins.is_some() && self.state != State::Fault {
            self.leave(now, State::Fault, Why::Obstacle(obstacle));
        }
    }

    pub(super) fn begin(&mut self, now: Duration, why: Why) {
        self.begun = true;
        self.become_backup(now, why);
        if self.spec.begins_as_master && self.spec.owner() {
            self.silent = true;
            self.take_over(now);
        }
    }

    /// It has heard nobody: is master, if nothing else keeps it from that.
    pub(in crate::machine) fn take_over(&mut self, now: Duration) {
        self.timer = None;
        match &self.not_ready {
            Some(reason) if !self.told_held => {
                let reason = reason.clone();
                self.told_held = true;
                self.tell(Event::Held { reason });
            }
            Some(_) => {}
            None if self.group.member => {}
            None => self.become_master(now, Why::NoMaster),
        }
    }

    pub(super) fn become_master(&mut self, now: Duration, why: Why) {
        self.begun = true;
        self.silent = false;
        self.master = None;
        self.bears_until = None;
        self.master_interval = self.spec.interval;
        self.advertise_on(now);
        self.acquire();
        if why == Why::Resumed {
            self.schedule.go_on(now, &self.spec.announcements);
        } else {
            let times = self.schedule.begin(now, &self.spec.announcements);
            self.announce(times);
        }
        self.change(State::Master, why);
    }

    /// Is a backup that has just heard a master, or begins to listen.
    pub(in crate::machine) fn become_backup(&mut self, now: Duration, why: Why) {
        if self.state == State::Master {
            self.schedule.end();
            self.actions.push(Action::Release);
        }
        self.silent = false;
        self.timer = Some(now + self.spec.master_down(self.priority, self.master_interval));
        self.change(State::Backup, why);
    }

    /// Leaves, with a good-bye if it is master.
    pub(super) fn leave(&mut self, now: Duration, to: State, why: Why) {
        if self.state == State::Master {
            self.advertise(now, 0);
        }
        if to == State::Backup {
            return self.become_backup(now, why);
        }
        if self.state == State::Master {
            self.schedule.end();
            self.actions.push(Action::Release);
        }
        self.silent = false;
        self.timer = None;
        self.bears_until = None;
        self.master = None;
        self.change(to, why);
    }

    pub(super) fn change(&mut self, to: State, why: Why) {
        let from = core::mem::replace(&mut self.state, to);
        if from != to {
            self.tell(Event::State {
                from,
                to,
                why,
                priority: self.priority,
            });
        }
    }

    pub(super) fn judge_priority(&mut self) {
        let priority = effective_priority(&self.spec, &self.readings);
        let from = core::mem::replace(&mut self.priority, priority);
        if from != priority {
            let waited = self.spec.master_down(from, self.master_interval);
            self.shift(waited);
            self.tell(Event::Priority { from, to: priority });
        }
    }

    /// A backup that was to wait for so long waits for as long as it would have to now.
    pub(super) fn shift(&mut self, waited: Duration) {
        let waits = self.spec.master_down(self.priority, self.master_interval);
        if self.state == State::Backup {
            self.timer = self.timer.map(|at| (at + waits).saturating_sub(waited));
        }
    }
}
