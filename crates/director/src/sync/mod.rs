//! Connections are synchronised with other directors, by IPVS's protocol: `rlvs-sync` has its messages
//! and rules, this the sockets, the threads, and what becomes of both in the connection tables.
//!
//! * `master`: tells; `teller`: what, and when; `portrait`: an entry as a message tells it
//! * `backup`: hears; `learner`: what is told becomes entries; `places`: whose they are here;
//!   `waiting`: where that is not known yet
//! * `core`: what the daemon does about it
//! * `herald`: what becomes an event
//! * `memory`: what others know, so that nothing is told twice, or back to whom it is from

mod backup;
mod core;
mod counts;
mod herald;
mod learner;
mod master;
mod memory;
mod peers;
mod places;
mod portrait;
mod socket;
mod state;
mod teller;
#[cfg(test)]
mod tests;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use rlvs_control::sync::{DaemonState, no_interface};
use rlvs_control::{SyncDaemon, SyncRole, Synchronisation as Shown};
use rlvs_engine::Tables;
use rlvs_plane::KernelTables;
use rlvs_sync::message::largest;
use rlvs_sync::sender::{Rules, Settings};
use rlvs_sync::{Receiver, Sender};

use backup::Backup;
use counts::Counts;
use herald::Herald;
use learner::Learner;
use master::{Master, Pace};
use memory::Memory;
use peers::{Peers, PeersSpec};
use portrait::Audience;
use teller::{Manner, Teller};

use crate::news::News;

/// Datagrams that wait while others are sent: each is sent when it is full.
const QUEUE: usize = 1 << 10;

/// The daemons that run.
#[derive(Debug, Default)]
pub(crate) struct Synchronisation {
    /// Made with the first of them.
    memory: Option<Arc<Memory>>,
    /// Counts changes of services and destinations.
    changes: Arc<AtomicU64>,
    running: BTreeMap<SyncRole, Running>,
    peers: Option<Peers>,
    herald: Arc<Herald>,
    /// Nothing was balanced when this was looked at last.
    was_passive: bool,
}

/// What a daemon is to be.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Spec {
    /// With all that was left out filled in.
    daemon: SyncDaemon,
    /// Of its interface, if there is one.
    index: Option<u32>,
    ports: u16,
    /// Bytes of sockets' buffers, if that is said.
    buffer: Option<usize>,
    manner: Manner,
    /// Connections that are told in a second.
    rate: u32,
    /// Who is heard; empty: everybody.
    peers: BTreeSet<IpAddr>,
}

#[derive(Debug)]
struct Running {
    spec: Spec,
    counts: Arc<Counts>,
    /// Or why it does not.
    work: Result<Work, String>,
}

/// Threads, which end when this is dropped.
#[derive(Debug)]
struct Work {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Synchronisation {
    pub(crate) fn new(news: News) -> Self {
        Self {
            herald: Arc::new(Herald::new(news)),
            ..Self::default()
        }
    }

