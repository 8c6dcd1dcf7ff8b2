//! The server's way to the daemon's core: a queue of requests, each with a slot for its answer.
//!
//! The core works them off one after another and so is the only writer of all state. The
//! connections do not go that way: they are read from the shared table itself, beside the core.

use std::fmt;
use std::sync::Arc;

use rlvs_control::drain::Drains;
use rlvs_control::event::Event;
use rlvs_control::site::{Applied, Plan, Site};
use rlvs_control::status::Status;
use rlvs_control::{
    Code, ConnectionEntry, Error, Made, Overall, Services, Timeouts, Transaction, sysctl,
};
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::news::News;

/// How many requests may wait; further clients wait with theirs.
const QUEUE: usize = 64;

/// What a client asks of the core.
#[derive(Debug)]
pub enum Request {
    Apply(Transaction, Reply<Made>),
    ApplySite(Site, Reply<Plan>),
    Plan(Site, Reply<Plan>),
    Site(Reply<Applied>),
    Drains(Reply<Drains>),
    Overall(Reply<Overall>),
    Services(Reply<Services>),
    Status(Reply<Status>),
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

    pub async fn plan(&self, site: Site) -> Result<Plan, Error> {
        self.ask(|reply| Request::Plan(site, reply)).await
    }

    pub async fn site(&self) -> Result<Applied, Error> {
        self.ask(Request::Site).await
    }

    pub async fn drains(&self) -> Result<Drains, Error> {
        self.ask(Request::Drains).await
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
