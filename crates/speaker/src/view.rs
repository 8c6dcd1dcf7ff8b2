//! What is shown of instances.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use rlvs_vrrp::{State, Version};

/// One instance at one moment.
#[derive(Clone, Debug)]
pub struct InstanceView {
    pub name: String,
    pub group: Option<String>,
    pub interface: String,
    pub version: Version,
    pub virtual_router: u8,
    pub state: State,
    pub since: SystemTime,
    /// Why it is so.
    pub why: Option<String>,
    /// The priority that counts.
    pub priority: u8,
    /// What it sends from.
    pub source: Option<IpAddr>,
    /// Who was heard last, with its priority.
    pub master: Option<(IpAddr, u8)>,
    /// Why it does not take over though there is no master.
    pub held: Option<String>,
    /// It does not take over from who it was handed to.
    pub handed_over: bool,
    pub addresses: Vec<String>,
    /// What cannot be put on this machine.
    pub problems: Vec<String>,
    pub counters: Arc<Counters>,
}

/// What is counted of an instance.
#[derive(Debug, Default)]
pub struct Counters {
    sent: AtomicU64,
    not_sent: AtomicU64,
    received: AtomicU64,
    transitions: AtomicU64,
    refused: Mutex<BTreeMap<&'static str, u64>>,
}

impl Counters {
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Those that the kernel did not take.
    pub fn not_sent(&self) -> u64 {
        self.not_sent.load(Ordering::Relaxed)
    }

    /// Also those that were refused.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    pub fn transitions(&self) -> u64 {
        self.transitions.load(Ordering::Relaxed)
    }

    /// By reason.
    pub fn refused(&self) -> BTreeMap<&'static str, u64> {
        locked(&self.refused).clone()
    }

    pub(crate) fn note_sent(&self, sent: bool) {
        let counter = if sent { &self.sent } else { &self.not_sent };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn note_received(&self) {
        self.received.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn note_transition(&self) {
        self.transitions.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn note_refused(&self, reason: &'static str) {
        *locked(&self.refused).entry(reason).or_default() += 1;
    }
}

/// What both threads show.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    instances: Mutex<Vec<InstanceView>>,
    problems: Mutex<BTreeMap<String, Vec<String>>>,
}

impl Shown {
    pub(crate) fn show(&self, instances: Vec<InstanceView>) {
        *locked(&self.instances) = instances;
    }

    /// Whether they are others than before.
    pub(crate) fn set_problems(&self, instance: &str, problems: Vec<String>) -> bool {
        let mut all = locked(&self.problems);
        let is_same = all
            .get(instance)
            .map_or(problems.is_empty(), |it| *it == problems);
        match problems.is_empty() {
            true => drop(all.remove(instance)),
            false => drop(all.insert(instance.to_owned(), problems)),
        }
        !is_same
    }

    pub(crate) fn view(&self) -> Vec<InstanceView> {
        let mut instances = locked(&self.instances).clone();
        let problems = locked(&self.problems);
        for instance in &mut instances {
            instance.problems = problems.get(&instance.name).cloned().unwrap_or_default();
        }
        instances
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
