//! Another configuration, and what the kernel says of interfaces.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rlvs_host::address::Interface;
use rlvs_vrrp::spec::To;
use rlvs_vrrp::{Memory, Reading};
use tokio::time::Instant;

use super::{NUMBERS, RETRY, Runner};
use crate::hands::Job;
use crate::plan::{Delay, Instance, Plan, Subject};
use crate::unit::Unit;
use crate::wire::{Key, Wants, Wire};

impl Runner {
    /// Takes up what interfaces are now, and a plan that has waited for that.
    pub(super) fn look(&mut self) {
        let Some(seen) = self.interfaces.borrow_and_update().clone() else {
            return;
        };
        if let Some(plan) = self.pending.take() {
            self.bounces.follow(delays(&plan));
            let interfaces = self.bounces.settle(self.now(), &seen);
            self.follow(plan, &interfaces);
        }
        let interfaces = self.bounces.settle(self.now(), &seen);
        self.open();
        for number in 0..self.units.len() {
            let now = self.now();
            let actions = self.units[number].look(now, &interfaces, &self.plan);
            self.perform(number, actions);
        }
        self.open();
        self.read_interfaces(&interfaces);
        self.is_changed = true;
    }

    /// Interfaces that are tracked.
    fn read_interfaces(&mut self, interfaces: &[Interface]) {
        let own = self.plan.instances.iter().flat_map(|it| &it.tracked);
        let groups = self.plan.groups.iter().flat_map(|it| &it.tracked);
        let mut names: Vec<_> = own
            .chain(groups)
            .filter_map(|subject| match subject {
                Subject::Interface(name) => Some(name.clone()),
                _ => None,
            })
            .collect();
        names.sort();
        names.dedup();
        for name in names {
            let mut all = interfaces.iter();
            let reading = match all.any(|it| it.name == name && it.running) {
                true => Reading::Up,
                false => Reading::Down,
            };
            self.read(Subject::Interface(name), reading);
        }
        self.read_statics(interfaces);
    }

    /// What is the machine's own and tracked: it counts as gone if it is not put back soon.
    fn read_statics(&mut self, interfaces: &[Interface]) {
        let now = self.now();
        let has = |address: &IpAddr| {
            let mut all = interfaces.iter().flat_map(|it| &it.addresses);
            all.any(|(it, _)| it == address)
        };
        for group in self.plan.clone().static_groups.iter() {
            let addresses = !group.addresses.is_empty();
            let addresses = addresses.then(|| group.addresses.iter().all(has));
            let subject = Subject::StaticAddresses(group.name.clone());
            self.read_lasting(now, subject, addresses);
            let routes = self.static_routes.get(&group.name).copied();
            let subject = Subject::StaticRoutes(group.name.clone());
            self.read_lasting(now, subject, routes);
        }
    }

    fn read_lasting(&mut self, now: Duration, subject: Subject, up: Option<bool>) {
        let Some(up) = up else {
            return self.bounces.forget(&of_static(&subject));
        };
        let reading = match self.bounces.lasts(now, &of_static(&subject), up) {
            true => Reading::Up,
            false => Reading::Down,
        };
        self.read(subject, reading);
    }

    fn follow(&mut self, plan: Plan, interfaces: &Arc<Vec<Interface>>) {
        let plan = Arc::new(plan);
        let wanted = Unit::of(&plan);
        let mut before = core::mem::take(&mut self.units);
        let goes_on = |unit: &Unit| {
            let mut all = wanted.iter();
            all.any(|(name, group, instances)| unit.goes_on_as(name, group.is_some(), instances))
        };
        let (stay, gone): (Vec<_>, Vec<_>) = before.drain(..).partition(goes_on);
        self.plan = plan.clone();
        self.end_units(gone);
        self.units = stay;
        let _ = self.jobs.send(Job::Follow(plan.clone()));
        self.read_interfaces(interfaces);
        for (name, group, instances) in wanted {
            let is_it = |unit: &Unit| unit.goes_on_as(&name, group.is_some(), &instances);
            match self.units.iter().position(is_it) {
                Some(number) => self.reconfigure(number, group, instances),
                None => self.begin(name, group, instances, interfaces),
            }
        }
        // Only a daemon's first configuration goes on where another was.
        self.remembered.clear();
    }

    fn end_units(&mut self, gone: Vec<Unit>) {
        self.units = gone;
        for number in 0..self.units.len() {
            let now = self.now();
            let actions = self.units[number].stop(now);
            self.perform(number, actions);
            for member in &self.units[number].members {
                let name = member.instance.name.clone();
                let _ = self.jobs.send(Job::Forget(name));
            }
        }
    }

