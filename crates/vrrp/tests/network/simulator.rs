//! Directors and what is between them.

use core::cmp::Reverse;
use core::fmt;
use core::time::Duration;
use std::collections::BinaryHeap;
use std::net::{IpAddr, Ipv4Addr};

use rlvs_vrrp::spec::Spec;
use rlvs_vrrp::{Action, Datagram, Event, Group, GroupAction, GroupSpec, Machine, Outgoing, State};

/// A director: one virtual router, or a group of them.
#[derive(Clone, Debug)]
pub(crate) struct Director {
    pub(crate) specs: Vec<Spec>,
    pub(crate) group: GroupSpec,
}

/// What happens to directors.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    /// Two hear each other on a member's link, or do not.
    Link {
        a: usize,
        b: usize,
        member: usize,
        joined: bool,
    },
    /// One hears another, on all links.
    OneWay {
        from: usize,
        to: usize,
        joined: bool,
    },
    Interface {
        director: usize,
        member: usize,
        up: bool,
    },
    /// It is gone without a word, and so are its addresses.
    Kill(usize),
    Stop(usize),
    Start(usize),
    Ready {
        director: usize,
        ready: bool,
    },
    /// It does nothing for a while, and then has packets before timers.
    Freeze {
        director: usize,
        time: Duration,
    },
}

enum Routers {
    Alone(Box<Machine>),
    Together(Box<Group>),
}

struct Node {
    spec: Director,
    routers: Routers,
    running: bool,
    frozen_until: Duration,
    interfaces: Vec<bool>,
    ready: bool,
    /// Of each member: whether it has its addresses, its state, and what it last heard of others.
    has: Vec<bool>,
    states: Vec<State>,
    heard: Vec<Option<(Duration, u8)>>,
}

/// Packets on their way: when they come, which, to whom.
type Way = (Duration, u64, usize, usize, usize, Vec<u8>);

/// All of it.
pub(crate) struct Simulator {
    now: Duration,
    nodes: Vec<Node>,
    /// From, to, and on which member's link.
    parted: Vec<(usize, usize, usize)>,
    way: BinaryHeap<Reverse<Way>>,
    sent: u64,
    delay: Duration,
    /// Of a hundred packets.
    loss: u32,
    random: u64,
    changes: usize,
    log: Vec<String>,
}

/// What is told of a case that fails.
const TOLD: usize = 60;

impl Simulator {
    pub(crate) fn new(directors: Vec<Director>, delay: Duration, loss: u32, seed: u64) -> Self {
        let nodes = directors.into_iter().map(Node::new).collect();
        Self {
            now: Duration::ZERO,
            nodes,
            parted: Vec::new(),
            way: BinaryHeap::new(),
            sent: 0,
            delay,
            loss,
            random: seed | 1,
            changes: 0,
            log: Vec::new(),
        }
    }

    pub(crate) fn now(&self) -> Duration {
        self.now
    }

    pub(crate) fn directors(&self) -> usize {
        self.nodes.len()
    }

    /// How often anything has changed its state.
    pub(crate) fn changes(&self) -> usize {
        self.changes
    }

    /// Who is master.
    pub(crate) fn masters(&self) -> Vec<usize> {
        let master = |it: &usize| self.nodes[*it].states.contains(&State::Master);
        (0..self.nodes.len()).filter(master).collect()
    }

    pub(crate) fn state(&self, director: usize) -> State {
        match &self.nodes[director].routers {
            Routers::Alone(machine) => machine.state(),
            Routers::Together(group) => group.state(),
        }
    }

    pub(crate) fn priorities(&self, director: usize) -> Vec<u8> {
        match &self.nodes[director].routers {
            Routers::Alone(machine) => vec![machine.priority()],
            Routers::Together(group) => group.members().iter().map(Machine::priority).collect(),
        }
    }

    pub(crate) fn tracks(
        &mut self,
        director: usize,
        does: impl FnOnce(&mut Group, Duration) -> Vec<GroupAction>,
    ) {
        let Routers::Together(group) = &mut self.nodes[director].routers else {
            panic!("no group");
        };
        let actions = does(group, self.now);
        self.take(director, actions);
    }

    /// Everyone is there and well, and nothing is lost any more, or comes from another time.
    pub(crate) fn heal(&mut self) {
        self.parted.clear();
        self.way.clear();
        self.loss = 0;
        for director in 0..self.nodes.len() {
            self.nodes[director].frozen_until = self.now;
            self.happens(&Happening::Start(director));
            self.happens(&Happening::Ready {
                director,
                ready: true,
            });
            for member in 0..self.nodes[director].interfaces.len() {
                self.happens(&Happening::Interface {
                    director,
                    member,
                    up: true,
                });
            }
        }
    }

