//! What the daemon's core does about synchronisation.

use std::time::{Duration, Instant};

use rlvs_control::sync::no_interface;
use rlvs_control::{Change, Code, Error, SyncDaemon, Synchronisation, Transaction};

use super::Spec;
use super::peers::PeersSpec;
use super::teller::Manner;
use crate::core::Core;
use crate::sysctls::word;

/// More ports IPVS does not use either (`IPVS_SYNC_PORTS_MAX`).
const MOST_PORTS: u32 = 64;
/// Where the interface is not there.
const USUAL_MTU: u32 = 1500;

impl Core {
    pub(crate) fn synchronisation(&self) -> Synchronisation {
        self.synchronised.state()
    }

    /// What clients start must have an interface (an earlier daemon's may have lost its meanwhile), and
    /// what a file starts is the file's.
    pub(crate) fn check_daemons(&self, transaction: &Transaction) -> Result<(), Error> {
        let of_site = self.daemons_of_site();
        let is_the_sites = |role| {
            let by_hand = self.desired.daemons().any(|it| it.role == role);
            !by_hand && of_site.iter().any(|it| it.role == role)
        };
        for (index, change) in transaction.changes.iter().enumerate() {
            let refused = match change {
                Change::StartDaemon(daemon) if is_the_sites(daemon.role) => {
                    let message = format!("the file's {} runs (lvs_sync_daemon)", daemon.role);
                    Error::new(Code::DaemonRuns, message)
                }
                Change::StopDaemon(role) if is_the_sites(*role) => {
                    let message = format!(
                        "the {role} is the file's: take lvs_sync_daemon out of it, and apply it"
                    );
                    Error::new(Code::Conflict, message)
                }
                Change::StartDaemon(daemon) if self.link(&daemon.interface).is_none() => {
                    no_interface(&daemon.interface)
                }
                _ => continue,
            };
            return Err(Error {
                change: Some(index),
                ..refused
            });
        }
        Ok(())
    }

    /// Whether nothing is balanced, for this director is a backup (`backup_only`).
    pub(crate) fn is_passive(&self) -> bool {
        self.synchronised.is_backup() && self.number_of("backup_only") != 0
    }

    /// Which packets are looked at: those of services and of connections there are, or none.
    pub(crate) fn follow_filter(&mut self) {
        match self.is_passive() {
            true => self.installed.close_filter(&*self.tables),
            false => self
                .installed
                .narrow_filter(&*self.tables, &self.swept.filter),
        }
    }

    /// Makes the daemons that run those that are desired, with the settings that hold.
    pub(crate) fn follow_synchronisation(&mut self) {
        let by_hand: Vec<_> = self.desired.daemons().cloned().collect();
        let mut of_site = self.daemons_of_site();
        // What was started by hand comes before the site's of the same role.
        of_site.retain(|it| by_hand.iter().all(|other| other.role != it.role));
        let all = by_hand.iter().chain(&of_site);
        let wanted: Vec<_> = all.map(|it| self.spec(it)).collect();
        self.synchronised.follow(&self.tables, &wanted);
        let is_passive = self.is_passive();
        if self.synchronised.was_passive != is_passive {
            self.synchronised.was_passive = is_passive;
            self.follow_filter();
            self.follow_marks();
        }
        self.synchronised.herald.catch_up(Instant::now());
        let peers = self.peers();
        self.synchronised.follow_peers(&self.tables, peers);
    }

    /// Whether what peers had at the start is known here, or they were not there.
    pub(crate) fn has_caught_up(&self) -> Result<(), String> {
        let has_peers = !self.config.sync.peers.is_empty();
        match has_peers && !self.synchronised.has_caught_up() {
            true => Err("peers have not told all connections yet".to_owned()),
            false => Ok(()),
        }
    }

    fn link(&self, name: &str) -> Option<&rlvs_network::Link> {
        self.links.iter().find(|link| link.name == name)
    }

    /// Other directors of rlvs, if the file names any.
    fn peers(&self) -> Option<PeersSpec> {
        let sync = &self.config.sync;
        Some(PeersSpec {
            own: sync.listen?,
            peers: sync.peers.clone(),
            secret: sync.secret.clone()?,
            manner: self.manner(),
            rate: sync.rate,
        })
    }

    fn number_of(&self, name: &str) -> u32 {
        word(self.sysctl(name))
    }

    fn spec(&self, daemon: &SyncDaemon) -> Spec {
        let link = self.link(&daemon.interface);
        let size = self.number_of("sync_sock_size").cast_signed();
        Spec {
            daemon: daemon.filled(link.map_or(USUAL_MTU, |link| link.mtu)),
            index: link.map(|link| link.index),
            ports: self.number_of("sync_ports").clamp(1, MOST_PORTS) as u16,
            buffer: usize::try_from(size).ok().filter(|&size| size > 0),
            manner: self.manner(),
            rate: self.config.sync.rate,
            peers: self.config.sync.allow.clone(),
        }
    }

    fn manner(&self) -> Manner {
        let mut threshold = self.sysctl("sync_threshold").split_whitespace().map(word);
        let [threshold, period] = [(); 2].map(|()| threshold.next().unwrap_or_default());
        let refresh = self.number_of("sync_refresh_period").cast_signed();
        Manner {
            threshold,
            period,
            refresh_period: Duration::from_secs(refresh.max(0).cast_unsigned().into()),
            retries: self.number_of("sync_retries").min(3) as u8,
            persist_mode: self.number_of("sync_persist_mode") != 0,
        }
    }
}
