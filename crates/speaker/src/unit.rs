//! A virtual router on its own, or several that go together: to the runner both are the same.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rlvs_host::address::Interface;
use rlvs_vrrp::spec::{Family, To};
use rlvs_vrrp::{
    Datagram, Event, Group, GroupAction, GroupSpec, Machine, Memory, Reading, Spec, State,
};

use crate::plan::{self, Instance, Plan, Subject};
use crate::view::{Counters, InstanceView};
use crate::wire::Key;

#[derive(Debug)]
pub(crate) struct Unit {
    /// The group's name, or the instance's.
    pub(crate) name: String,
    pub(crate) group: Option<plan::Group>,
    pub(crate) members: Vec<Member>,
    machine: Kind,
}

#[derive(Debug)]
enum Kind {
    One(Box<Machine>),
    Together(Group),
}

/// What the runner knows of an instance.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) instance: Instance,
    pub(crate) counters: Arc<Counters>,
    pub(crate) since: SystemTime,
    pub(crate) why: Option<String>,
    /// It was handed over, and does not take over from a lower priority.
    pub(crate) handed_over: bool,
    /// Where it speaks, and from which address.
    pub(crate) wire: Option<Key>,
    /// The one of its virtual MAC address.
    pub(crate) vmac: Option<Key>,
    up: Option<bool>,
    /// Its interface with a virtual MAC address was there: without it, it has no address.
    had_vmac: bool,
    source: Option<Option<IpAddr>>,
    /// Refusals that were logged.
    pub(crate) said: BTreeSet<&'static str>,
    /// Before that, no lower priority is told of again.
    pub(crate) lower_told_until: Duration,
}

impl Unit {
    /// All units of a plan, without machines that run: groups, and instances that are in none.
    pub(crate) fn of(plan: &Plan) -> Vec<(String, Option<plan::Group>, Vec<Instance>)> {
        let named = |name: &String| plan.instances.iter().find(|it| it.name == *name);
        let groups = plan.groups.iter().map(|group| {
            let members = group.members.iter().filter_map(named).cloned();
            (group.name.clone(), Some(group.clone()), members.collect())
        });
        let is_grouped = |it: &Instance| {
            plan.groups
                .iter()
                .any(|group| group.members.contains(&it.name))
        };
        let alone = plan.instances.iter().filter(|it| !is_grouped(it));
        let alone = alone.map(|it| (it.name.clone(), None, vec![it.clone()]));
        groups.chain(alone).collect()
    }

    /// None if a spec cannot be, which is looked at where plans are made.
    pub(crate) fn new(
        name: String,
        group: Option<plan::Group>,
        instances: Vec<Instance>,
    ) -> Option<Self> {
        let specs: Vec<Spec> = instances.iter().map(|it| it.spec.clone()).collect();
        let machine = match &group {
            Some(group) => Kind::Together(Group::new(&group.spec, specs).ok()?),
            None => {
                let spec = specs.into_iter().next()?;
                Kind::One(Box::new(Machine::new(spec).ok()?))
            }
        };
        Some(Self {
            name,
            group,
            members: instances.into_iter().map(Member::new).collect(),
            machine,
        })
    }

    /// Whether it goes on with this configuration; else it is another.
    pub(crate) fn goes_on_as(&self, name: &str, is_group: bool, instances: &[Instance]) -> bool {
        let same =
            |(member, instance): (&Member, &Instance)| member.instance.is_same_router(instance);
        self.name == name
            && self.group.is_some() == is_group
            && self.members.len() == instances.len()
            && self.members.iter().zip(instances).all(same)
    }

    pub(crate) fn machines(&self) -> &[Machine] {
        match &self.machine {
            Kind::One(machine) => std::slice::from_ref(machine),
            Kind::Together(group) => group.members(),
        }
    }

    pub(crate) fn is_master(&self) -> bool {
        self.machines().iter().all(|it| it.state() == State::Master)
    }

    /// Does something with the one machine, or the group.
    fn with(
        &mut self,
        one: impl FnOnce(&mut Machine) -> Vec<rlvs_vrrp::Action>,
        all: impl FnOnce(&mut Group) -> Vec<GroupAction>,
    ) -> Vec<GroupAction> {
        match &mut self.machine {
            Kind::One(machine) => {
                let by = |action| GroupAction::Member(0, action);
                one(machine).into_iter().map(by).collect()
            }
            Kind::Together(group) => all(group),
        }
    }

    /// Starts it, where an earlier daemon was if that is known.
    pub(crate) fn start(&mut self, now: Duration, memories: Option<&[Memory]>) -> Vec<GroupAction> {
        match memories {
            Some(memories) => {
                let first = memories.first().cloned().unwrap_or_default();
                self.with(
                    |one| one.resume(now, first),
                    |all| all.resume(now, memories),
                )
            }
            None => self.with(|one| one.start(now), |all| all.start(now)),
        }
    }

