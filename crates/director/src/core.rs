//! The daemon's state, and what it does about each thing that comes.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use rlvs_config::settings::Settings;
use rlvs_control::{Change, Code, Error, Made, ServiceKey, Transaction};
use rlvs_engine::Tables;
use rlvs_engine::connection::State;
use rlvs_engine::settings::ticks;
use rlvs_engine::sysctl::Sysctl;
use rlvs_network::{Event, Link, Network, Unresolved};
use rlvs_plane::{KernelTables, Mode, Plane};
use rlvs_probe::Prober;
use std::sync::Arc;

use crate::attach::Attachments;
use crate::daemon;
use crate::desired::Desired;
use crate::drains::{Ended, now};
use crate::ending::Ending;
use crate::estimator::Estimator;
use crate::installed::{Hop, Installed, Now, Steps, gcd_and_reach};
use crate::journal::Journal;
use crate::marks::MarkedWay;
use crate::news::News;
use crate::rates::Counted;
use crate::real_path::RealPaths;
use crate::roles::{Needs, Roles};
use crate::server::Request;
use crate::server::doors::Doors;
use crate::site::Managed;
use crate::supported;
use crate::sweep::Swept;
use crate::sync::Synchronisation;
use crate::vlans::{Below, vlans};
use crate::vrrp::Vrrp;

/// Everything a director knows.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) config: Settings,
    pub(crate) cookie: u64,
    pub(crate) begun: Instant,
    pub(crate) desired: Desired,
    pub(crate) installed: Installed,
    pub(crate) tables: Arc<KernelTables>,
    pub(crate) plane: Plane,
    pub(crate) attachments: Attachments,
    roles: Roles,
    pub(crate) marked_way: MarkedWay,
    pub(crate) managed: Managed,
    pub(crate) real_paths: RealPaths,
    pub(crate) news: News,
    pub(crate) doors: Doors,
    pub(crate) links: Vec<Link>,
    pub(crate) swept: Swept,
    pub(crate) synchronised: Synchronisation,
    pub(crate) rates: Estimator<Counted>,
    pub(crate) rates_of_all: Estimator<()>,
    pub(crate) drains: Ended,
    /// Services some of whose weights rise.
    pub(crate) rising: HashSet<ServiceKey>,
    /// None while it goes on.
    pub(crate) ending: Option<Ending>,
    /// A client wants it to end.
    pub(crate) asked_to_end: bool,
    pub(crate) vrrp: Vrrp,
    journal: Journal,
    network: Network,
}

/// What works beside it.
pub(crate) struct Threads {
    pub(crate) network: Network,
    pub(crate) prober: Prober,
    pub(crate) vrrp: Vrrp,
}

/// What a transaction touched, in order, and how wrr got there.
#[derive(Default)]
pub(crate) struct Touched {
    pub(crate) order: Vec<ServiceKey>,
    /// What is in `order`.
    known: HashSet<ServiceKey>,
    pub(crate) steps: HashMap<ServiceKey, Steps>,
    zeroed: Vec<Option<ServiceKey>>,
}

impl Core {
    /// Takes up what is desired and what is installed, and makes the latter the former.
    pub(crate) fn begin(
        config: Settings,
        cookie: u64,
        plane: Plane,
        (journal, desired): (Journal, Desired),
        threads: Threads,
        doors: Doors,
    ) -> Result<Self, rlvs_plane::Error> {
        let Threads {
            network,
            prober,
            vrrp,
        } = threads;
        let tables = Arc::clone(&plane.tables);
        let installed = match plane.adopted {
            true => Installed::adopt(&*tables, Instant::now())?,
            false => Installed::new(&*tables),
        };
        let real_paths = RealPaths::begin();
        let mut core = Self {
            config,
            cookie,
            begun: Instant::now(),
            desired,
            installed,
            tables,
            plane,
            attachments: Attachments::new(),
            roles: Roles::default(),
            marked_way: MarkedWay::new(daemon::state(cookie)),
            managed: Managed::restore(cookie, prober, real_paths.ways()),
            real_paths,
            news: doors.news().clone(),
            synchronised: Synchronisation::new(doors.news().clone()),
            doors,
            links: Vec::new(),
            swept: Swept::default(),
            rates: Estimator::default(),
            rates_of_all: Estimator::default(),
            drains: Ended::default(),
            rising: HashSet::new(),
            ending: None,
            asked_to_end: false,
            vrrp,
            journal,
            network,
        };
        core.install_all()?;
        core.plane.finish()?;
        Ok(core)
    }

