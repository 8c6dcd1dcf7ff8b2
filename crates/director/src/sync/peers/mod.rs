//! Synchronisation between directors of rlvs: each tells each other, by a connection of its own, all that
//! it has when they meet, and then what changes; see `channel` for who may, and what others see of it.
//!
//! What is told has the time of its last packet, so the later news counts on both sides, and a director
//! that was away gets back what went on without it. All may balance at the same time.

mod channel;
mod push;
mod receive;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rlvs_control::event::SyncChange;
use rlvs_control::sync::PeerState;
use rlvs_plane::Store;

use super::counts::{Count, Counts};
use super::herald::Herald;
use super::memory::Memory;
use super::teller::Manner;
use super::{Work, buckets};
use channel::Secret;
use push::Push;
use receive::Receive;

/// A director is not kept waiting any longer by a peer that is not there.
const WAITED_FOR: Duration = Duration::from_secs(10);

/// What is to be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct PeersSpec {
    pub(super) own: SocketAddr,
    pub(super) peers: BTreeSet<SocketAddr>,
    pub(super) secret: PathBuf,
    pub(super) manner: Manner,
    pub(super) rate: u32,
}

/// One that this director speaks with.
#[derive(Debug)]
pub(super) struct Peer {
    address: SocketAddr,
    /// What it knows.
    memory: Arc<Memory>,
    /// Of what it tells, and of what it cannot be told.
    counts: Arc<Counts>,
    told: Count,
    /// It has told all it had, in the connection that there is.
    caught_up: AtomicBool,
    ever_caught_up: AtomicBool,
    /// Counts connections of it: the last one is heard.
    turns: AtomicU64,
    /// As many are held as there are connections of it.
    attendance: Arc<()>,
    problem: Mutex<Option<String>>,
    herald: Arc<Herald>,
}

/// They run.
#[derive(Debug)]
pub(super) struct Peers {
    pub(super) spec: PeersSpec,
    peers: Vec<Arc<Peer>>,
    since: Instant,
    work: Result<Work, String>,
}

impl Peers {
    pub(super) fn start<T: Store + Send + Sync + 'static>(
        tables: &Arc<T>,
        (changes, herald): (&Arc<AtomicU64>, &Arc<Herald>),
        spec: &PeersSpec,
        before: Option<Self>,
    ) -> Self {
        let known = before.filter(|it| it.spec == *spec);
        let peers = match &known {
            Some(known) => known.peers.clone(),
            None => {
                let buckets = buckets(&**tables);
                let peer = |address: &SocketAddr| Arc::new(Peer::new(*address, buckets, herald));
                spec.peers.iter().map(peer).collect()
            }
        };
        let work = run(tables, (changes, herald), spec, &peers);
        match (&work, known.as_ref().and_then(|it| it.work.as_ref().err())) {
            (Ok(_), _) => {
                tracing::info!(listen = %spec.own, "connections are synchronised with peers");
            }
            (Err(error), before) if before != Some(error) => {
                tracing::warn!(error, "connections cannot be synchronised with peers");
            }
            _ => {}
        }
        Self {
            spec: spec.clone(),
            peers,
            since: known.map_or_else(Instant::now, |it| it.since),
            work,
        }
    }

    pub(super) fn works(&self) -> bool {
        self.work.is_ok()
    }

    /// All that peers had was told, or they are not there.
    pub(super) fn have_told(&self) -> bool {
        let has_told = |it: &Arc<Peer>| it.ever_caught_up.load(Ordering::Relaxed);
        self.since.elapsed() >= WAITED_FOR || self.peers.iter().all(has_told)
    }

    pub(super) fn state(&self) -> Vec<PeerState> {
        let problem = self.work.as_ref().err();
        let state = |peer: &Arc<Peer>| PeerState {
            problem: problem.cloned().or_else(|| peer.problem().clone()),
            ..peer.state()
        };
        self.peers.iter().map(state).collect()
    }
}

impl Peer {
    fn new(address: SocketAddr, buckets: [u32; 2], herald: &Arc<Herald>) -> Self {
        let problem = "not met yet".to_owned();
        Self {
            address,
            memory: Arc::new(Memory::new(buckets)),
            counts: Arc::new(Counts::told_by(herald, address)),
            told: Count::default(),
            caught_up: AtomicBool::new(false),
            ever_caught_up: AtomicBool::new(false),
            turns: AtomicU64::new(0),
            attendance: Arc::default(),
            problem: Mutex::new(Some(problem)),
            herald: Arc::clone(herald),
        }
    }

    fn problem(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_problem(&self, problem: Option<String>) {
        let mut known = self.problem();
        if *known != problem {
            let peer = self.address;
            match &problem {
                Some(problem) => tracing::warn!(%peer, problem, "the peer is not told connections"),
                None => tracing::info!(%peer, "the peer is told connections"),
            }
            let what = match problem.clone() {
                Some(problem) => SyncChange::SyncLeft { problem },
                None => SyncChange::SyncJoined,
            };
            self.herald.tell(peer, what);
            *known = problem;
        }
    }

    /// It has told all it had.
    fn note_caught_up(&self) {
        self.caught_up.store(true, Ordering::Relaxed);
        self.ever_caught_up.store(true, Ordering::Relaxed);
        self.herald.tell(self.address, SyncChange::SyncCaughtUp);
    }

    fn state(&self) -> PeerState {
        PeerState {
            address: self.address,
            problem: None,
            caught_up: self.caught_up.load(Ordering::Relaxed),
            told: self.told.get(),
            taken: self.counts.records.get(),
            waiting: self.counts.waiting.get(),
            dropped: self.counts.dropped(),
        }
    }
}

fn run<T: Store + Send + Sync + 'static>(
    tables: &Arc<T>,
    (changes, herald): (&Arc<AtomicU64>, &Arc<Herald>),
    spec: &PeersSpec,
    peers: &[Arc<Peer>],
) -> Result<Work, String> {
    let secret = Secret::read(&spec.secret)?;
    let listener =
        receive::listen(spec.own).map_err(|error| format!("no socket at {}: {error}", spec.own))?;
    let stop = Arc::new(AtomicBool::new(false));
    let receive = Arc::new(Receive {
        tables: Arc::clone(tables),
        peers: peers.to_vec(),
        secret: secret.clone(),
        changes: Arc::clone(changes),
        herald: Arc::clone(herald),
        stop: Arc::clone(&stop),
    });
    let mut threads = vec![thread::spawn(move || receive.run(&listener))];
    for peer in peers {
        let push = Push {
            tables: Arc::clone(tables),
            peer: Arc::clone(peer),
            own: spec.own.ip(),
            secret: secret.clone(),
            manner: spec.manner.clone(),
            rate: spec.rate,
            stop: Arc::clone(&stop),
        };
        threads.push(thread::spawn(move || push.run()));
    }
    Ok(Work { stop, threads })
}
