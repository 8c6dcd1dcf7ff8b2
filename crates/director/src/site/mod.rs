//! A site: the services that a configuration file names, kept as it and their health checks say.
//!
//! They are the file's from then on. Other services are somebody else's and are left alone. What is
//! changed by hand in a file's service stays so until the file is applied again, or checks take the
//! destination out and bring it back.

pub(crate) mod addresses;
mod apply;
mod changes;
mod event;
mod health;
mod keep;
mod notify;
mod plan;
mod real_path;
mod target;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rlvs_check::machine::Event;
use rlvs_config::model::VirtualServer;
use rlvs_config::{Reading, Site};
use rlvs_control::ServiceKey;
use rlvs_control::site::{Applied, Site as Request};
use rlvs_control::status::SiteState;
use rlvs_probe::{Prober, Ways};
use rlvs_speaker::Told;

use crate::daemon;
use crate::metrics::CheckedServer;
use addresses::Addresses;
use health::Health;
use notify::{Cause, Notifiers};

/// What a daemon is started with.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// The file, which need not be there.
    pub path: PathBuf,
    pub reading: Reading,
    /// Reads a file of any format; else what is wrong with it, for people.
    pub read: fn(&Path) -> Result<Reading, String>,
}

/// The site that was applied last, and what is known of its servers.
#[derive(Debug)]
pub(crate) struct Managed {
    directory: PathBuf,
    applied: Applied,
    site: Site,
    owned: HashSet<ServiceKey>,
    /// Of virtual servers in the site.
    places: HashMap<ServiceKey, usize>,
    health: Health,
    notifiers: Notifiers,
    addresses: Addresses,
    /// The one before this, of which instances may be told that are no more.
    before: Site,
}

impl Managed {
    /// What an earlier daemon left, or nothing.
    pub(crate) fn restore(cookie: u64, prober: Prober, ways: Arc<dyn Ways>) -> Self {
        let directory = daemon::state(cookie);
        let applied = keep::read_applied(&directory);
        let site = keep::site_of(&applied);
        let health = Health::new(keep::read_health(&directory), prober, ways);
        Self {
            directory,
            owned: keys(&site).collect(),
            places: places(&site),
            applied,
            site,
            health,
            notifiers: Notifiers::default(),
            addresses: Addresses::new(cookie),
            before: Site::default(),
        }
    }

    /// Whether a service is the file's.
    pub(crate) fn owns(&self, key: &ServiceKey) -> bool {
        self.owned.contains(key)
    }

    /// None before the first.
    pub(crate) fn status(&self) -> Option<SiteState> {
        let path = self.applied.path.clone()?;
        Some(SiteState {
            path,
            number: self.applied.number,
            checks: self.health.board().probes().count(),
            failing: self.health.failing(),
            troubled: self.health.troubled(),
            addresses: self.addresses.state(),
        })
    }

    /// Real servers that have health checks.
    pub(crate) fn checked_servers(&self) -> Vec<CheckedServer> {
        self.health.checked_servers(&self.site.services)
    }

    /// How many health checks there are of each kind, and how many of them fail.
    pub(crate) fn checks(&self) -> BTreeMap<&'static str, [usize; 2]> {
        let mut counts = BTreeMap::<_, [usize; 2]>::new();
        for (_, probe, standing) in self.health.board().probes() {
            let [all, failing] = counts.entry(probe.check.kind.name()).or_default();
            *all += 1;
            *failing += usize::from(standing.known && !standing.up);
        }
        counts
    }

    pub(crate) fn applied(&self) -> &Applied {
        &self.applied
    }

    fn take(&mut self, site: Site) {
        self.owned = keys(&site).collect();
        self.places = places(&site);
        self.before = core::mem::replace(&mut self.site, site);
    }

    /// `lvs_sync_daemon`
    pub(crate) fn sync_daemon(&self) -> Option<&rlvs_config::model::vrrp::SyncDaemon> {
        self.site.vrrp.defaults.sync_daemon.as_ref()
    }

    /// Of an instance or a group, or one that the site before this had.
    pub(crate) fn tell_vrrp(&mut self, told: &Told) {
        let deleted = matches!(told, Told::Instance { deleted: true, .. });
        let site = if deleted { &self.before } else { &self.site };
        self.notifiers.tell_vrrp(site, told);
    }

    /// A virtual server, by what it goes by in [`Health`].
    fn server(&self, key: &ServiceKey) -> Option<&VirtualServer> {
        self.site.services.get(*self.places.get(key)?)
    }

    fn tell(&mut self, key: &ServiceKey, event: &Event, cause: Option<&Cause>) {
        let place = self.places.get(key);
        if let Some(server) = place.and_then(|place| self.site.services.get(*place)) {
            self.notifiers.tell(server, event, cause);
        }
    }

    /// How many checks have said nothing yet, of how many.
    pub(crate) fn unknown_checks(&self) -> (usize, usize) {
        self.health.unknown()
    }

    /// Virtual servers by the names that they are tracked by, and whether they have their quorum.
    pub(crate) fn quorums(&self) -> Vec<(String, bool)> {
        let quorum = |server: &VirtualServer| {
            let service = self.health.board().service(&health::name(server)?)?;
            Some((rlvs_speaker::name_of(server)?, service.quorum()))
        };
        self.site.services.iter().filter_map(quorum).collect()
    }

    /// Whether there ever was one.
    fn has_site(&self) -> bool {
        self.applied.number > 0
    }

    /// What makes it what it was.
    fn request(&self) -> Request {
        Request {
            path: self.applied.path.clone().unwrap_or_default(),
            text: self.applied.text.clone(),
            expected: None,
        }
    }

    /// The file to be read again at reload.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.applied.path.as_deref()
    }
}

fn keys(site: &Site) -> impl Iterator<Item = ServiceKey> {
    site.services
        .iter()
        .flat_map(|server| server.keys())
        .copied()
}

fn places(site: &Site) -> HashMap<ServiceKey, usize> {
    let names = site.services.iter().map(health::name).enumerate();
    names
        .filter_map(|(place, name)| Some((name?, place)))
        .collect()
}