    /// Answers a client.
    pub(crate) fn answer(&mut self, request: Request) {
        match request {
            Request::Apply(transaction, reply) => reply.send(self.apply_expected(&transaction)),
            Request::Drains(reply) => reply.send(Ok(self.drains())),
            Request::Figures(reply) => reply.send(Ok(Box::new(self.figures()))),
            Request::Plan(site, reply) => reply.send(self.plan_site(&site)),
            Request::Site(reply) => reply.send(Ok(self.managed.applied().clone())),
            Request::ApplySite(site, reply) => reply.send(self.apply_site(&site)),
            Request::HandOver(of, reply) => self.hand_over(of, reply),
            Request::Overall(reply) => reply.send(Ok(self.overall())),
            Request::Services(reply) => reply.send(Ok(self.services())),
            Request::Status(reply) => reply.send(Ok(self.status())),
            Request::Stop(stop, reply) => reply.send(Ok(self.ask_to_end(stop))),
            Request::Synchronisation(reply) => reply.send(Ok(self.synchronisation())),
            Request::Sysctls(reply) => reply.send(Ok(self.sysctls())),
            Request::Timeouts(reply) => reply.send(Ok(self.desired.timeouts())),
        }
    }

    /// Takes news of the kernel.
    pub(crate) fn learn(&mut self, event: Event) {
        match event {
            Event::Links(links) => {
                self.links = links;
                self.attachments
                    .follow(&mut self.plane, &self.config, &self.links);
                self.follow_attachments();
                self.follow_marks();
                self.real_paths.follow(&self.links);
                self.follow_synchronisation();
            }
            Event::NextHop { address, hop } => {
                let hop = match hop {
                    Ok(hop) => self.resolved(&hop),
                    Err(Unresolved::Local) => Hop::Local,
                    Err(reason) => Hop::Unresolved(reason.to_string()),
                };
                tracing::debug!(%address, ?hop, "next hop");
                if matches!(hop, Hop::Local) {
                    // Before packets go to the stack, for its answers.
                    self.installed.note_hop(address, hop.clone());
                    self.follow_needs();
                }
                self.installed.set_hop(&*self.tables, address, hop);
            }
        }
    }

    pub(crate) fn take_sweep(&mut self, swept: Swept) {
        self.installed.note_leases(&swept.leases, Instant::now());
        self.swept = swept;
        self.follow_filter();
        self.defend();
    }

    pub(crate) fn tidy(&mut self, now: Instant) {
        if self.attachments.retry(&mut self.plane) {
            self.follow_attachments();
        }
        self.follow_needs();
        self.follow_marks();
        self.follow_own_addresses();
        self.follow_synchronisation();
        self.follow_checks();
        self.remember_health();
        let before = self.installed.addresses().count();
        if !self.is_ending() {
            self.end_drains();
            self.raise_weights();
        }
        self.installed.tidy(&*self.tables, now);
        if self.installed.addresses().count() != before {
            self.watch();
        }
    }

    /// What a client wants, if the rules are what it has seen.
    fn apply_expected(&mut self, transaction: &Transaction) -> Result<Made, Error> {
        transaction.expect(self.number())?;
        self.check_daemons(transaction)?;
        self.apply(transaction)?;
        Ok(Made {
            number: self.number(),
        })
    }

    /// Counts transactions, also those of daemons before this one.
    pub(crate) fn number(&self) -> u64 {
        self.journal.sequence()
    }

    /// All changes, or none: written down first, so that a daemon that dies halfway finishes them
    /// when it is back.
    pub(crate) fn apply(&mut self, transaction: &Transaction) -> Result<(), Error> {
        self.refuse_at_end()?;
        self.check(transaction)?;
        self.prepare(transaction)?;
        let now = now();
        self.journal.append(transaction, now).map_err(internal)?;
        let draining = self.running_drains(transaction);
        let touched = match self.desire(transaction, now) {
            Ok(touched) => touched,
            Err(error) => {
                self.journal.retract().map_err(internal)?;
                return Err(error);
            }
        };
        self.follow_needs();
        if !self.is_passive() {
            self.marked_way
                .precede(&mut self.plane, &self.links, &self.desired);
        }
        self.install(&touched).map_err(internal)?;
        if self.is_passive() {
            self.follow_filter();
        }
        self.note_drains(draining);
        self.follow_marks();
        self.follow_synchronisation();
        if self.journal.wants_snapshot() {
            self.journal.snapshot(&self.desired).map_err(internal)?;
        }
        Ok(())
    }

