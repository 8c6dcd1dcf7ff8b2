//! One virtual router.
//!
//! ```text
//!                  +------------+
//!       +--------->|            |<---------+
//!       |     +----| Initialize |----+     |     also to Fault and back, from everywhere
//!       |     |    +------------+    |     |
//!       |     v  owner               v     |
//!     +--------+                   +--------+
//!     |        |  better advert.   |        |
//!     | Master |------------------>| Backup |
//!     |        |<------------------|        |
//!     +--------+  no advertisement +--------+
//! ```
//!
//! The rules are the RFCs', and where those leave it open keepalived's (vrrp.c,
//! vrrp_scheduler.c). Ours are:
//! * A backup that is not ready (tables, first checks, connections) does not take over, and does as
//!   soon as it is. Who is master stays so.
//! * Only the master's own good-bye lets a backup take over at once.
//! * Announcements for lower priorities are made once an interval at most.

mod act;
mod change;

use core::time::Duration;
use std::net::IpAddr;

use crate::packet::{Datagram, Sequence, Sum, Version};
use crate::spec::{Spec, To, Wrong};

use super::admit::{Admitted, Known, admit};
use super::announce::Schedule;
use super::signed::Sequences;
use super::track::{Effect, effective_priority};
use super::{Action, Event, Obstacle, Reading, State, Why};

/// A virtual router.
#[derive(Clone, Debug)]
pub struct Machine {
    pub(super) spec: Spec,
    pub(super) state: State,
    pub(super) actions: Vec<Action>,
    /// The priority that counts, with what is tracked.
    pub(super) priority: u8,
    /// The primary address of the interface, or one that was configured.
    pub(super) source: Option<IpAddr>,
    interface_up: bool,
    readings: Vec<Reading>,
    not_ready: Option<String>,
    group: Membership,
    /// When it may begin, once it has been started.
    begins: Option<Duration>,
    /// The next thing to do for want of an advertisement: to be master, or to send one.
    pub(super) timer: Option<Duration>,
    /// No master was heard for long enough, and something else kept it from being one.
    pub(super) silent: bool,
    /// It was said that it is held.
    told_held: bool,
    /// It has been in Backup or Master since the start.
    begun: bool,
    pub(super) master: Option<(IpAddr, u8)>,
    pub(super) master_interval: Duration,
    /// Until when a master of lower priority is borne.
    pub(super) bears_until: Option<Duration>,
    pub(super) schedule: Schedule,
    pub(super) sum: Sum,
    sequence: u32,
    sequences: Sequences,
    /// What time of day it was when times began.
    time_of_day: Duration,
    identification: u16,
}

/// What the others of a group have to say.
#[derive(Clone, Copy, Debug, Default)]
struct Membership {
    member: bool,
    fault: bool,
    unsettled: bool,
}

/// What the next daemon has to know to go on where this one was.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Memory {
    pub master: bool,
    /// Of authentication headers.
    pub sequence: u32,
    /// The last signature of each sender, so that none is heard again.
    pub heard: Vec<(IpAddr, Sequence)>,
}

impl Machine {
    /// A virtual router that has not been started. Its interface counts as up, and has no address yet;
    /// of what it tracks nothing is known.
    pub fn new(spec: Spec) -> Result<Self, Wrong> {
        spec.check()?;
        let readings = vec![Reading::Unknown; spec.track.len()];
        Ok(Self {
            state: State::Initialize,
            actions: Vec::new(),
            priority: effective_priority(&spec, &readings),
            source: None,
            interface_up: true,
            readings,
            not_ready: None,
            group: Membership::default(),
            begins: None,
            timer: None,
            silent: false,
            told_held: false,
            begun: false,
            master: None,
            master_interval: spec.interval,
            bears_until: None,
            schedule: Schedule::default(),
            sum: spec.sum(),
            sequence: 0,
            sequences: Sequences::default(),
            time_of_day: Duration::ZERO,
            identification: 0,
            spec,
        })
    }

    /// Starts it: the addresses that a daemon may have left behind are taken away.
    pub fn start(&mut self, now: Duration) -> Vec<Action> {
        self.actions.push(Action::Release);
        self.begins = Some(now + self.spec.startup_delay);
        self.judge(now, Why::Started);
        self.done()
    }

    /// Starts where the last daemon was: a master is so at once, and announces nothing, for nobody has
    /// heard that it was away. What is in its way is to be said before, its address at least.
    pub fn resume(&mut self, now: Duration, memory: Memory) -> Vec<Action> {
        self.sequence = memory.sequence;
        self.sequences.remember(&memory.heard);
        if !memory.master || self.obstacle().is_some() {
            return self.start(now);
        }
        self.begins = Some(now);
        self.become_master(now, Why::Resumed);
        self.done()
    }

