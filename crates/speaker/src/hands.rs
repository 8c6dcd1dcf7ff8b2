//! The thread that does what takes time: what machines say is put on this machine, told to
//! neighbours and written down; what they track is watched.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rlvs_host::Error;
use rlvs_host::store::Store;
use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::links::{self, Interfaces};
use crate::note::{Note, Remembered};
use crate::place::Placer;
use crate::plan::{Placement, Plan};
use crate::speaker::Told;
use crate::tell::Teller;
use crate::view::Shown;
use crate::watch::{Readings, Watching};

/// How often it is looked whether what masters have is still there.
const PERIOD: Duration = Duration::from_secs(2);

/// Something to do; in this order.
#[derive(Debug)]
pub(crate) enum Job {
    /// Watch what this tracks.
    Follow(Arc<Plan>),
    Acquire(String, Arc<Placement>),
    Release(String),
    Announce(String, Arc<Placement>, u32),
    Remember(String, Remembered),
    /// The instance is no more.
    Forget(String),
    /// All before this has been done.
    Done(oneshot::Sender<()>),
}

/// What it needs.
pub(crate) struct Outfit {
    pub(crate) store: Store<Note>,
    pub(crate) note: Note,
    pub(crate) shown: Arc<Shown>,
    pub(crate) told: mpsc::Sender<Told>,
    pub(crate) readings: Readings,
}

/// Starts the thread, which ends when the sender is dropped.
pub(crate) fn start(
    outfit: Outfit,
) -> io::Result<(UnboundedSender<Job>, watch::Receiver<Interfaces>)> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let (jobs, inbox) = unbounded_channel();
    let (sender, interfaces) = watch::channel(None);
    let seen = interfaces.clone();
    thread::Builder::new()
        .name("vrrp-hands".into())
        .spawn(move || {
            runtime.block_on(async {
                let links = tokio::spawn(links::follow(sender));
                Hands::new(outfit, seen).work(inbox).await;
                links.abort();
            });
            runtime.shutdown_background();
        })?;
    Ok((jobs, interfaces))
}

struct Hands {
    placer: Placer,
    teller: Teller,
    watching: Watching,
    interfaces: watch::Receiver<Interfaces>,
    /// Instances that an earlier daemon has put something here for.
    left: Vec<String>,
    shown: Arc<Shown>,
    told: mpsc::Sender<Told>,
    readings: Readings,
}

impl Hands {
    fn new(outfit: Outfit, interfaces: watch::Receiver<Interfaces>) -> Self {
        let put = outfit.note.put.iter().map(|put| put.instance.clone());
        let remembered = outfit.note.remembered.keys().cloned();
        let mut left: Vec<_> = put.chain(remembered).collect();
        left.sort();
        left.dedup();
        Self {
            placer: Placer::new(outfit.store, outfit.note),
            teller: Teller::default(),
            watching: Watching::default(),
            interfaces,
            left,
            shown: outfit.shown,
            told: outfit.told,
            readings: outfit.readings,
        }
    }

    async fn work(mut self, mut jobs: UnboundedReceiver<Job>) {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let due = self.teller.due();
            tokio::select! {
                biased;
                job = jobs.recv() => match job {
                    Some(job) => self.carry_out(job).await,
                    None => return,
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    let interfaces = self.now();
                    self.teller.work(&interfaces);
                }
                Ok(()) = self.interfaces.changed() => {
                    // Routes go with interfaces.
                    self.placer.doubt();
                    self.again().await;
                }
                _ = ticks.tick() => self.again().await,
            }
        }
    }

    async fn carry_out(&mut self, job: Job) {
        match job {
            Job::Follow(plan) => self.follow(&plan).await,
            Job::Acquire(instance, placement) => {
                let problems = self.placer.acquire(&instance, &placement).await;
                self.say(&instance, problems);
                let _ = self.told.try_send(Told::Placed);
            }
            Job::Release(instance) => self.release(&instance).await,
            Job::Announce(instance, placement, times) => {
                let interfaces = self.now();
                self.teller.add(&instance, &placement, times, &interfaces);
            }
            Job::Remember(instance, remembered) => {
                warn(self.placer.remember(&instance, remembered));
            }
            Job::Forget(instance) => {
                self.teller.forget(&instance);
                warn(self.placer.remove(&instance).await);
                warn(self.placer.forget(&instance));
            }
            Job::Done(reply) => drop(reply.send(())),
        }
    }

    async fn follow(&mut self, plan: &Plan) {
        self.watching.follow(&plan.watches, &self.readings);
        let interfaces = self.now();
        self.teller.follow(&plan.paces, &interfaces);
        for instance in &plan.instances {
            if let Some(vmac) = &instance.vmac {
                let made = self.placer.make(&instance.name, vmac).await;
                let problem = made.err().map(|error| error.to_string());
                self.say(&instance.name, problem.into_iter().collect());
            }
        }
        let is_gone = |name: &String| plan.instances.iter().all(|it| it.name != *name);
        for instance in core::mem::take(&mut self.left) {
            if is_gone(&instance) {
                warn(self.placer.remove(&instance).await);
                warn(self.placer.forget(&instance));
            }
        }
    }

    async fn release(&mut self, instance: &str) {
        self.teller.forget(instance);
        let outcome = self.placer.release(instance).await;
        let problem = outcome.err().map(|error| error.to_string());
        self.say(instance, problem.into_iter().collect());
        let _ = self.told.try_send(Told::Placed);
    }

    async fn again(&mut self) {
        for (instance, problems) in self.placer.again().await {
            self.say(&instance, problems);
        }
    }

    /// Each problem once, until it is over.
    fn say(&self, instance: &str, problems: Vec<String>) {
        let text = problems.join("; ");
        if self.shown.set_problems(instance, problems) && !text.is_empty() {
            tracing::warn!("vrrp_instance {instance}: {text}");
        }
    }

    fn now(&self) -> Arc<Vec<rlvs_host::address::Interface>> {
        self.interfaces.borrow().clone().unwrap_or_default()
    }
}

fn warn(outcome: Result<(), Error>) {
    if let Err(error) = outcome {
        tracing::warn!(%error, "what was put on this machine");
    }
}