    /// Refuses what is not supported and what there is no room for.
    pub(crate) fn check(&self, transaction: &Transaction) -> Result<(), Error> {
        let (mut services, mut destinations) = self.installed.room();
        let mut locals = self.installed.room_for_locals();
        for (index, change) in transaction.changes.iter().enumerate() {
            supported::check(change).map_err(|error| at(index, error))?;
            let room = match change {
                Change::AddService(_) => &mut services,
                Change::AddDestination { .. } => &mut destinations,
                Change::AddLocalAddress { .. } => &mut locals,
                // Records of what is deleted may have connections; they are free later.
                _ => continue,
            };
            *room = room
                .checked_sub(1)
                .ok_or_else(|| at(index, table_full(change)))?;
        }
        Ok(())
    }

    /// Refuses what this machine cannot do.
    fn prepare(&mut self, transaction: &Transaction) -> Result<(), Error> {
        let is_marked = |change: &Change| {
            matches!(
                change,
                Change::AddService(service) if matches!(service.key, ServiceKey::Mark { .. })
            )
        };
        let Some(index) = transaction.changes.iter().position(is_marked) else {
            return Ok(());
        };
        let prepared = self.marked_way.prepare(&mut self.plane, &self.links);
        prepared.map_err(|problem| at(index, Error::new(Code::Internal, problem)))
    }

    pub(crate) fn desire(&mut self, transaction: &Transaction, now: u64) -> Result<Touched, Error> {
        let mut touched = Touched::default();
        let before: Vec<_> = match transaction.changes.contains(&Change::Flush) {
            true => self
                .desired
                .services()
                .map(|service| service.service().key)
                .collect(),
            false => Vec::new(),
        };
        self.desired
            .apply(transaction, now, &mut |desired, change| {
                touched.note(desired, change, &before);
            })?;
        Ok(touched)
    }

    pub(crate) fn install(&mut self, touched: &Touched) -> Result<(), rlvs_plane::Error> {
        let now = Now {
            instant: Instant::now(),
            seconds: now(),
        };
        for key in &touched.order {
            let steps = touched.steps.get(key).cloned().unwrap_or_default();
            let desired = self.desired.service(key);
            self.installed
                .install(&*self.tables, key, desired, &steps, now)?;
            self.note_rising(key, now.seconds);
            self.begin_rates(key);
        }
        let tells = self.sysctl("nat_icmp_send") != "0";
        self.installed
            .tell_servers(&*self.tables, &self.desired, tells)?;
        self.write_settings();
        for zeroed in &touched.zeroed {
            self.zero(zeroed.as_ref());
        }
        if !touched.order.is_empty() {
            self.synchronised.note_change();
            self.watch();
        }
        Ok(())
    }

    /// Makes the tables what is desired, whatever they are.
    fn install_all(&mut self) -> Result<(), rlvs_plane::Error> {
        let mut touched = Touched::default();
        let is_gone = |key: &ServiceKey| self.desired.service(key).is_none();
        let gone = self.installed.keys().filter(is_gone);
        let desired = self.desired.services();
        gone.chain(desired.map(|service| service.service().key))
            .for_each(|key| touched.touch(key));
        self.install(&touched)?;
        self.watch();
        Ok(())
    }

    /// What settings say of interfaces and of IPVS's settings.
    pub(crate) fn follow_config(&mut self) {
        self.write_settings();
        self.attachments
            .follow(&mut self.plane, &self.config, &self.links);
        self.follow_attachments();
        self.follow_synchronisation();
    }

    fn write_settings(&self) {
        let Some(settings) = self.tables.settings() else {
            return;
        };
        let timeouts = self.desired.timeouts();
        let set = |state: State, seconds| settings.set_timeout(state, ticks(seconds));
        set(State::Established, timeouts.tcp);
        set(State::FinWait, timeouts.tcp_fin);
        set(State::Udp, timeouts.udp);
        settings.calls.store(self.desired.reads_calls().into());
        for which in Sysctl::ALL {
            settings.set_sysctl(which, self.held(which));
        }
    }