    /// What time of day it was, by UTC, when the times began that it is given: to be said before
    /// anything else wherever advertisements are signed, and again when clocks are set.
    pub fn clock(&mut self, time_of_day: Duration) {
        self.time_of_day = time_of_day;
    }

    pub fn memory(&self) -> Memory {
        Memory {
            master: self.state == State::Master,
            sequence: self.sequence,
            heard: self.sequences.heard().0.to_vec(),
        }
    }

    /// How many signed advertisements were heard: now and then they are to be remembered.
    pub fn signed_heard(&self) -> u32 {
        self.sequences.heard().1
    }

    /// A master says that it goes.
    pub fn stop(&mut self, now: Duration) -> Vec<Action> {
        self.begins = None;
        self.leave(now, State::Initialize, Why::Stopped);
        self.begun = false;
        self.done()
    }

    /// Lets another be master, if there is one (a planned hand-over). Nothing keeps it from being
    /// master again, but what [`Machine::ready`] is told.
    pub fn resign(&mut self, now: Duration) -> Vec<Action> {
        if self.state == State::Master {
            self.leave(now, State::Backup, Why::Resigned);
        }
        self.done()
    }

    /// A packet came in.
    pub fn receive(&mut self, now: Duration, datagram: &Datagram) -> Vec<Action> {
        let known = Known {
            source: self.source,
            master: self.master.map(|(address, _)| address),
            sequence: self.sequence,
            sequences: &self.sequences,
            time: self.time_of_day + now,
        };
        match admit(&self.spec, &known, datagram) {
            Ok(admitted) => {
                let Admitted {
                    advertisement,
                    sum,
                    sequence,
                    signed,
                } = admitted;
                if self.spec.answers_in_kind() {
                    self.sum = sum;
                }
                self.sequence = sequence.unwrap_or(self.sequence);
                if let Some(signed) = signed {
                    self.sequences.note(datagram.source, signed);
                }
                self.hear(now, datagram.source, &advertisement);
            }
            Err(refusal) => self.tell(Event::Refused {
                source: datagram.source,
                refusal,
            }),
        }
        self.done()
    }

    /// Does what is due.
    pub fn poll(&mut self, now: Duration) -> Vec<Action> {
        if !self.begun {
            self.judge(now, Why::Started);
        }
        if self.timer.is_some_and(|at| at <= now) {
            self.timer = None;
            match self.state {
                State::Master => self.advertise_on(now),
                State::Backup => {
                    self.silent = true;
                    self.take_over(now);
                }
                State::Initialize | State::Fault => {}
            }
        }
        if self.state == State::Master {
            let times = self.schedule.poll(now, &self.spec.announcements);
            self.announce(times);
        }
        self.done()
    }

    /// When [`Machine::poll`] is to be called, if nothing else happens.
    pub fn deadline(&self) -> Option<Duration> {
        let begins = self.begins.filter(|_| !self.begun && self.may_begin());
        let timers = begins.into_iter().chain(self.timer);
        timers.chain(self.schedule.due()).min()
    }

    /// The primary address of its interface, or that which was configured, if it is there.
    pub fn address(&mut self, now: Duration, address: Option<IpAddr>) -> Vec<Action> {
        let fits = |it: &IpAddr| crate::spec::Family::of(*it) == self.spec.family;
        let address = address.filter(fits);
        if address.is_some() {
            self.source = address;
            self.judge(now, Why::Recovered);
        } else {
            // What it says last has to come from somewhere.
            self.obstruct(now, Obstacle::NoAddress);
            self.source = None;
        }
        self.done()
    }

    /// Whether its interface is up.
    pub fn interface(&mut self, now: Duration, up: bool) -> Vec<Action> {
        self.interface_up = up;
        self.judge(now, Why::Recovered);
        self.done()
    }

    /// What it tracks, by its place in the list, is so now.
    ///
    /// # Panics
    ///
    /// If there is no such place.
    pub fn track(&mut self, now: Duration, place: usize, reading: Reading) -> Vec<Action> {
        self.readings[place] = reading;
        self.judge_priority();
        self.judge(now, Why::Recovered);
        self.done()
    }

    /// Whether it may take over, or why not. It may, as long as nothing is said.
    pub fn ready(&mut self, now: Duration, ready: Result<(), String>) -> Vec<Action> {
        self.not_ready = ready.err();
        self.told_held &= self.not_ready.is_some();
        if self.silent {
            self.take_over(now);
        }
        self.done()
    }