    /// Services or destinations have changed.
    pub(crate) fn note_change(&self) {
        self.changes.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn state(&self) -> Shown {
        Shown {
            daemons: self.running.values().map(Running::state).collect(),
            peers: self.peers.as_ref().map_or_else(Vec::new, Peers::state),
            caught_up: self.peers.is_none() || self.has_caught_up(),
        }
    }

    fn is_backup(&self) -> bool {
        self.running.contains_key(&SyncRole::Backup)
    }

    /// Not before there are peers.
    fn has_caught_up(&self) -> bool {
        self.peers.as_ref().is_some_and(Peers::have_told)
    }

    /// Starts and stops what is to be; what does not work is tried again.
    fn follow(&mut self, tables: &Arc<KernelTables>, wanted: &[Spec]) {
        let is_wanted = |role| wanted.iter().any(|spec| spec.daemon.role == role);
        for (role, running) in self.running.extract_if(.., |role, _| !is_wanted(*role)) {
            drop(running);
            tracing::info!(%role, "connections are synchronised no longer");
        }
        for spec in wanted {
            let role = spec.daemon.role;
            let before = self.running.get(&role);
            let goes_on = before.is_some_and(|it| it.spec == *spec && it.work.is_ok());
            if !goes_on {
                self.start(tables, spec);
            }
        }
    }

    fn follow_peers(&mut self, tables: &Arc<KernelTables>, wanted: Option<PeersSpec>) {
        let Some(wanted) = wanted else {
            if self.peers.take().is_some() {
                tracing::info!("connections are synchronised with peers no longer");
            }
            return;
        };
        let before = self.peers.take();
        self.peers = Some(match before {
            Some(peers) if peers.spec == wanted && peers.works() => peers,
            before => {
                let (changes, herald) = (&self.changes, &self.herald);
                Peers::start(tables, (changes, herald), &wanted, before)
            }
        });
    }

    fn start(&mut self, tables: &Arc<KernelTables>, spec: &Spec) {
        let role = spec.daemon.role;
        let before = self.running.remove(&role);
        let memory = self
            .memory
            .get_or_insert_with(|| Arc::new(Memory::new(buckets(&**tables))));
        if before.is_none() && role == SyncRole::Master {
            // Whom this one hears has told the rest, to others as well.
            let hears = self.running.contains_key(&SyncRole::Backup);
            memory.forget(|known| !(hears && known.is_learned()));
        }
        let problem = before
            .as_ref()
            .and_then(|it| it.work.as_ref().err().cloned());
        let counts = match before {
            Some(before) => Arc::clone(&before.counts),
            None => Arc::new(Counts::told_by(&self.herald, role)),
        };
        let work = match role {
            SyncRole::Master => master(tables, memory, spec, &counts),
            SyncRole::Backup => backup(tables, memory, spec, &counts, &self.changes),
        };
        let interface = &spec.daemon.interface;
        match &work {
            Ok(_) => tracing::info!(%role, interface, "connections are synchronised"),
            Err(error) if problem.as_ref() != Some(error) => {
                tracing::warn!(%role, interface, error, "connections cannot be synchronised");
            }
            Err(_) => {}
        }
        let spec = spec.clone();
        self.running.insert(role, Running { spec, counts, work });
    }
}

/// How many there are in the tables.
fn buckets<T: Tables>(tables: &T) -> [u32; 2] {
    let buckets = tables.settings().map(|it| it.buckets.each_ref());
    buckets.map_or([0; 2], |it| it.map(|it| it.load()))
}

impl Running {
    fn state(&self) -> DaemonState {
        DaemonState {
            daemon: self.spec.daemon.clone(),
            problem: self.work.as_ref().err().cloned(),
            messages: self.counts.messages.get(),
            records: self.counts.records.get(),
            peers: match self.spec.daemon.role {
                SyncRole::Master => Vec::new(),
                SyncRole::Backup => self.spec.peers.iter().copied().collect(),
            },
            waiting: self.counts.waiting.get(),
            dropped: self.counts.dropped(),
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.iter().for_each(|it| it.thread().unpark());
    }
}

fn master(
    tables: &Arc<KernelTables>,
    memory: &Arc<Memory>,
    spec: &Spec,
    counts: &Arc<Counts>,
) -> Result<Work, String> {
    let daemon = &spec.daemon;
    let settings = Settings {
        id: daemon.id,
        largest: largest(daemon.maxlen, daemon.group().is_ipv6()),
        ports: spec.ports,
        queue: QUEUE,
    };
    let stop = Arc::new(AtomicBool::new(false));
    let master = Master {
        tables: Arc::clone(tables),
        teller: Teller::new(
            Arc::clone(memory),
            Arc::clone(counts),
            &spec.manner,
            Audience::Group,
        ),
        sender: Sender::new(settings, Rules::default()),
        sockets: sockets(spec, socket::sender)?,
        pace: Pace::new(spec.rate),
        counts: Arc::clone(counts),
        stop: Arc::clone(&stop),
    };
    let threads = vec![thread::spawn(move || master.run())];
    Ok(Work { stop, threads })
}

fn backup(
    tables: &Arc<KernelTables>,
    memory: &Arc<Memory>,
    spec: &Spec,
    counts: &Arc<Counts>,
    changes: &Arc<AtomicU64>,
) -> Result<Work, String> {
    let sockets = sockets(spec, socket::receiver)?;
    let stop = Arc::new(AtomicBool::new(false));
    let learner = Learner::new(
        Arc::clone(tables),
        Arc::clone(memory),
        Arc::clone(counts),
        Arc::clone(changes),
    );
    let backup = Arc::new(Backup {
        gate: Receiver {
            id: spec.daemon.id,
            // The master's sockets do not send to their own host.
            own: BTreeSet::new(),
            peers: (!spec.peers.is_empty()).then(|| spec.peers.clone()),
        },
        learner: learner.into(),
        counts: Arc::clone(counts),
        stop: Arc::clone(&stop),
    });
    let hears = |socket| {
        let backup = Arc::clone(&backup);
        thread::spawn(move || backup.run(&socket))
    };
    let threads = sockets.into_iter().map(hears).collect();
    Ok(Work { stop, threads })
}

/// One for each port.
fn sockets(
    spec: &Spec,
    open: fn(&SyncDaemon, u32, u16, Option<usize>) -> io::Result<std::net::UdpSocket>,
) -> Result<Vec<std::net::UdpSocket>, String> {
    let daemon = &spec.daemon;
    let Some(index) = spec.index else {
        return Err(no_interface(&daemon.interface).message);
    };
    let sockets = (0..spec.ports).map(|port| open(daemon, index, port, spec.buffer));
    let opened: io::Result<Vec<_>> = sockets.collect();
    opened.map_err(|error| {
        let (interface, group) = (&daemon.interface, daemon.group());
        format!("no socket for {group} on {interface}: {error}")
    })
}
