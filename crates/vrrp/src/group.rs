//! Virtual routers that are master together or not at all (`vrrp_sync_group`).
//!
//! The rules are keepalived's (vrrp_sync.c):
//! * They become master when all of them would; until then those that would wait as backups.
//! * When one hears a better master, all become backups.
//! * When one is in fault, all are; when none is any more, all become backups. What is not known yet
//!   of one keeps all from beginning.
//! * What members track on their own only brings faults: with weights they would differ in priority,
//!   and wait for each other for ever. What the group tracks counts for all.
//!
//! Members should have equal ranks on each director, or none of them becomes master of a part that
//! another has.

use core::time::Duration;
use std::net::IpAddr;

use crate::machine::{Action, Machine, Memory, Reading, State};
use crate::packet::Datagram;
use crate::spec::{Spec, Tracked, Wrong};

/// What a group has beside its members.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroupSpec {
    /// What counts for all members.
    pub track: Vec<Tracked>,
    /// `sync_group_tracking_weight`: what members track counts with its weight.
    pub tracking_weight: bool,
}

/// Virtual routers that go together.
#[derive(Clone, Debug)]
pub struct Group {
    members: Vec<Machine>,
    /// How many things each member tracks on its own; the group's are behind those.
    own: Vec<usize>,
    state: State,
}

/// What a group does.
#[derive(Clone, Debug, PartialEq)]
pub enum GroupAction {
    /// The member with this number does that.
    Member(usize, Action),
    /// All are master, one is in fault, or neither.
    State { from: State, to: State },
}

impl Group {
    /// A group of virtual routers that have not been started.
    ///
    /// The error names the member that cannot be.
    pub fn new(group: &GroupSpec, members: Vec<Spec>) -> Result<Self, (usize, Wrong)> {
        let own = members.iter().map(|spec| spec.track.len()).collect();
        let member = |(number, spec): (usize, Spec)| {
            let mut machine =
                Machine::new(with_group(group, spec)).map_err(|wrong| (number, wrong))?;
            machine.join();
            Ok(machine)
        };
        let members: Result<_, _> = members.into_iter().enumerate().map(member).collect();
        Ok(Self {
            members: members?,
            own,
            state: State::Initialize,
        })
    }

    /// See [`Machine::clock`].
    pub fn clock(&mut self, time_of_day: Duration) {
        for machine in &mut self.members {
            machine.clock(time_of_day);
        }
    }

    pub fn start(&mut self, now: Duration) -> Vec<GroupAction> {
        // What is in one's way is in all others' before they begin.
        let mut actions = self.share_faults(now);
        actions.extend(self.each(|machine| machine.start(now)));
        self.settle(now, actions)
    }

    /// Starts where the last daemon was. Members that were not of one mind start as backups.
    pub fn resume(&mut self, now: Duration, memories: &[Memory]) -> Vec<GroupAction> {
        let master = memories.len() == self.members.len() && memories.iter().all(|it| it.master);
        let mut actions = self.share_faults(now);
        for (number, machine) in self.members.iter_mut().enumerate() {
            let memory = Memory {
                master,
                ..memories.get(number).cloned().unwrap_or_default()
            };
            let done = machine.resume(now, memory);
            actions.extend(by(number, done));
        }
        self.settle(now, actions)
    }

    pub fn stop(&mut self, now: Duration) -> Vec<GroupAction> {
        let actions = self.each(|machine| machine.stop(now));
        self.settle(now, actions)
    }

    pub fn resign(&mut self, now: Duration) -> Vec<GroupAction> {
        let actions = self.each(|machine| machine.resign(now));
        self.settle(now, actions)
    }

    pub fn poll(&mut self, now: Duration) -> Vec<GroupAction> {
        let actions = self.each(|machine| machine.poll(now));
        self.settle(now, actions)
    }

    pub fn deadline(&self) -> Option<Duration> {
        self.members.iter().filter_map(Machine::deadline).min()
    }

    /// # Panics
    ///
    /// Here and below, if there is no such member.
    pub fn receive(
        &mut self,
        now: Duration,
        member: usize,
        datagram: &Datagram,
    ) -> Vec<GroupAction> {
        self.one(now, member, |machine| machine.receive(now, datagram))
    }

    pub fn address(
        &mut self,
        now: Duration,
        member: usize,
        address: Option<IpAddr>,
    ) -> Vec<GroupAction> {
        self.one(now, member, |machine| machine.address(now, address))
    }