    /// Whether the time of day counts.
    pub(crate) fn signs(&self) -> bool {
        let mut machines = self.machines().iter();
        machines.any(|it| it.spec().signing.is_some())
    }

    /// What time of day it was when times began.
    pub(crate) fn clock(&mut self, time_of_day: Duration) {
        match &mut self.machine {
            Kind::One(machine) => machine.clock(time_of_day),
            Kind::Together(group) => group.clock(time_of_day),
        }
    }

    pub(crate) fn stop(&mut self, now: Duration) -> Vec<GroupAction> {
        self.with(|one| one.stop(now), |all| all.stop(now))
    }

    pub(crate) fn resign(&mut self, now: Duration) -> Vec<GroupAction> {
        self.with(|one| one.resign(now), |all| all.resign(now))
    }

    pub(crate) fn poll(&mut self, now: Duration) -> Vec<GroupAction> {
        self.with(|one| one.poll(now), |all| all.poll(now))
    }

    pub(crate) fn deadline(&self) -> Option<Duration> {
        match &self.machine {
            Kind::One(machine) => machine.deadline(),
            Kind::Together(group) => group.deadline(),
        }
    }

    pub(crate) fn ready(&mut self, now: Duration, ready: &Result<(), String>) -> Vec<GroupAction> {
        let own = ready.clone();
        self.with(|one| one.ready(now, own), |all| all.ready(now, ready))
    }

    pub(crate) fn receive(
        &mut self,
        now: Duration,
        member: usize,
        datagram: &Datagram,
    ) -> Vec<GroupAction> {
        self.with(
            |one| one.receive(now, datagram),
            |all| all.receive(now, member, datagram),
        )
    }

    /// Something that it tracks is so now.
    pub(crate) fn read(
        &mut self,
        now: Duration,
        subject: &Subject,
        reading: Reading,
    ) -> Vec<GroupAction> {
        let mut actions = Vec::new();
        for member in 0..self.members.len() {
            let places = places(&self.members[member].instance.tracked, subject);
            for place in places {
                actions.extend(self.with(
                    |one| one.track(now, place, reading),
                    |all| all.track_of(now, member, place, reading),
                ));
            }
        }
        let group = self
            .group
            .as_ref()
            .map(|group| places(&group.tracked, subject));
        for place in group.unwrap_or_default() {
            actions.extend(self.with(|_| Vec::new(), |all| all.track(now, place, reading)));
        }
        actions
    }

    /// Another configuration.
    pub(crate) fn reconfigure(
        &mut self,
        now: Duration,
        group: Option<plan::Group>,
        instances: Vec<Instance>,
        readings: &HashMap<Subject, Reading>,
    ) -> Vec<GroupAction> {
        let mut actions = Vec::new();
        for (number, instance) in instances.into_iter().enumerate() {
            let member = &mut self.members[number];
            let mut spec = instance.spec.clone();
            spec.preempt &= !member.handed_over;
            let of_group = group.as_ref().map_or(&[][..], |it| &it.tracked);
            let tracked = instance.tracked.iter().chain(of_group);
            let known = tracked.map(|it| readings.get(it).copied().unwrap_or_default());
            let known: Vec<Reading> = known.collect();
            member.instance = instance;
            let group_spec = group
                .as_ref()
                .map_or_else(GroupSpec::default, |it| it.spec.clone());
            let done = self.with(
                |one| {
                    one.reconfigure(now, spec.clone(), known.clone())
                        .unwrap_or_default()
                },
                |all| {
                    let done =
                        all.reconfigure(now, number, &group_spec, spec.clone(), known.clone());
                    done.unwrap_or_default()
                },
            );
            actions.extend(done);
        }
        self.group = group;
        actions
    }

    /// Whether it takes over from a lower priority, as configured or not at all.
    pub(crate) fn set_handed_over(
        &mut self,
        now: Duration,
        handed_over: bool,
        readings: &HashMap<Subject, Reading>,
    ) -> Vec<GroupAction> {
        for member in &mut self.members {
            member.handed_over = handed_over;
        }
        let instances = self.members.iter().map(|it| it.instance.clone()).collect();
        self.reconfigure(now, self.group.clone(), instances, readings)
    }