    /// Another priority, as from the configuration; what is tracked is added to it.
    pub fn set_priority(&mut self, priority: u8) -> Result<Vec<Action>, Wrong> {
        let other = Spec {
            priority,
            ..self.spec.clone()
        };
        other.check()?;
        self.spec = other;
        self.judge_priority();
        Ok(self.done())
    }

    /// Another configuration of the same virtual router: what does not change goes on. What is
    /// tracked is known anew.
    pub fn reconfigure(
        &mut self,
        now: Duration,
        spec: Spec,
        readings: Vec<Reading>,
    ) -> Result<Vec<Action>, Wrong> {
        spec.check()?;
        let before = core::mem::replace(&mut self.spec, spec);
        self.readings = readings;
        self.readings
            .resize(self.spec.track.len(), Reading::Unknown);
        if before.sum() != self.spec.sum() || !self.spec.answers_in_kind() {
            self.sum = self.spec.sum();
        }
        if self.state == State::Master {
            let same = before.addresses == self.spec.addresses;
            if !same || before.accepts() != self.spec.accepts() {
                self.acquire();
            }
            if before.interval != self.spec.interval {
                self.advertise_on(now);
            }
            if before.announcements != self.spec.announcements {
                self.schedule.go_on(now, &self.spec.announcements);
            }
        } else {
            let waited = before.master_down(self.priority, self.master_interval);
            if self.spec.version == Version::V2 || self.master.is_none() {
                self.master_interval = self.spec.interval;
            }
            self.shift(waited);
        }
        self.judge_priority();
        self.judge(now, Why::Recovered);
        Ok(self.done())
    }

    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    pub fn state(&self) -> State {
        self.state
    }

    /// The priority that counts.
    pub fn priority(&self) -> u8 {
        self.priority
    }

    /// The last master that was heard, and its priority.
    pub fn master(&self) -> Option<(IpAddr, u8)> {
        self.master
    }

    /// Between the master's advertisements.
    pub fn master_interval(&self) -> Duration {
        self.master_interval
    }

    /// Why it does not take over though there is no master.
    pub fn held(&self) -> Option<&str> {
        self.not_ready.as_deref().filter(|_| self.silent)
    }

    /// What is in its way, of its own or its group's.
    pub fn obstacle(&self) -> Option<Obstacle> {
        self.own_obstacle()
            .or(self.group.fault.then_some(Obstacle::Group))
    }
}

/// For groups.
impl Machine {
    pub(crate) fn join(&mut self) {
        self.group.member = true;
    }

    /// Whether it would be master, were it not for its group.
    pub(crate) fn wants(&self) -> bool {
        self.state == State::Backup && self.silent && self.not_ready.is_none()
    }

    pub(crate) fn grant(&mut self, now: Duration) -> Vec<Action> {
        if self.state == State::Backup {
            self.become_master(now, Why::GroupAgrees);
        }
        self.done()
    }

    pub(crate) fn follow_to_backup(&mut self, now: Duration) -> Vec<Action> {
        if self.state == State::Master {
            self.become_backup(now, Why::GroupLeft);
        }
        self.done()
    }

    pub(crate) fn own_obstacle(&self) -> Option<Obstacle> {
        if !self.interface_up && self.spec.track_primary {
            return Some(Obstacle::Interface);
        }
        if matches!(&self.spec.to, To::Peers { peers, .. } if peers.is_empty()) {
            return Some(Obstacle::NoPeer);
        }
        if self.source.is_none() {
            return Some(Obstacle::NoAddress);
        }
        let mut effects = self.effects();
        let fault = effects.position(|effect| effect == Effect::Fault);
        fault.map(Obstacle::Tracked)
    }

    /// Whether it is not known yet what is in its way.
    pub(crate) fn unsettled(&self) -> bool {
        self.effects().any(|effect| effect == Effect::Unsettled)
    }

    /// Whether others are in fault, or may be.
    pub(crate) fn others(&mut self, now: Duration, fault: bool, unsettled: bool) -> Vec<Action> {
        self.group = Membership {
            fault,
            unsettled,
            ..self.group
        };
        self.judge(now, Why::Recovered);
        self.done()
    }

    fn effects(&self) -> impl Iterator<Item = Effect> {
        let tracked = self.spec.track.iter().zip(&self.readings);
        tracked.map(|(tracked, reading)| tracked.effect(*reading))
    }
}
