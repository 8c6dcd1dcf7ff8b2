//! A site becomes what the director does; checks change it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rlvs_check::machine::{Event, Wanted};
use rlvs_config::model::{Alerts, Vrrp};
use rlvs_config::{Reading, Site, written};
use rlvs_control::event::What;
use rlvs_control::site::{Applied, Plan, Site as Request};
use rlvs_control::{Change, Code, Error, ServiceKey, Timeouts, Transaction};
use rlvs_probe::Report;

use super::health;
use super::notify::{self, Cause};
use super::real_path;
use super::target::{Target, all_up, targets};
use super::{Configuration, Managed};
use super::{changes, event, keep, plan};
use crate::core::Core;
use crate::desired::Desired;
use crate::vrrp;

/// Scripts that are told when the daemon ends have this time.
const LAST_WORDS: Duration = Duration::from_secs(5);

impl Core {
    /// What applying a site would change.
    pub(crate) fn plan_site(&self, request: &Request) -> Result<Plan, Error> {
        let site = read(request)?;
        let changes = self.expected(&site)?;
        let settings = &self.config;
        Ok(plan::plan(
            &self.managed,
            &self.desired,
            settings,
            &site,
            changes,
        ))
    }

    /// Makes the services of a site what it says, in one transaction; what is as it should be is not
    /// touched.
    pub(crate) fn apply_site(&mut self, request: &Request) -> Result<Plan, Error> {
        self.refuse_at_end()?;
        self.expect(request.expected)?;
        let site = read(request)?;
        self.expected(&site)?;
        let doors = self
            .doors
            .prepare(&site.settings)
            .map_err(|error| Error::new(Code::Invalid, error.to_string()))?;
        // Before the first of them is made.
        if real_path::is_wanted(&site.services) {
            self.want_real_path(true)?;
        }
        let events = self
            .managed
            .health
            .follow(&site.services)
            .map_err(|error| Error::new(Code::Invalid, error.to_string()))?;
        let all = self.changes_for(&site, |server| {
            let known = health::name(server).and_then(|name| self.managed.health.wanted(&name));
            known.cloned().unwrap_or_else(|| all_up(server))
        });
        let planned = plan::plan(
            &self.managed,
            &self.desired,
            &self.config,
            &site,
            all.clone(),
        );
        if let Err(error) = self.apply_named(all) {
            // As it was: what is known of servers is remembered.
            let before = self.managed.site.services.clone();
            let _ = self.managed.health.follow(&before);
            self.want_real_path(real_path::is_wanted(&before))?;
            return Err(error);
        }
        self.take_settings(&site);
        self.doors.take(doors);
        self.managed.take(site);
        self.want_real_path(real_path::is_wanted(&self.managed.site.services))?;
        self.managed.applied = Applied {
            number: self.managed.applied.number + 1,
            path: Some(request.path.clone()),
            text: request.text.clone(),
        };
        keep::write_applied(&self.managed.directory, &self.managed.applied);
        tracing::info!(
            file = %request.path.display(),
            changes = planned.steps.len(),
            number = self.managed.applied.number,
            "site applied"
        );
        self.news.tell(What::SiteApplied {
            path: request.path.clone(),
            number: self.managed.applied.number,
            changes: planned.steps.len(),
        });
        self.managed.notifiers.follow(&self.managed.site);
        // A client that finds one finds a service, too.
        self.managed.addresses.follow(&self.managed.site);
        self.vrrp.follow(&self.managed.site, &self.desired);
        self.follow_synchronisation();
        self.follow_checks();
        self.tell_first(&events);
        self.tell(&events, None);
        Ok(planned)
    }

    /// Whether there are checks by way of virtual addresses.
    fn want_real_path(&mut self, wanted: bool) -> Result<(), Error> {
        let done = self.real_paths.set_wanted(wanted, &self.links);
        done.map_err(|error| {
            let what = "checks by way of virtual addresses cannot be made on this machine";
            Error::new(Code::Unsupported, format!("{what}: {error}"))
        })
    }

    /// What the daemon's file wants run before anything else; forwarding by an earlier daemon's rules
    /// goes on meanwhile.
    pub(crate) async fn precede_site(&self, configuration: &Configuration) {
        let mut another = self.managed.path().into_iter();
        let alerts = match another.any(|path| path != configuration.path) {
            true => &self.managed.site.alerts,
            false => &configuration.reading.site.alerts,
        };
        let seconds = alerts.startup_script_timeout;
        notify::run_once(alerts.startup_script.as_ref(), seconds).await;
    }

