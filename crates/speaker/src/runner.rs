//! The thread that has the machines and their sockets.
//!
//! It waits for packets, for the time, and for what it is told, and for nothing else: what takes
//! time is done by `hands`. Of packets it takes a bounded number before it looks at the time again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::{Duration, SystemTime};

use rlvs_vrrp::{Action, Event, GroupAction, Outgoing, Reading, State};
use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

use crate::bounces::Bounces;
use crate::hands::Job;
use crate::links::Interfaces;
use crate::note::{NOBODY, Remembered};
use crate::plan::{Plan, Subject};
use crate::speaker::{Command, HandedOver, States, Told};
use crate::unit::{Member, Unit};
use crate::view::Shown;
use crate::wire::{Key, Wire};

mod follow;
mod hand_over;

/// Packets of one socket before others, and the time, are looked at.
const AT_ONCE: usize = 64;
/// Virtual routers that are none of ours, and are told.
const UNKNOWN: usize = 256;
/// Sockets that could not be opened are tried again.
const RETRY: Duration = Duration::from_secs(1);
/// After so many authentication headers, or signatures of others, their number is written down.
pub(crate) const NUMBERS: u32 = 64;

pub(crate) struct Runner {
    begun: Instant,
    plan: Arc<Plan>,
    /// Waits for the interfaces to be known.
    pending: Option<Plan>,
    units: Vec<Unit>,
    wires: Vec<Wire>,
    /// Sockets that could not be opened, and when that is tried again.
    retry: Option<Instant>,
    readings: HashMap<Subject, Reading>,
    bounces: Bounces,
    /// Groups of the machine's own routes and rules: whether all are there.
    static_routes: BTreeMap<String, bool>,
    /// Virtual routers that are none of ours, and were told: on which interface, whose.
    unknown: BTreeSet<(u32, u8, IpAddr)>,
    ready: Result<(), String>,
    handing_over: Vec<hand_over::Pending>,
    remembered: BTreeMap<String, Remembered>,
    jobs: UnboundedSender<Job>,
    interfaces: watch::Receiver<Interfaces>,
    told: mpsc::Sender<Told>,
    shown: Arc<Shown>,
    states: watch::Sender<States>,
    /// Something that is shown has changed.
    is_changed: bool,
    /// Events that nobody took.
    lost: u64,
}

/// Starts the thread; it ends with the commands.
pub(crate) fn start(
    runner: Runner,
    commands: UnboundedReceiver<Command>,
    readings: UnboundedReceiver<(Subject, Reading)>,
) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let begin = move || runtime.block_on(runner.work(commands, readings));
    thread::Builder::new().name("vrrp".into()).spawn(begin)?;
    Ok(())
}

impl Runner {
    pub(crate) fn new(
        jobs: UnboundedSender<Job>,
        interfaces: watch::Receiver<Interfaces>,
        told: mpsc::Sender<Told>,
        shown: Arc<Shown>,
        states: watch::Sender<States>,
        remembered: BTreeMap<String, Remembered>,
    ) -> Self {
        Self {
            begun: Instant::now(),
            plan: Arc::default(),
            pending: None,
            units: Vec::new(),
            wires: Vec::new(),
            retry: None,
            readings: HashMap::new(),
            bounces: Bounces::default(),
            static_routes: BTreeMap::new(),
            unknown: BTreeSet::new(),
            ready: Err("the director begins".to_owned()),
            handing_over: Vec::new(),
            remembered,
            jobs,
            interfaces,
            told,
            shown,
            states,
            is_changed: false,
            lost: 0,
        }
    }