    pub fn interface(&mut self, now: Duration, member: usize, up: bool) -> Vec<GroupAction> {
        self.one(now, member, |machine| machine.interface(now, up))
    }

    /// Something that a member tracks on its own.
    pub fn track_of(
        &mut self,
        now: Duration,
        member: usize,
        place: usize,
        reading: Reading,
    ) -> Vec<GroupAction> {
        assert!(place < self.own[member], "no such place");
        self.one(now, member, |machine| machine.track(now, place, reading))
    }

    /// Something that the group tracks.
    pub fn track(&mut self, now: Duration, place: usize, reading: Reading) -> Vec<GroupAction> {
        let mut actions = Vec::new();
        for (number, machine) in self.members.iter_mut().enumerate() {
            let done = machine.track(now, self.own[number] + place, reading);
            actions.extend(by(number, done));
        }
        self.settle(now, actions)
    }

    pub fn ready(&mut self, now: Duration, ready: &Result<(), String>) -> Vec<GroupAction> {
        let actions = self.each(|machine| machine.ready(now, ready.clone()));
        self.settle(now, actions)
    }

    /// Another configuration of one member; which are members does not change so. Another of the group
    /// is given to each.
    pub fn reconfigure(
        &mut self,
        now: Duration,
        member: usize,
        group: &GroupSpec,
        spec: Spec,
        readings: Vec<Reading>,
    ) -> Result<Vec<GroupAction>, Wrong> {
        let own = spec.track.len();
        let machine = &mut self.members[member];
        let done = machine.reconfigure(now, with_group(group, spec), readings)?;
        self.own[member] = own;
        let actions = by(member, done).collect();
        Ok(self.settle(now, actions))
    }

    pub fn members(&self) -> &[Machine] {
        &self.members
    }

    pub fn state(&self) -> State {
        self.state
    }

    fn one(
        &mut self,
        now: Duration,
        member: usize,
        does: impl FnOnce(&mut Machine) -> Vec<Action>,
    ) -> Vec<GroupAction> {
        let actions = by(member, does(&mut self.members[member])).collect();
        self.settle(now, actions)
    }

    fn each(&mut self, mut does: impl FnMut(&mut Machine) -> Vec<Action>) -> Vec<GroupAction> {
        let members = self.members.iter_mut().enumerate();
        let actions = members.flat_map(|(number, machine)| by(number, does(machine)));
        actions.collect()
    }

    /// Lets all follow what has happened to some.
    fn settle(&mut self, now: Duration, mut actions: Vec<GroupAction>) -> Vec<GroupAction> {
        actions.extend(self.share_faults(now));
        let all = |state| move |machine: &Machine| machine.state() == state;
        if self.members.iter().any(all(State::Backup)) {
            actions.extend(self.each(|machine| machine.follow_to_backup(now)));
        }
        if !self.members.is_empty() && self.members.iter().all(Machine::wants) {
            actions.extend(self.each(|machine| machine.grant(now)));
        }
        let to = self.judge();
        let from = core::mem::replace(&mut self.state, to);
        if from != to {
            actions.push(GroupAction::State { from, to });
        }
        actions
    }

    fn share_faults(&mut self, now: Duration) -> Vec<GroupAction> {
        let fault = |machine: &Machine| machine.own_obstacle().is_some();
        let faults = self.members.iter().filter(|it| fault(it)).count();
        let unsettled = self.members.iter().any(Machine::unsettled);
        self.each(|machine| {
            let others = faults > usize::from(fault(machine));
            machine.others(now, others, unsettled)
        })
    }

    fn judge(&self) -> State {
        let states = || self.members.iter().map(Machine::state);
        for state in [State::Fault, State::Initialize] {
            if states().any(|it| it == state) {
                return state;
            }
        }
        if states().all(|it| it == State::Master) {
            return State::Master;
        }
        State::Backup
    }
}

fn by(member: usize, actions: Vec<Action>) -> impl Iterator<Item = GroupAction> {
    let by = move |action| GroupAction::Member(member, action);
    actions.into_iter().map(by)
}

/// A member with what its group tracks, and without weights of its own.
fn with_group(group: &GroupSpec, mut spec: Spec) -> Spec {
    if !group.tracking_weight {
        for tracked in &mut spec.track {
            tracked.weight = 0;
        }
    }
    spec.track.extend(&group.track);
    spec
}

#[cfg(test)]
mod tests;