    /// Takes up the site: of the file that was applied last, or of the daemon's own.
    pub(crate) fn begin_site(&mut self, configuration: &Configuration) -> Result<(), crate::Error> {
        log_warnings(&configuration.reading);
        let another = self
            .managed
            .path()
            .filter(|path| *path != configuration.path);
        let request = match another.map(Path::to_owned) {
            None if !self.managed.has_site() && is_empty(&configuration.reading.site) => {
                let doors = self.doors.prepare(&self.config)?;
                self.doors.take(doors);
                return Ok(());
            }
            None => request_of(&configuration.path, &configuration.reading.site),
            Some(path) => match (configuration.read)(&path) {
                Ok(reading) => request_of(&path, &reading.site),
                Err(problem) => {
                    tracing::warn!(file = %path.display(), "goes on as it was applied:\n{problem}");
                    self.managed.request()
                }
            },
        };
        self.apply_site(&request)
            .map(drop)
            .map_err(|error| crate::Error::Site {
                path: request.path,
                message: error.message,
            })
    }

    /// Reads the site's file again; if that cannot be, everything stays.
    pub(crate) fn reload_site(&mut self, configuration: &Configuration) {
        let path = self
            .managed
            .path()
            .unwrap_or(&configuration.path)
            .to_owned();
        let applied = (configuration.read)(&path).and_then(|reading| {
            log_warnings(&reading);
            let applied = self.apply_site(&request_of(&path, &reading.site));
            applied.map_err(|error| error.message)
        });
        if let Err(problem) = applied {
            tracing::error!(file = %path.display(), "not reloaded, all stays as it is:\n{problem}");
        }
    }

    /// What checks say. However many they are, they make one transaction.
    pub(crate) fn hear(&mut self, reports: &mut Vec<Report>) {
        let (mut turned, mut found) = (BTreeMap::new(), Vec::new());
        for report in reports.drain(..) {
            self.log(&report);
            let events = self.managed.health.hear(&report, &mut turned);
            if !events.is_empty() {
                found.push((events, self.cause(report)));
            }
        }
        self.turn(&turned);
        for (events, cause) in found {
            self.tell(&events, cause.as_ref());
        }
        self.follow_checks();
        self.remember_health();
    }

    /// Suspends checks of virtual addresses that are elsewhere.
    pub(crate) fn follow_own_addresses(&mut self) {
        let Managed { site, health, .. } = &mut self.managed;
        health.follow_addresses(&site.services);
    }

    /// What is known of servers, for the next daemon.
    pub(crate) fn remember_health(&mut self) {
        let Managed {
            directory, health, ..
        } = &mut self.managed;
        health.remember(|state| keep::write_health(directory, state));
    }

    /// Makes pools what they are to be; what they were is given.
    fn turn(&mut self, turned: &BTreeMap<ServiceKey, Wanted>) {
        let changes_of = |(key, before): (&ServiceKey, &Wanted)| {
            let server = self.managed.server(key)?;
            let after = self.managed.health.wanted(key)?;
            Some(changes::by_checks(&self.desired, server, before, after))
        };
        let changes: Vec<Change> = turned.iter().filter_map(changes_of).flatten().collect();
        if let Err(error) = self.apply_named(changes) {
            tracing::error!(%error, "what checks say cannot be done");
        }
    }

    fn cause(&self, report: Report) -> Option<Cause> {
        let probe = self.managed.health.board().probe(report.id)?;
        Some(Cause {
            check: probe.check.kind.name(),
            reason: report.reason,
        })
    }

    fn log(&self, report: &Report) {
        let Some(reason) = &report.reason else {
            return;
        };
        if let Some(probe) = self.managed.health.board().probe(report.id) {
            let (target, check) = (probe.target, probe.check.kind.name());
            tracing::info!(%target, check, reason, "check failed");
        }
    }

    /// Changes that can be made, if checks go on as they are.
    fn expected(&self, site: &Site) -> Result<Vec<Change>, Error> {
        vrrp::refused(site)?;
        if let Some(reason) = health::refused(&site.services) {
            return Err(Error::new(Code::Unsupported, reason));
        }
        let changes = self.changes_for(site, |server| self.managed.health.expected(server));
        let transaction = Transaction::from(changes);
        let tried = self.check(&transaction).and_then(|()| {
            let mut desired: Desired = self.desired.clone();
            desired.apply(&transaction, 0, &mut |_, _| {})
        });
        tried.map_err(|error| named(error, &transaction.changes))?;
        Ok(transaction.changes)
    }

    fn changes_for(
        &self,
        site: &Site,
        wanted: impl Fn(&rlvs_config::model::VirtualServer) -> Wanted,
    ) -> Vec<Change> {
        let all: Vec<Target> = site
            .services
            .iter()
            .flat_map(|server| targets(server, &wanted(server)))
            .collect();
        let mut changes = changes::changes(&self.desired, &self.managed.owned, &all);
        if let Some(Timeouts { tcp, tcp_fin, udp }) = site.timeouts
            && site.timeouts != Some(self.desired.timeouts())
        {
            changes.push(Change::SetTimeouts { tcp, tcp_fin, udp });
        }
        changes
    }