    pub(crate) fn happens(&mut self, happening: &Happening) {
        self.log.push(format!("{:?} {happening:?}", self.now));
        let count = self.nodes.len();
        match *happening {
            Happening::Link {
                a,
                b,
                member,
                joined,
            } => {
                let (a, b) = (a % count, b % count);
                self.join(a, b, member, joined);
                self.join(b, a, member, joined);
            }
            Happening::OneWay { from, to, joined } => {
                for member in 0..self.nodes[0].interfaces.len() {
                    self.join(from % count, to % count, member, joined);
                }
            }
            Happening::Interface {
                director,
                member,
                up,
            } => {
                let node = &mut self.nodes[director % count];
                node.interfaces[member] = up;
                let actions = node.interface(self.now, member, up);
                self.take(director % count, actions);
            }
            Happening::Kill(director) => {
                let node = &mut self.nodes[director % count];
                *node = Node::new(node.spec.clone());
            }
            Happening::Stop(director) => {
                let node = &mut self.nodes[director % count];
                node.running = false;
                let actions = node.stop(self.now);
                self.take(director % count, actions);
            }
            Happening::Start(director) => self.start(director % count),
            Happening::Ready { director, ready } => {
                let node = &mut self.nodes[director % count];
                node.ready = ready;
                let actions = node.ready(self.now);
                self.take(director % count, actions);
            }
            Happening::Freeze { director, time } => {
                self.nodes[director % count].frozen_until = self.now + time;
            }
        }
    }

    fn start(&mut self, director: usize) {
        if core::mem::replace(&mut self.nodes[director].running, true) {
            return;
        }
        for member in 0..self.nodes[director].interfaces.len() {
            let node = &mut self.nodes[director];
            let mut actions = node.address(self.now, member, address(director));
            actions.extend(node.interface(self.now, member, node.interfaces[member]));
            self.take(director, actions);
        }
        let mut actions = self.nodes[director].ready(self.now);
        actions.extend(self.nodes[director].start(self.now));
        self.take(director, actions);
    }

    fn join(&mut self, from: usize, to: usize, member: usize, joined: bool) {
        self.parted.retain(|it| *it != (from, to, member));
        if !joined {
            self.parted.push((from, to, member));
        }
    }

    /// Lets time go by, from one thing that is due to the next.
    pub(crate) fn run_for(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(due) = self.due().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.step();
        }
        self.now = until;
    }

    fn due(&self) -> Option<Duration> {
        let way = self.way.peek().map(|Reverse(packet)| packet.0);
        let timers = self.nodes.iter().filter_map(Node::due);
        timers.chain(way).min()
    }

    fn step(&mut self) {
        if self.way.peek().is_some_and(|Reverse(it)| it.0 <= self.now) {
            if let Some(Reverse((_, number, from, to, member, bytes))) = self.way.pop() {
                self.deliver(number, from, to, member, bytes);
            }
            return;
        }
        for director in 0..self.nodes.len() {
            if self.nodes[director]
                .due()
                .is_some_and(|due| due <= self.now)
            {
                let actions = self.nodes[director].poll(self.now);
                self.take(director, actions);
            }
        }
    }

    fn deliver(&mut self, number: u64, from: usize, to: usize, member: usize, bytes: Vec<u8>) {
        let node = &mut self.nodes[to];
        if self.now < node.frozen_until {
            // It waits in the socket's buffer.
            let later = node.frozen_until;
            return self
                .way
                .push(Reverse((later, number, from, to, member, bytes)));
        }
        if !node.running || !node.interfaces[member] {
            return;
        }
        let datagram = Datagram::ipv4(&bytes).expect("what was built can be read");
        let priority = bytes[22];
        node.heard[member] = Some((self.now, priority));
        let actions = node.receive(self.now, member, &datagram);
        self.take(to, actions);
    }

    fn take(&mut self, director: usize, actions: Vec<GroupAction>) {
        for action in actions {
            match action {
                GroupAction::Member(member, action) => self.does(director, member, action),
                GroupAction::State { from, to } => {
                    self.log
                        .push(format!("{:?} {director}: group {from} to {to}", self.now));
                }
            }
        }
        self.nodes[director].check(&self.log);
    }

    fn does(&mut self, director: usize, member: usize, action: Action) {
        match action {
            Action::Send(outgoing) => self.send(director, member, &outgoing),
            Action::Acquire { .. } => self.nodes[director].has[member] = true,
            Action::Release => self.nodes[director].has[member] = false,
            Action::Announce { .. } => assert!(self.nodes[director].has[member]),
            Action::Tell(Event::Refused { source, refusal }) => {
                panic!("{director}: refused {source}: {refusal}\n{self:?}")
            }
            Action::Tell(Event::State { from, to, why, .. }) => {
                let line = format!("{:?} {director}.{member}: {from} to {to}: {why}", self.now);
                self.log.push(line);
                self.changes += 1;
                self.nodes[director].states[member] = to;
                if (from, to) == (State::Backup, State::Master) {
                    self.nothing_was_preempted(director, member);
                }
            }
            Action::Tell(_) => {}
        }
    }

    /// Who may not preempt has heard no master for three intervals, or the last one's good-bye.
    fn nothing_was_preempted(&self, director: usize, member: usize) {
        let node = &self.nodes[director];
        let spec = &node.spec.specs[member];
        if spec.preempt {
            return;
        }
        let silent = match node.heard[member] {
            None | Some((_, 0)) => true,
            Some((at, _)) => self.now - at >= spec.interval * 3,
        };
        assert!(silent, "{director}.{member} has preempted\n{self:?}");
    }

    fn send(&mut self, from: usize, member: usize, outgoing: &Outgoing) {
        if !self.nodes[from].interfaces[member] {
            return;
        }
        for to in (0..self.nodes.len()).filter(|to| *to != from) {
            let lost = self.random(100) < u64::from(self.loss);
            let delay = self.random(self.delay.as_micros() as u64 + 1);
            if lost || self.parted.contains(&(from, to, member)) {
                continue;
            }
            let at = self.now + Duration::from_micros(delay);
            self.sent += 1;
            let bytes = outgoing.bytes.clone();
            self.way
                .push(Reverse((at, self.sent, from, to, member, bytes)));
        }
    }

    /// Marsaglia's xorshift: the same for the same seed, for ever.
    fn random(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) % below
    }
}

