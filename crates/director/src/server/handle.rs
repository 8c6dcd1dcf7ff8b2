//! The server's way to the daemon's core: a queue of requests, each with a slot for its answer.
//!
//! The core works them off one after another and so is the only writer of all state. The
//! connections do not go that way: they are read from the shared table itself, beside the core.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rlvs_control::drain::Drains;
use rlvs_control::event::Event;
use rlvs_control::handover::{HandedOver, Handover};
use rlvs_control::site::{Applied, Plan, Site};
use rlvs_control::status::Status;
use rlvs_control::stop::{Stop, Stopping};
use rlvs_control::{
    Code, ConnectionEntry, Error, Made, Overall, Services, Synchronisation, Timeouts, Transaction,
    sysctl,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast, mpsc, oneshot};

use super::gate::Refused;
use crate::metrics::{Figures, Outside};
use crate::news::News;

/// How many requests may wait; further clients wait with theirs.
const QUEUE: usize = 64;
/// How many are told all numbers at a time.
const TURNS: usize = 2;

/// What a client asks of the core.
#[derive(Debug)]
pub enum Request {
    Apply(Transaction, Reply<Made>),
    ApplySite(Site, Reply<Plan>),
    Plan(Site, Reply<Plan>),
    Site(Reply<Applied>),
    Drains(Reply<Drains>),
    Figures(Reply<Box<Figures>>),
    HandOver(Handover, Reply<HandedOver>),
    Overall(Reply<Overall>),
    Services(Reply<Services>),
    Status(Reply<Status>),
    Stop(Stop, Reply<Stopping>),
    Synchronisation(Reply<Synchronisation>),
    Sysctls(Reply<Vec<sysctl::Value>>),
    Timeouts(Reply<Timeouts>),
}

/// The place for one answer.
#[derive(Debug)]
pub struct Reply<T>(oneshot::Sender<Result<T, Error>>);

/// Where live connections are listed from.
pub trait ConnectionSource {
    /// Hands every live connection to `each`; stops when it answers false.
    ///
    /// `each` blocks for as long as the reader is slow, so no lock may be held across it.
    fn visit(&self, each: &mut dyn FnMut(ConnectionEntry) -> bool);
}

/// The server's end.
#[derive(Clone)]
pub struct Handle {
    requests: mpsc::Sender<Request>,
    connections: Arc<dyn ConnectionSource + Send + Sync>,
    news: News,
    shared: Arc<Shared>,
}

/// What all who have a handle share.
#[derive(Debug)]
struct Shared {
    refused: Refused,
    with_destinations: AtomicBool,
    /// Numbers are told to so many at a time.
    turns: Arc<Semaphore>,
}

impl Handle {
    /// The handle and the core's end of its queue.
    pub fn new(
        connections: Arc<dyn ConnectionSource + Send + Sync>,
        news: News,
    ) -> (Self, mpsc::Receiver<Request>) {
        let (requests, queue) = mpsc::channel(QUEUE);
        (
            Self {
                requests,
                connections,
                news,
                shared: Arc::new(Shared {
                    refused: Refused::default(),
                    with_destinations: AtomicBool::new(true),
                    turns: Arc::new(Semaphore::new(TURNS)),
                }),
            },
            queue,
        )
    }

    pub async fn apply(&self, transaction: Transaction) -> Result<Made, Error> {
        self.ask(|reply| Request::Apply(transaction, reply)).await
    }

    pub async fn apply_site(&self, site: Site) -> Result<Plan, Error> {
        self.ask(|reply| Request::ApplySite(site, reply)).await
    }

    pub async fn stop(&self, stop: Stop) -> Result<Stopping, Error> {
        self.ask(|reply| Request::Stop(stop, reply)).await
    }

    pub async fn hand_over(&self, of: Handover) -> Result<HandedOver, Error> {
        self.ask(|reply| Request::HandOver(of, reply)).await
    }

    pub async fn plan(&self, site: Site) -> Result<Plan, Error> {
        self.ask(|reply| Request::Plan(site, reply)).await
    }

    pub async fn site(&self) -> Result<Applied, Error> {
        self.ask(Request::Site).await
    }

    pub async fn drains(&self) -> Result<Drains, Error> {
        self.ask(Request::Drains).await
    }

    /// What metrics are made of.
    pub(super) async fn figures(&self) -> Result<Box<Figures>, Error> {
        self.ask(Request::Figures).await
    }

    /// The rest of them.
    pub(super) fn outside(&self) -> Outside {
        let Shared {
            refused,
            with_destinations,
            ..
        } = &*self.shared;
        Outside {
            with_destinations: with_destinations.load(Ordering::Relaxed),
            refused: refused.counts(),
        }
    }

    pub(super) fn show_destinations(&self, shown: bool) {
        let flag = &self.shared.with_destinations;
        flag.store(shown, Ordering::Relaxed);
    }

    pub(super) fn refused(&self) -> &Refused {
        &self.shared.refused
    }

    /// Waits until it is one's turn to be told all numbers.
    pub(super) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        let turns = Arc::clone(&self.shared.turns);
        turns.acquire_owned().await.ok()
    }

    /// Where what happens is told.
    pub(crate) fn news(&self) -> &News {
        &self.news
    }

    pub async fn overall(&self) -> Result<Overall, Error> {
        self.ask(Request::Overall).await
    }

    pub async fn services(&self) -> Result<Services, Error> {
        self.ask(Request::Services).await
    }

    pub async fn status(&self) -> Result<Status, Error> {
        self.ask(Request::Status).await
    }

    pub async fn synchronisation(&self) -> Result<Synchronisation, Error> {
        self.ask(Request::Synchronisation).await
    }

    pub async fn sysctls(&self) -> Result<Vec<sysctl::Value>, Error> {
        self.ask(Request::Sysctls).await
    }

    pub async fn timeouts(&self) -> Result<Timeouts, Error> {
        self.ask(Request::Timeouts).await
    }

    pub(super) fn connections(&self) -> Arc<dyn ConnectionSource + Send + Sync> {
        Arc::clone(&self.connections)
    }

    /// What happens from now on.
    pub(super) fn events(&self) -> broadcast::Receiver<Event> {
        self.news.listen()
    }

    async fn ask<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, Error> {
        let (sender, answer) = oneshot::channel();
        self.requests
            .send(request(Reply(sender)))
            .await
            .map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())?
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("requests", &self.requests)
            .finish_non_exhaustive()
    }
}

impl<T> Reply<T> {
    /// Answers; a client that is gone meanwhile does not matter.
    pub fn send(self, answer: Result<T, Error>) {
        let _ = self.0.send(answer);
    }
}

fn stopping() -> Error {
    Error::new(
        Code::NotRunning,
        "The director is stopping; `rlvs run` starts it again",
    )
}
