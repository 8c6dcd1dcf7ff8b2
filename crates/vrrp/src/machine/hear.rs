//! What an advertisement does.

use core::cmp::Ordering;
use core::time::Duration;
use std::net::IpAddr;

use crate::packet::{Advertisement, Version};

use super::{Event, Machine, State, Why};

impl Machine {
    pub(super) fn hear(&mut self, now: Duration, source: IpAddr, said: &Advertisement) {
        match self.state {
            State::Initialize | State::Fault => {}
            State::Backup if said.priority == 0 => self.hear_good_bye(now, source),
            State::Backup => self.hear_as_backup(now, source, said),
            State::Master => self.hear_as_master(now, source, said),
        }
    }

    /// The master goes: the one with the highest priority waits the shortest time. That time is not
    /// begun anew by another good-bye, or nobody would ever be master.
    fn hear_good_bye(&mut self, now: Duration, source: IpAddr) {
        if self.master.is_some_and(|(master, _)| master != source) {
            return;
        }
        let skew = self.spec.skew(self.priority, self.master_interval);
        self.timer = self.timer.map(|at| at.min(now + skew));
        self.bears_until = None;
    }

    fn hear_as_backup(&mut self, now: Duration, source: IpAddr, said: &Advertisement) {
        self.note_master(source, said.priority);
        let lower = said.priority < self.priority;
        if !lower || !self.spec.preempt {
            self.bears_until = None;
        } else if !self.bears(now, source) {
            // As if nobody had spoken.
            return;
        }
        self.learn_interval(said);
        self.silent = false;
        self.timer = Some(now + self.spec.master_down(self.priority, self.master_interval));
    }

    /// Whether a master of lower priority may be so a while longer.
    fn bears(&mut self, now: Duration, address: IpAddr) -> bool {
        let time = self.spec.preempt_delay;
        if self.bears_until.is_none() && !time.is_zero() {
            self.tell(Event::Bears { address, time });
        }
        now < *self.bears_until.get_or_insert(now + time)
    }

    fn hear_as_master(&mut self, now: Duration, source: IpAddr, said: &Advertisement) {
        if said.priority == 0 {
            return self.advertise_on(now);
        }
        let own = (self.priority, self.source);
        match (said.priority, Some(source)).cmp(&own) {
            Ordering::Less => self.hear_lower(now, source, said.priority),
            // Of equals the higher address is master; one's own is not heard.
            Ordering::Equal => {}
            Ordering::Greater => {
                if self.spec.higher_prio_send_advert {
                    self.advertise(now, self.priority);
                }
                self.note_master(source, said.priority);
                self.learn_interval(said);
                let priority = said.priority;
                self.become_backup(now, Why::HigherPriority { source, priority });
            }
        }
    }

    /// Another believes to be master: it is told better, and so is who has heard it.
    fn hear_lower(&mut self, now: Duration, source: IpAddr, priority: u8) {
        if !self.spec.lower_prio_no_advert {
            self.advertise_on(now);
        }
        let interval = self.spec.interval;
        let times = self.schedule.lower(now, &self.spec.announcements, interval);
        self.announce(times);
        self.tell(Event::LowerPriority { source, priority });
    }

    fn note_master(&mut self, address: IpAddr, priority: u8) {
        if self.master.replace((address, priority)) != Some((address, priority)) {
            self.tell(Event::Master { address, priority });
        }
    }

    /// In version 3 a backup waits as long as the master's interval asks for.
    fn learn_interval(&mut self, said: &Advertisement) {
        if self.spec.version == Version::V2 {
            return;
        }
        let from = core::mem::replace(&mut self.master_interval, said.interval);
        if from != said.interval {
            let to = said.interval;
            self.tell(Event::Interval { from, to });
        }
    }
}