    async fn work(
        mut self,
        mut commands: UnboundedReceiver<Command>,
        mut readings: UnboundedReceiver<(Subject, Reading)>,
    ) {
        loop {
            let due = self.due();
            tokio::select! {
                biased;
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
                () = ready(&self.wires) => {}
                command = commands.recv() => match command {
                    Some(Command::End { hands_over, done }) => {
                        return self.end(hands_over, done).await;
                    }
                    Some(command) => self.obey(command),
                    None => return,
                },
                Some((subject, reading)) = readings.recv() => self.learn(subject, reading),
                Ok(()) = self.interfaces.changed() => self.look(),
            }
            self.set_clocks();
            // What has been heard is heard before it is looked at how long nothing was.
            self.receive();
            self.poll();
            self.show();
            // Timers and sockets have their turn, however much comes in.
            tokio::task::yield_now().await;
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Follow(plan) => {
                self.pending = Some(plan);
                self.look();
            }
            Command::Ready(ready) => {
                self.ready = ready;
                for number in 0..self.units.len() {
                    let now = self.now();
                    let actions = self.units[number].ready(now, &self.ready);
                    self.perform(number, actions);
                }
            }
            Command::Services(services) => {
                for (name, up) in services {
                    let reading = if up { Reading::Up } else { Reading::Down };
                    self.read(Subject::Service(name), reading);
                }
            }
            Command::Serve(served) => drop(self.jobs.send(Job::Serve(served))),
            Command::HandOver(of, reply) => self.hand_over(of, reply),
            Command::End { .. } => {}
        }
    }

    /// What is watched is so now.
    fn learn(&mut self, subject: Subject, reading: Reading) {
        let Subject::StaticRoutes(group) = subject else {
            return self.read(subject, reading);
        };
        let up = reading == Reading::Up;
        if self.static_routes.insert(group, up) != Some(up) {
            self.look();
        }
    }

    fn read(&mut self, subject: Subject, reading: Reading) {
        if self.readings.insert(subject.clone(), reading) == Some(reading) {
            return;
        }
        for number in 0..self.units.len() {
            let now = self.now();
            let actions = self.units[number].read(now, &subject, reading);
            self.perform(number, actions);
        }
    }

    fn receive(&mut self) {
        let wires = core::mem::take(&mut self.wires);
        for wire in &wires {
            for _ in 0..AT_ONCE {
                let mut all = Vec::new();
                let some = wire.receive(&mut |datagram| {
                    let router = datagram.virtual_router();
                    self.note_unknown(wire.key(), router, datagram.source);
                    for place in self.hearing(wire.key(), router) {
                        all.push((place.0, self.hear(place, datagram)));
                    }
                });
                // What it says goes out by these sockets.
                for (number, actions) in all {
                    self.perform_by(number, actions, &wires);
                }
                if !some {
                    break;
                }
            }
        }
        self.wires = wires;
    }

    fn hear(
        &mut self,
        (number, member): (usize, usize),
        datagram: &rlvs_vrrp::Datagram,
    ) -> Vec<GroupAction> {
        let now = self.now();
        let unit = &mut self.units[number];
        unit.members[member].counters.note_received();
        let before = unit.machines()[member].signed_heard();
        let actions = unit.receive(now, member, datagram);
        let heard = unit.machines()[member].signed_heard();
        if heard != before && heard.is_multiple_of(NUMBERS) {
            self.remember(number);
        }
        actions
    }

    /// Whom a packet is for that comes in there.
    fn hearing(&self, key: &Key, router: Option<u8>) -> Vec<(usize, usize)> {
        let mut all = Vec::new();
        for (number, unit) in self.units.iter().enumerate() {
            for (member, it) in unit.members.iter().enumerate() {
                let is_its = Some(it.instance.spec.virtual_router) == router;
                if is_its && it.wire.as_ref() == Some(key) {
                    all.push((number, member));
                }
            }
        }
        all
    }

    /// `log_unknown_vrids`: each of them is told once.
    fn note_unknown(&mut self, key: &Key, router: Option<u8>, source: IpAddr) {
        let Some(router) = router.filter(|_| self.plan.logs_unknown) else {
            return;
        };
        let mut members = self.units.iter().flat_map(|unit| &unit.members);
        let is_ours = members.any(|it| {
            let wire = it.wire.as_ref();
            let is_there = wire.is_some_and(|it| (it.index, it.v6) == (key.index, key.v6));
            is_there && it.instance.spec.virtual_router == router
        });
        let is_new = !is_ours && self.unknown.len() < UNKNOWN;
        if is_new && self.unknown.insert((key.index, router, source)) {
            let interface = &key.interface;
            tracing::warn!(interface, %source, router, "a virtual router that is not known here");
        }
    }