    /// What the kernel says of interfaces.
    pub(crate) fn look(
        &mut self,
        now: Duration,
        interfaces: &[Interface],
        plan: &Plan,
    ) -> Vec<GroupAction> {
        let mut actions = Vec::new();
        for number in 0..self.members.len() {
            let member = &mut self.members[number];
            let named = |name: &str| interfaces.iter().find(|it| it.name == name);
            let below = named(&member.instance.interface);
            let on = match &member.instance.ipvlan {
                Some(ipvlan) => named(&ipvlan.name),
                None => below,
            };
            let vmac = member.instance.vmac.as_ref();
            let vmac = vmac.and_then(|vmac| named(&vmac.name));
            let is_without = member.had_vmac && member.instance.vmac.is_some() && vmac.is_none();
            member.had_vmac |= vmac.is_some();
            let is_up = |it: &Option<&Interface>| it.is_some_and(|it| it.running);
            let up = [on, below].iter().all(is_up) && !is_without;
            let source = source(&member.instance, on, interfaces, plan);
            member.wire = on.map(|on| member.instance.key(on.index, &on.name));
            let by = vmac.filter(|it| it.up);
            member.vmac = by.map(|by| member.instance.key(by.index, &by.name));
            if member.source.replace(source) != Some(source) {
                actions.extend(self.with(
                    |one| one.address(now, source),
                    |all| all.address(now, number, source),
                ));
            }
            if self.members[number].up.replace(up) != Some(up) {
                actions.extend(self.with(
                    |one| one.interface(now, up),
                    |all| all.interface(now, number, up),
                ));
            }
        }
        actions
    }

    pub(crate) fn views(&self) -> impl Iterator<Item = InstanceView> {
        let all = self.members.iter().zip(self.machines());
        all.map(|(member, machine)| {
            let places = &member.instance.placement.addresses;
            InstanceView {
                name: member.instance.name.clone(),
                group: self.group.as_ref().map(|it| it.name.clone()),
                interface: member.instance.interface.clone(),
                version: machine.spec().version,
                virtual_router: machine.spec().virtual_router,
                state: machine.state(),
                since: member.since,
                why: member.why.clone(),
                priority: machine.priority(),
                source: member.source.flatten(),
                master: machine.master(),
                held: machine.held().map(str::to_owned),
                handed_over: member.handed_over,
                addresses: places.iter().map(ToString::to_string).collect(),
                problems: Vec::new(),
                counters: member.counters.clone(),
            }
        })
    }
}

impl Member {
    fn new(instance: Instance) -> Self {
        Self {
            instance,
            counters: Arc::default(),
            since: SystemTime::now(),
            why: None,
            handed_over: false,
            wire: None,
            vmac: None,
            up: None,
            had_vmac: false,
            source: None,
            said: BTreeSet::new(),
            lower_told_until: Duration::ZERO,
        }
    }

    /// What it sends by.
    pub(crate) fn sends_by(&self) -> Option<&Key> {
        let sends = self.instance.vmac.as_ref().is_some_and(|vmac| vmac.sends);
        let vmac = self.vmac.as_ref().filter(|_| sends);
        vmac.or(self.wire.as_ref())
    }

    /// Counts a packet that was not heard, and logs each reason once: anyone can send them.
    pub(crate) fn note_refusal(&mut self, event: &Event) {
        let Event::Refused { source, refusal } = event else {
            return;
        };
        self.counters.note_refused(refusal.name());
        if self.said.insert(refusal.name()) {
            let instance = &self.instance.name;
            tracing::warn!(instance, %source, "an advertisement is refused: {refusal}");
        }
    }
}

impl Instance {
    fn key(&self, index: u32, interface: &str) -> Key {
        let authenticated = self.is_authenticated();
        Key::new(index, interface, self.spec.family, authenticated)
    }

    /// Its packets are in authentication headers.
    pub(crate) fn is_authenticated(&self) -> bool {
        use rlvs_vrrp::spec::Authentication;
        matches!(self.spec.authentication, Authentication::Header(_))
    }
}

fn places(tracked: &[Subject], subject: &Subject) -> Vec<usize> {
    let all = tracked.iter().enumerate();
    let its = all.filter(|(_, it)| *it == subject);
    its.map(|(place, _)| place).collect()
}

/// What it sends from: what is configured, or the first address that does not come and go.
fn source(
    instance: &Instance,
    on: Option<&Interface>,
    interfaces: &[Interface],
    plan: &Plan,
) -> Option<IpAddr> {
    if let Some(source) = instance.source {
        let has = |it: &Interface| it.addresses.iter().any(|(address, _)| *address == source);
        let is_there = !instance.track_source || interfaces.iter().any(has);
        return is_there.then_some(source);
    }
    let on = on?;
    let fits = |address: &IpAddr| {
        Family::of(*address) == instance.spec.family
            && !on.tentative.contains(address)
            && !plan.is_virtual(*address)
            && is_near(*address) == wants_near(&instance.spec)
    };
    on.addresses.iter().map(|(address, _)| *address).find(fits)
}

/// IPv6 speaks to a group, and to peers of the same link, by the addresses of that link.
fn wants_near(spec: &Spec) -> bool {
    spec.family == Family::V6
        && match &spec.to {
            To::Group(_) => true,
            To::Peers { peers, .. } => peers.iter().any(|peer| is_near(peer.address)),
        }
}

fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}