    fn watch(&self) {
        self.network.watch(self.installed.addresses().collect());
    }

    fn resolved(&self, hop: &rlvs_network::NextHop) -> Hop {
        Hop::Resolved {
            interface: hop.interface,
            source: hop.source,
            destination: hop.destination,
            mtu: hop.mtu,
            local: hop.local,
            redirect: self
                .attachments
                .needs_redirect(&self.plane, &self.links, hop.interface),
        }
    }

    fn follow_needs(&mut self) {
        let needs = Needs::of(&self.desired, &self.installed, &*self.tables);
        self.roles.follow(&mut self.plane, &self.links, needs);
    }

    pub(crate) fn follow_marks(&mut self) {
        let none = Desired::default();
        let balanced = match self.is_passive() {
            true => &none,
            false => &self.desired,
        };
        self.marked_way
            .follow(&mut self.plane, &self.links, balanced);
        self.vrrp.serve(&self.desired);
    }

    /// What depends on how interfaces are attached: whether frames go by redirect, and who takes
    /// VLAN tags off.
    fn follow_attachments(&mut self) {
        self.follow_needs();
        let below = |index| Below {
            native: self.plane.interfaces.mode(index) == Some(Mode::Native),
            redirect: self
                .attachments
                .needs_redirect(&self.plane, &self.links, index),
        };
        let wants = |name: &str| self.config.interfaces.wants(name);
        let vlans = vlans(&self.links, wants, below);
        if let Err(error) = self.plane.set_vlans(&vlans) {
            tracing::warn!(%error, "VLAN interfaces");
        }
        let Self {
            attachments,
            plane,
            links,
            installed,
            tables,
            ..
        } = self;
        installed.redirect(&**tables, |interface| {
            attachments.needs_redirect(plane, links, interface)
        });
    }
}

impl Touched {
    fn note(&mut self, desired: &Desired, change: &Change, before: &[ServiceKey]) {
        match change {
            Change::AddService(service) | Change::EditService(service) => self.touch(service.key),
            Change::DeleteService(key) => {
                self.touch(*key);
                self.steps.remove(key);
            }
            Change::Flush => {
                before.iter().for_each(|key| self.touch(*key));
                self.steps.clear();
            }
            Change::AddDestination { service, .. }
            | Change::EditDestination { service, .. }
            | Change::DeleteDestination { service, .. }
            | Change::Drain { service, .. }
            | Change::Undrain { service, .. } => {
                self.touch(*service);
                self.step(desired, service);
            }
            Change::AddLocalAddress { service, .. }
            | Change::DeleteLocalAddress { service, .. } => {
                self.touch(*service);
            }
            Change::Zero { service } => self.zeroed.push(*service),
            Change::SetTimeouts { .. }
            | Change::SetSysctl { .. }
            | Change::StartDaemon(_)
            | Change::StopDaemon(_) => {}
        }
    }

    pub(crate) fn touch(&mut self, key: ServiceKey) {
        if self.known.insert(key) {
            self.order.push(key);
        }
    }

    /// What wrr makes of the change.
    fn step(&mut self, desired: &Desired, key: &ServiceKey) {
        let Some(service) = desired.service(key) else {
            return;
        };
        if service.service().scheduler == "wrr" {
            let weights = service.destinations().map(|destination| destination.weight);
            let weights: Vec<_> = weights.collect();
            let step = gcd_and_reach(weights.into_iter());
            self.steps.entry(*key).or_default().push(step);
        }
    }
}

fn at(index: usize, error: Error) -> Error {
    Error {
        change: Some(index),
        ..error
    }
}

fn table_full(change: &Change) -> Error {
    let (what, setting) = match change {
        Change::AddLocalAddress { .. } => {
            let most = rlvs_engine::lease::Local::MOST;
            let message = format!("There is room for {most} local addresses: delete some first");
            return Error::new(Code::TableFull, message);
        }
        Change::AddService(_) => ("services", "services"),
        _ => ("destinations", "destinations"),
    };
    Error::new(
        Code::TableFull,
        format!(
            "The table of {what} is full: set `{setting}` higher in rlvs.toml, then `rlvs down` \
             and `rlvs run` (`ipvsadm -S` first: it forgets the rules)"
        ),
    )
}

fn internal(error: impl std::fmt::Display) -> Error {
    tracing::error!(%error, "a change could not be made");
    Error::new(Code::Internal, error.to_string())
}