    fn apply_named(&mut self, changes: Vec<Change>) -> Result<(), Error> {
        if changes.is_empty() {
            return Ok(());
        }
        let transaction = Transaction::from(changes);
        let applied = self.apply(&transaction);
        applied.map_err(|error| named(error, &transaction.changes))
    }

    fn expect(&self, expected: Option<u64>) -> Result<(), Error> {
        let number = self.managed.applied.number;
        match expected {
            Some(expected) if expected != number => Err(Error {
                number: Some(number),
                ..Error::new(
                    Code::Conflict,
                    format!(
                        "The site is number {number}, not {expected}: another was applied \
                         meanwhile; look at what it changed, then apply yours again"
                    ),
                )
            }),
            _ => Ok(()),
        }
    }

    /// What of the settings can be changed while the daemon runs.
    fn take_settings(&mut self, site: &Site) {
        let loopback = self.config.interfaces.loopback;
        self.config.sysctl.clone_from(&site.settings.sysctl);
        self.config.interfaces.clone_from(&site.settings.interfaces);
        self.config.interfaces.loopback = loopback;
        self.config.stop = site.settings.stop;
        self.config.sync.clone_from(&site.settings.sync);
        self.follow_config();
    }

    /// The daemon ends: what `omega` wants to be told then is told.
    pub(crate) async fn end_site(&mut self) {
        let events = self.managed.health.stop();
        self.tell(&events, None);
        let state = self.managed.health.board().state();
        keep::write_health(&self.managed.directory, &state);
        // Who takes longer is ended.
        self.managed.notifiers.end(LAST_WORDS).await;
    }

    /// What the site wants run last of all.
    pub(crate) fn follow_end(&self) -> impl Future<Output = ()> + Send + use<> {
        let alerts = &self.managed.site.alerts;
        let seconds = alerts.shutdown_script_timeout;
        notify::run_once(alerts.shutdown_script.as_ref(), seconds)
    }

    /// With `rs_init_notifies`: real servers that are there from the start.
    fn tell_first(&mut self, events: &[(ServiceKey, Event)]) {
        if !self.managed.site.alerts.rs_init_notifies {
            return;
        }
        let begins = |event: &Event| {
            matches!(
                event,
                Event::QuorumGained { start: true, .. } | Event::QuorumLost { start: true, .. }
            )
        };
        for (key, _) in events.iter().filter(|(_, event)| begins(event)) {
            let service = self.managed.health.board().service(key);
            let servers = service.map_or(&[][..], |service| service.servers());
            let up = servers.iter().enumerate().filter(|(_, server)| server.up());
            let up: Vec<_> = up.map(|(server, _)| Event::ServerUp { server }).collect();
            for event in up {
                self.managed.tell(key, &event, None);
            }
        }
    }

    fn tell(&mut self, events: &[(ServiceKey, Event)], cause: Option<&Cause>) {
        for (key, event) in events {
            let members = self.managed.health.board().members(key);
            if let Some(event) = event::of(key, members, event) {
                match event.what.is_bad() {
                    true => tracing::warn!("{}: {}", event.service, event.what),
                    false => tracing::info!("{}: {}", event.service, event.what),
                }
                self.news.tell(What::Server(event));
            }
            self.managed.tell(key, event, cause);
        }
    }
}

/// Whether it has settings of the daemon alone.
fn is_empty(site: &Site) -> bool {
    site.services.is_empty()
        && site.addresses.is_empty()
        && site.alerts == Alerts::default()
        && site.vrrp == Vrrp::default()
}

/// The request that makes a site of this file.
fn request_of(path: &Path, site: &Site) -> Request {
    Request {
        path: path.to_owned(),
        text: written::write(site),
        expected: None,
    }
}

fn log_warnings(reading: &Reading) {
    for warning in reading.warnings.iter() {
        tracing::warn!("{}", warning.line(&reading.sources));
    }
}

fn read(request: &Request) -> Result<Site, Error> {
    match written::read(&request.path, request.text.clone()) {
        Ok(reading) => Ok(reading.site),
        Err(failure) => Err(Error::new(Code::Invalid, failure.pictures())),
    }
}

/// An error that says whose it is.
fn named(mut error: Error, changes: &[Change]) -> Error {
    let whose = error.change.and_then(|index| match changes.get(index)? {
        Change::AddService(service) | Change::EditService(service) => Some(service.key.to_string()),
        Change::DeleteService(service) => Some(service.to_string()),
        Change::AddDestination {
            service,
            destination,
        }
        | Change::EditDestination {
            service,
            destination,
        } => Some(format!("{service}, {}", destination.key)),
        Change::AddLocalAddress { service, address } => Some(format!("{service}, {address}")),
        _ => None,
    });
    if let Some(whose) = whose {
        error.message = format!("{whose}: {}", error.message);
    }
    error
}
