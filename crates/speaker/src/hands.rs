//! The thread that does what takes time: what machines say is put on this machine, told to
//! neighbours and written down; what they track is watched.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rlvs_host::Error;
use rlvs_host::store::Store;
use rlvs_vrrp::Reading;
use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::closed::Served;
use crate::gone::{self, Gone};
use crate::links::{self, Interfaces};
use crate::note::{NOBODY, Note, Remembered};
use crate::place::Placer;
use crate::plan::{Placement, Plan, Subject};
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
    /// What virtual services there are.
    Serve(Vec<Served>),
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
    let (goes, gone) = unbounded_channel();
    thread::Builder::new()
        .name("vrrp-hands".into())
        .spawn(move || {
            runtime.block_on(async {
                let links = tokio::spawn(links::follow(sender, goes.clone()));
                Hands::new(outfit, seen, (goes, gone)).work(inbox).await;
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
    plan: Arc<Plan>,
    /// When masters tell of addresses again (`garp_extra_if`).
    again: BTreeMap<String, (Instant, Arc<Placement>)>,
    gone: UnboundedReceiver<Gone>,
    /// Given away when there is somebody to tell.
    goes: Option<UnboundedSender<Gone>>,
}

impl Hands {
    fn new(
        outfit: Outfit,
        interfaces: watch::Receiver<Interfaces>,
        (goes, gone): (UnboundedSender<Gone>, UnboundedReceiver<Gone>),
    ) -> Self {
        let put = outfit.note.put.iter().map(|put| put.instance.clone());
        let remembered = outfit.note.remembered.keys().cloned();
        let mut left: Vec<_> = put.chain(remembered).collect();
        left.sort();
        left.dedup();
        // What is the machine's is followed all the same.
        left.retain(|name| name != NOBODY);
        Self {
            placer: Placer::new(outfit.store, outfit.note),
            teller: Teller::default(),
            watching: Watching::default(),
            interfaces,
            left,
            shown: outfit.shown,
            told: outfit.told,
            readings: outfit.readings,
            plan: Arc::default(),
            again: BTreeMap::new(),
            gone,
            goes: Some(goes),
        }
    }

    async fn work(mut self, mut jobs: UnboundedReceiver<Job>) {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let again = self.again.values().map(|(at, _)| *at);
            let due = self.teller.due().into_iter().chain(again).min();
            tokio::select! {
                biased;
                job = jobs.recv() => match job {
                    Some(job) => self.carry_out(job).await,
                    None => return,
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    self.tell_again();
                    let interfaces = self.now();
                    self.teller.work(&interfaces);
                }
                Ok(()) = self.interfaces.changed() => {
                    // Routes go with interfaces.
                    self.placer.doubt();
                    self.again().await;
                }
                Some(gone) = self.gone.recv() => self.miss(gone).await,
                _ = ticks.tick() => self.again().await,
            }
        }
    }

    async fn carry_out(&mut self, job: Job) {
        match job {
            Job::Follow(plan) => self.follow(&plan).await,
            Job::Serve(served) => self.placer.serve(served).await,
            Job::Acquire(instance, placement) => {
                self.repeat(&instance, &placement);
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
                self.again.remove(&instance);
                warn(self.placer.remove(&instance).await);
                warn(self.placer.forget(&instance));
            }
            Job::Done(reply) => drop(reply.send(())),
        }
    }

    async fn follow(&mut self, plan: &Arc<Plan>) {
        self.plan = Arc::clone(plan);
        self.placer.followed();
        if plan.has_words()
            && let Some(goes) = self.goes.take()
        {
            tokio::spawn(gone::follow(goes));
        }
        self.watching.follow(&plan.watches, &self.readings);
        let interfaces = self.now();
        self.teller.follow(&plan.paces, &interfaces);
        for instance in &plan.instances {
            let problems = self.placer.make(instance).await;
            self.say(&instance.name, problems);
        }
        self.follow_statics(plan).await;
        let is_gone = |name: &String| plan.instances.iter().all(|it| it.name != *name);
        for instance in core::mem::take(&mut self.left) {
            if is_gone(&instance) {
                warn(self.placer.remove(&instance).await);
                warn(self.placer.forget(&instance));
            }
        }
    }

    async fn follow_statics(&mut self, plan: &Plan) {
        let statics = &plan.statics;
        if statics.routes.is_empty() && statics.rules.is_empty() {
            return warn(self.placer.release(NOBODY).await);
        }
        let problems = self.placer.acquire(NOBODY, statics).await;
        self.say(NOBODY, problems);
        self.read_statics();
    }

    /// Who watches routes and rules of the machine is told.
    fn read_statics(&self) {
        for group in &self.plan.static_groups {
            if group.routes.is_empty() && group.rules.is_empty() {
                continue;
            }
            let reading = match self.placer.has_set(group) {
                true => Reading::Up,
                false => Reading::Down,
            };
            let subject = Subject::StaticRoutes(group.name.clone());
            let _ = self.readings.send((subject, reading));
        }
    }

    /// What somebody has taken away is put back.
    async fn miss(&mut self, gone: Gone) {
        let mut is_ours = self.placer.misses(gone);
        while let Ok(more) = self.gone.try_recv() {
            is_ours |= self.placer.misses(more);
        }
        if is_ours {
            self.placer.doubt();
            self.again().await;
        }
    }

    /// From now on neighbours are told of these again and again, or not.
    fn repeat(&mut self, instance: &str, placement: &Arc<Placement>) {
        match &placement.again {
            Some(again) => {
                let at = Instant::now() + again.every;
                let one = (at, Arc::clone(placement));
                self.again.insert(instance.to_owned(), one);
            }
            None => drop(self.again.remove(instance)),
        }
    }

    fn tell_again(&mut self) {
        let (now, interfaces) = (Instant::now(), self.now());
        for (instance, (at, placement)) in &mut self.again {
            let Some(again) = placement.again.as_ref().filter(|_| *at <= now) else {
                continue;
            };
            *at = now + again.every;
            let mut some = Placement::clone(placement);
            some.addresses
                .retain(|it| again.interfaces.contains(&it.interface));
            self.teller.add(instance, &some, 1, &interfaces);
        }
    }

    async fn release(&mut self, instance: &str) {
        self.teller.forget(instance);
        self.again.remove(instance);
        let outcome = self.placer.release(instance).await;
        let problem = outcome.err().map(|error| error.to_string());
        self.say(instance, problem.into_iter().collect());
        let _ = self.told.try_send(Told::Placed);
    }

    async fn again(&mut self) {
        self.make_again().await;
        for (instance, problems) in self.placer.again().await {
            self.say(&instance, problems);
        }
        self.read_statics();
    }

    /// Interfaces of their own, and what is set on those below, go with these, and come with them.
    async fn make_again(&mut self) {
        let (plan, interfaces) = (Arc::clone(&self.plan), self.now());
        for instance in &plan.instances {
            if !self.placer.is_made(instance, &interfaces) {
                let problems = self.placer.make(instance).await;
                self.say(&instance.name, problems);
            }
        }
    }

    /// Each problem once, until it is over.
    fn say(&self, instance: &str, problems: Vec<String>) {
        let text = problems.join("; ");
        if self.shown.set_problems(instance, problems) && !text.is_empty() {
            match instance {
                NOBODY => tracing::warn!("static routes and rules: {text}"),
                instance => tracing::warn!("vrrp_instance {instance}: {text}"),
            }
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