    /// Who signs says when it does.
    fn set_clocks(&mut self) {
        if !self.units.iter().any(Unit::signs) {
            return;
        }
        let time_of_day = self.time_of_day();
        for unit in &mut self.units {
            unit.clock(time_of_day);
        }
    }

    /// What it was when times began.
    fn time_of_day(&self) -> Duration {
        let today = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        today.unwrap_or_default().saturating_sub(self.now())
    }

    fn poll(&mut self) {
        if self.bounces.due().is_some_and(|at| at <= self.now()) {
            self.look();
        }
        for number in 0..self.units.len() {
            let now = self.now();
            if self.units[number].deadline().is_some_and(|at| at <= now) {
                let actions = self.units[number].poll(now);
                self.perform(number, actions);
            }
        }
        self.judge_hand_overs();
        if self.retry.is_some_and(|at| at <= Instant::now()) {
            self.open();
        }
    }

    fn due(&self) -> Option<Instant> {
        let deadlines = self.units.iter().filter_map(Unit::deadline);
        let pending = self.handing_over.iter().map(|it| it.until);
        let bounces = self.bounces.due();
        let all = deadlines.chain(pending).chain(bounces);
        let all = all.map(|at| self.begun + at);
        all.chain(self.retry).min()
    }

    fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    fn perform(&mut self, number: usize, actions: Vec<GroupAction>) {
        let wires = core::mem::take(&mut self.wires);
        self.perform_by(number, actions, &wires);
        self.wires = wires;
    }

    fn perform_by(&mut self, number: usize, actions: Vec<GroupAction>, wires: &[Wire]) {
        for action in actions {
            match action {
                GroupAction::Member(member, action) => self.act(number, member, action, wires),
                GroupAction::State { from, to } => {
                    let name = self.units[number].name.clone();
                    self.tell(Told::Group { name, from, to });
                }
            }
        }
        let unit = &self.units[number];
        if unit.is_master() && unit.members.iter().any(|it| it.handed_over) {
            let now = self.now();
            let actions = self.units[number].set_handed_over(now, false, &self.readings);
            self.perform_by(number, actions, wires);
            self.remember(number);
        }
    }

    fn act(&mut self, number: usize, member: usize, action: Action, wires: &[Wire]) {
        let instance = &self.units[number].members[member].instance;
        let (name, placement) = (instance.name.clone(), instance.placement.clone());
        let job = match action {
            Action::Send(packet) => return self.send(number, member, &packet, wires),
            Action::Tell(event) => return self.note(number, member, event),
            Action::Acquire { .. } => Job::Acquire(name, placement),
            Action::Release => Job::Release(name),
            Action::Announce { times } => Job::Announce(name, placement, times),
        };
        let _ = self.jobs.send(job);
    }

    fn send(&mut self, number: usize, member: usize, packet: &Outgoing, wires: &[Wire]) {
        let it = &mut self.units[number].members[member];
        let wire = wires.iter().find(|wire| Some(wire.key()) == it.sends_by());
        let sent = match wire {
            Some(wire) => wire.send(packet),
            None => Err(io::Error::other("there is no socket")),
        };
        it.counters.note_sent(sent.is_ok());
        if let Err(error) = sent
            && it.said.insert("send")
        {
            let (name, to) = (&it.instance.name, packet.destination);
            tracing::warn!(instance = name, %to, %error, "an advertisement cannot be sent");
        }
        if it.instance.is_authenticated() {
            let memory = self.units[number].machines()[member].memory();
            if memory.sequence.is_multiple_of(NUMBERS) {
                self.remember(number);
            }
        }
    }