impl Node {
    fn new(spec: Director) -> Self {
        let members = spec.specs.len();
        let routers = match &spec.specs[..] {
            [alone] => Routers::Alone(Box::new(Machine::new(alone.clone()).unwrap())),
            all => Routers::Together(Box::new(Group::new(&spec.group, all.to_vec()).unwrap())),
        };
        Self {
            spec,
            routers,
            running: false,
            frozen_until: Duration::ZERO,
            interfaces: vec![true; members],
            ready: true,
            has: vec![false; members],
            states: vec![State::Initialize; members],
            heard: vec![None; members],
        }
    }

    fn due(&self) -> Option<Duration> {
        let due = match &self.routers {
            Routers::Alone(machine) => machine.deadline(),
            Routers::Together(group) => group.deadline(),
        };
        due.map(|due| due.max(self.frozen_until))
    }

    fn start(&mut self, now: Duration) -> Vec<GroupAction> {
        match &mut self.routers {
            Routers::Alone(machine) => alone(machine.start(now)),
            Routers::Together(group) => group.start(now),
        }
    }

    fn stop(&mut self, now: Duration) -> Vec<GroupAction> {
        match &mut self.routers {
            Routers::Alone(machine) => alone(machine.stop(now)),
            Routers::Together(group) => group.stop(now),
        }
    }

    fn poll(&mut self, now: Duration) -> Vec<GroupAction> {
        match &mut self.routers {
            Routers::Alone(machine) => alone(machine.poll(now)),
            Routers::Together(group) => group.poll(now),
        }
    }

    fn ready(&mut self, now: Duration) -> Vec<GroupAction> {
        let ready = self.ready.then_some(()).ok_or("not yet".to_owned());
        match &mut self.routers {
            Routers::Alone(machine) => alone(machine.ready(now, ready)),
            Routers::Together(group) => group.ready(now, &ready),
        }
    }

    fn address(&mut self, now: Duration, member: usize, address: IpAddr) -> Vec<GroupAction> {
        match &mut self.routers {
            Routers::Alone(machine) => alone(machine.address(now, Some(address))),
            Routers::Together(group) => group.address(now, member, Some(address)),
        }
    }

    fn interface(&mut self, now: Duration, member: usize, up: bool) -> Vec<GroupAction> {
        match &mut self.routers {
            Routers::Alone(machine) => alone(machine.interface(now, up)),
            Routers::Together(group) => group.interface(now, member, up),
        }
    }

    fn receive(&mut self, now: Duration, member: usize, datagram: &Datagram) -> Vec<GroupAction> {
        match &mut self.routers {
            Routers::Alone(machine) => alone(machine.receive(now, datagram)),
            Routers::Together(group) => group.receive(now, member, datagram),
        }
    }

    /// Addresses are the master's, and all of a group are one or none.
    fn check(&self, log: &[String]) {
        let master: Vec<_> = self.states.iter().map(|it| *it == State::Master).collect();
        let told = &log[log.len().saturating_sub(TOLD)..];
        assert_eq!(self.has, master, "{told:#?}");
        assert!(master.iter().all(|it| *it == master[0]), "{told:#?}");
        let fault = |it: &State| *it == State::Fault;
        let faults = self.states.iter().filter(|it| fault(it)).count();
        assert!(faults == 0 || faults == self.states.len(), "{told:#?}");
    }
}

fn alone(actions: Vec<Action>) -> Vec<GroupAction> {
    let by = |action| GroupAction::Member(0, action);
    actions.into_iter().map(by).collect()
}

fn address(director: usize) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, 1 + director as u8).into()
}

impl fmt::Debug for Simulator {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        for node in &self.nodes {
            let spec = &node.spec.specs[0];
            writeln!(
                formatter,
                "priority {} preempt {} delay {:?}: {:?}",
                spec.priority, spec.preempt, spec.preempt_delay, node.states
            )?;
        }
        for line in &self.log[self.log.len().saturating_sub(TOLD)..] {
            writeln!(formatter, "{line}")?;
        }
        Ok(())
    }
}
