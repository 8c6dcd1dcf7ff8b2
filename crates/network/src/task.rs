//! Carries messages between the kernel, the follower and the reader of events.

use std::collections::{HashSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use futures::StreamExt;
use rustix::io::Errno;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::Event;
use crate::care::Action;
use crate::change::{self, Change};
use crate::features;
use crate::follower::Follower;
use crate::kernel::{Kernel, News};

/// How long after the first of some changes they are looked at together.
const DEBOUNCE: Duration = Duration::from_millis(20);
/// How often everything is read anew.
const RESYNC: Duration = Duration::from_secs(10);
/// How soon reading anew is tried again where it failed.
const RETRY: Duration = Duration::from_secs(1);
/// Look-ups between two looks at the news.
const CHUNK: usize = 2048;
/// News taken in at once.
const BATCH: usize = 4096;

/// Runs until the [`crate::Network`] is released or dropped, or the reader is gone.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) kernel: Kernel,
    pub(crate) news: News,
    pub(crate) addresses: watch::Receiver<HashSet<IpAddr>>,
    pub(crate) release: oneshot::Receiver<oneshot::Sender<()>>,
    pub(crate) events: mpsc::Sender<Event>,
}

impl Task {
    pub(crate) async fn run(mut self) {
        let now = Instant::now();
        let mut work = Work {
            follower: Follower::new(now),
            outbox: VecDeque::new(),
            due: now,
            resync: now,
            links_moved: false,
        };
        loop {
            tokio::select! {
                asked = &mut self.release => return leave(&self.kernel, &work.follower, asked.ok()).await,
                Ok(()) = self.addresses.changed() => {
                    work.follower.watch(&self.addresses.borrow_and_update());
                    work.soon();
                }
                news = self.news.next() => match news {
                    Some((message, _)) => work.take_in(change::read(&message), &mut self.news),
                    None => return tracing::error!("the netlink socket is gone"),
                },
                permit = self.events.reserve(), if !work.outbox.is_empty() => {
                    let (Ok(permit), Some(event)) = (permit, work.outbox.pop_front()) else {
                        return;
                    };
                    permit.send(event);
                }
                () = tokio::time::sleep_until(work.due), if work.outbox.is_empty() => {
                    work.turn(&self.kernel).await;
                }
            }
        }
    }
}

/// Hands the neighbours back, if that was asked for.
async fn leave(kernel: &Kernel, follower: &Follower, done: Option<oneshot::Sender<()>>) {
    let Some(done) = done else { return };
    for (action, outcome) in kernel.act(follower.ours()).await {
        if let Err(error) = outcome {
            tracing::debug!("{action:?}: {error}");
        }
    }
    // Who asked may have gone away meanwhile.
    let _ = done.send(());
}

struct Work {
    follower: Follower,
    /// Events that the reader has no room for yet; no turn while there are any.
    outbox: VecDeque<Event>,
    /// The next turn.
    due: Instant,
    resync: Instant,
    /// Links have changed since features were read.
    links_moved: bool,
}

impl Work {
    /// Takes in one piece of news, and what else has come by now.
    fn take_in(&mut self, first: Option<Change>, news: &mut News) {
        let more = std::iter::from_fn(|| news.try_recv().ok()).take(BATCH);
        let more = more.map(|(message, _)| change::read(&message));
        for change in std::iter::once(first).chain(more).flatten() {
            if change == Change::Lost {
                self.resync = Instant::now();
            }
            // A change of features is told as one of the link, without saying what it is.
            self.links_moved |= matches!(change, Change::Link(_));
            self.follower.apply(change);
            self.soon();
        }
    }

    fn soon(&mut self) {
        self.due = self.due.min(Instant::now() + DEBOUNCE);
    }

    async fn turn(&mut self, kernel: &Kernel) {
        if Instant::now() >= self.resync {
            self.resync(kernel).await;
        }
        if std::mem::take(&mut self.links_moved) {
            self.follower.featured(features::read().await);
        }
        self.look_up(kernel).await;
        self.tend(kernel).await;
        self.outbox = self.follower.report().into();
        let now = Instant::now();
        self.due = self
            .follower
            .due(now)
            .map_or(self.resync, |due| due.min(self.resync));
    }

    async fn resync(&mut self, kernel: &Kernel) {
        let (links, neighbours) = (kernel.links().await, kernel.neighbours().await);
        let now = Instant::now();
        match (links, neighbours) {
            (Ok(links), Ok(neighbours)) => {
                self.follower.resync(links, neighbours);
                self.links_moved = true;
                self.resync = now + RESYNC;
            }
            (Err(error), _) | (_, Err(error)) => {
                tracing::warn!("cannot read links and neighbours: {error}; trying again");
                self.resync = now + RETRY;
            }
        }
    }

    async fn look_up(&mut self, kernel: &Kernel) {
        let addresses = self.follower.take_unrouted(Instant::now(), CHUNK);
        for (address, route) in kernel.routes(addresses).await {
            self.follower.routed(address, route, Instant::now());
        }
    }

    async fn tend(&mut self, kernel: &Kernel) {
        for (action, outcome) in kernel.act(self.follower.tend(Instant::now())).await {
            match (action, outcome) {
                (Action::Manage(key), outcome) => {
                    self.follower
                        .managed(key, outcome.map_err(|error| error.to_string()));
                }
                // The entry went away, or lost its address, in the meantime.
                (_, Ok(()) | Err(Errno::NOENT | Errno::INVAL)) => {}
                (action, Err(error)) => tracing::debug!("{action:?}: {error}"),
            }
        }
    }
}