    /// What happened to an instance.
    fn note(&mut self, number: usize, member: usize, event: Event) {
        let now = self.now();
        let because = match &event {
            Event::State { why, .. } => Some(self.because(number, member, why)),
            _ => None,
        };
        let it = &mut self.units[number].members[member];
        match &event {
            Event::Refused { .. } => return it.note_refusal(&event),
            Event::LowerPriority { .. } if now < it.lower_told_until => return,
            Event::LowerPriority { .. } => {
                it.lower_told_until = now + it.instance.spec.interval;
            }
            Event::State { .. } => {
                it.since = SystemTime::now();
                it.why = because;
                it.counters.note_transition();
                self.remember(number);
            }
            _ => {}
        }
        let it = &self.units[number].members[member];
        log(it, &event);
        self.is_changed = true;
        let is_for_others = matches!(
            event,
            Event::State { .. } | Event::Priority { .. } | Event::LowerPriority { .. }
        );
        if is_for_others {
            let name = it.instance.name.clone();
            let machine = &self.units[number].machines()[member];
            let (priority, is_master) = (machine.priority(), machine.state() == State::Master);
            let deleted = self.plan.instances.iter().all(|it| it.name != name);
            self.tell(Told::Instance {
                name,
                event,
                why: self.units[number].members[member].why.clone(),
                priority,
                is_master,
                deleted,
            });
        }
    }

    /// Why a state changes, with the name of what is tracked.
    fn because(&self, number: usize, member: usize, why: &rlvs_vrrp::Why) -> String {
        use rlvs_vrrp::{Obstacle, Why};
        let unit = &self.units[number];
        let own = &unit.members[member].instance.tracked;
        let group = unit.group.as_ref().map_or(&[][..], |it| &it.tracked);
        match why {
            Why::Obstacle(Obstacle::Tracked(place)) => match own.iter().chain(group).nth(*place) {
                Some(subject) => format!("{subject} is down"),
                None => why.to_string(),
            },
            _ => why.to_string(),
        }
    }

    fn tell(&mut self, told: Told) {
        if self.told.try_send(told).is_err() {
            self.lost += 1;
            if self.lost.is_power_of_two() {
                tracing::warn!(lost = self.lost, "events of VRRP come too fast to be told");
            }
        }
    }

    /// For the next daemon.
    fn remember(&self, number: usize) {
        let unit = &self.units[number];
        for (it, machine) in unit.members.iter().zip(unit.machines()) {
            let remembered = Remembered::new(machine.memory(), it.handed_over);
            let job = Job::Remember(it.instance.name.clone(), remembered);
            let _ = self.jobs.send(job);
        }
    }

    fn show(&mut self) {
        if !core::mem::take(&mut self.is_changed) {
            return;
        }
        let views: Vec<_> = self.units.iter().flat_map(Unit::views).collect();
        let states = views.iter().map(|it| (it.name.clone(), it.state));
        let states: BTreeMap<String, State> = states.collect();
        self.states.send_if_modified(|before| {
            let is_another = **before != states;
            *before = Arc::new(states);
            is_another
        });
        self.shown.show(views);
    }

    async fn end(&mut self, hands_over: bool, done: oneshot::Sender<()>) {
        for number in 0..self.units.len() {
            if hands_over {
                let now = self.now();
                let actions = self.units[number].stop(now);
                self.perform(number, actions);
            } else {
                self.remember(number);
            }
        }
        if hands_over {
            let _ = self.jobs.send(Job::Forget(NOBODY.to_owned()));
        }
        self.show();
        let (sender, finished) = oneshot::channel();
        let _ = self.jobs.send(Job::Done(sender));
        let _ = finished.await;
        let _ = done.send(());
    }
}

/// Changes for people to read.
fn log(it: &Member, event: &Event) {
    let instance = &it.instance.name;
    match event {
        Event::State { from, to, .. } => {
            let why = it.why.as_deref().unwrap_or_default();
            tracing::info!(instance, "{from} becomes {to}: {why}");
        }
        Event::LowerPriority { source, priority } => {
            tracing::info!(instance, %source, priority, "a lower priority is told better");
        }
        Event::Held { reason } => {
            tracing::warn!(instance, reason, "there is no master, and it waits");
        }
        Event::Bears { address, time } => {
            tracing::info!(instance, master = %address, ?time, "is borne for a time");
        }
        Event::Priority { from, to } => tracing::info!(instance, from, to, "priority"),
        // As often as packets come.
        _ => tracing::debug!(instance, ?event),
    }
}

/// Until something has come in.
async fn ready(wires: &[Wire]) {
    poll_fn(|context| {
        let ready = wires.iter().filter(|wire| wire.poll_ready(context)).count();
        if ready > 0 {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}