    fn reconfigure(
        &mut self,
        number: usize,
        group: Option<crate::plan::Group>,
        instances: Vec<Instance>,
    ) {
        let unit = &self.units[number];
        let members = unit.members.iter();
        if unit.group == group && members.map(|it| &it.instance).eq(&instances) {
            return;
        }
        let before: Vec<_> = unit
            .members
            .iter()
            .map(|it| it.instance.placement.clone())
            .collect();
        let (now, readings) = (self.now(), &self.readings);
        let actions = self.units[number].reconfigure(now, group, instances, readings);
        self.perform(number, actions);
        let unit = &self.units[number];
        if unit.is_master() {
            for (member, before) in unit.members.iter().zip(before) {
                let instance = &member.instance;
                if instance.placement != before {
                    let (name, placement) = (instance.name.clone(), instance.placement.clone());
                    let _ = self
                        .jobs
                        .send(Job::Acquire(name.clone(), placement.clone()));
                    let _ = self.jobs.send(Job::Announce(name, placement, 1));
                }
            }
        }
    }

    fn begin(
        &mut self,
        name: String,
        group: Option<crate::plan::Group>,
        instances: Vec<Instance>,
        interfaces: &Arc<Vec<Interface>>,
    ) {
        let Some(mut unit) = Unit::new(name, group, instances) else {
            return;
        };
        let now = self.now();
        unit.clock(self.time_of_day());
        // Nothing follows from this before the start.
        unit.look(now, interfaces, &self.plan);
        unit.ready(now, &self.ready);
        for (subject, reading) in &self.readings {
            unit.read(now, subject, *reading);
        }
        let remembered = unit
            .members
            .iter()
            .map(|it| self.remembered.get(&it.instance.name));
        let remembered: Option<Vec<_>> = remembered.map(|it| it.cloned()).collect();
        let handed_over = remembered.iter().flatten().any(|it| it.handed_over);
        if handed_over {
            unit.set_handed_over(now, true, &self.readings);
        }
        self.units.push(unit);
        self.open();
        let number = self.units.len() - 1;
        let memories = remembered.map(|all| {
            let memory = |it: &crate::note::Remembered| Memory {
                // Some may have been sent since it was written down.
                sequence: it.sequence.saturating_add(NUMBERS),
                ..it.memory()
            };
            all.iter().map(memory).collect::<Vec<_>>()
        });
        let actions = self.units[number].start(now, memories.as_deref());
        self.perform(number, actions);
    }

    /// Opens and closes sockets, as units need them.
    pub(super) fn open(&mut self) {
        let needs = self.needs();
        self.wires.retain(|wire| needs.contains_key(wire.key()));
        self.retry = None;
        for (key, wants) in needs {
            let present = self.wires.iter().position(|wire| *wire.key() == key);
            let outcome = match present {
                Some(place) => self.wires[place].follow(&wants),
                None => Wire::open(&key, &wants).map(|wire| self.wires.push(wire)),
            };
            if let Err(error) = outcome {
                tracing::warn!(interface = key.interface, %error, "VRRP has no socket there");
                self.wires.retain(|wire| *wire.key() != key);
                self.retry = Some(Instant::now() + RETRY);
            }
        }
    }

    fn needs(&self) -> BTreeMap<Key, Wants> {
        let mut needs = BTreeMap::<Key, Wants>::new();
        for member in self.units.iter().flat_map(|unit| &unit.members) {
            let spec = &member.instance.spec;
            if let Some(key) = member.vmac.clone() {
                // Nothing is heard there: all comes in below as well.
                needs.entry(key).or_default();
            }
            if let Some(key) = member.wire.clone() {
                let wants = needs.entry(key).or_default();
                wants.routers.insert(spec.virtual_router);
                wants.all = self.plan.logs_unknown;
                if let To::Group(group) = spec.to {
                    wants.groups.insert(group);
                }
            }
        }
        needs
    }
}

/// What is the machine's own, and goes, is put back within this: a route after its address.
const PUT_BACK: Duration = Duration::from_secs(5);

/// What has to last before it counts.
fn delays(plan: &Plan) -> Vec<Delay> {
    let subjects = plan.static_groups.iter().flat_map(|group| {
        let name = || group.name.clone();
        [
            Subject::StaticAddresses(name()),
            Subject::StaticRoutes(name()),
        ]
    });
    let groups = subjects.map(|subject| Delay {
        interface: of_static(&subject),
        down: PUT_BACK,
        up: Duration::ZERO,
    });
    plan.delays.iter().cloned().chain(groups).collect()
}

/// As no interface is named.
fn of_static(subject: &Subject) -> String {
    format!("/{subject}")
}
