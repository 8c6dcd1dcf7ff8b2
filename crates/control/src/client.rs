//! The blocking client.
//!
//! Every request has a connection of its own, so a client outlives a restart of the director. All
//! of it runs on the caller's thread: programs like `ipvsadm` need neither a runtime of their own
//! nor threads.

mod answer;
mod exchange;
mod lines;
mod remote;

use hyper::Method;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Request, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::{Builder, Runtime};

use crate::drain::Drains;
use crate::endpoint::{
    CONNECTIONS, DRAINS, EVENTS, HANDOVER, OVERALL, PLAN, PRODUCT, REQUEST_LIMIT, SERVICES, SITE,
    STATUS, STOP, SYNCHRONISATION, SYSCTLS, TIMEOUTS, TRANSACTION, VERSION, Version,
};
use crate::event::Event;
use crate::handover::{HandedOver, Handover};
use crate::site::{Applied, Plan, Site};
use crate::stop::{Stop, Stopping};
use crate::{
    Code, ConnectionEntry, Director, Error, Overall, SOCKET, Services, Status, Synchronisation,
    Timeouts, Transaction, sysctl,
};

use exchange::Stream;
pub use remote::Remote;

/// The way to a director: of this network namespace, unless another is named.
///
/// Not to be used inside an asynchronous runtime.
#[derive(Debug)]
pub struct Client {
    runtime: Runtime,
    way: Way,
}

#[derive(Debug)]
enum Way {
    /// The abstract socket of this name.
    Socket(String),
    Remote(Remote),
}

impl Client {
    /// To the director of the calling thread's network namespace.
    ///
    /// Nothing is sent yet: whether a director runs shows with the first request.
    pub fn connect() -> Result<Self, Error> {
        Self::connect_to(SOCKET)
    }

    /// To the director that listens on the abstract socket `name`.
    pub fn connect_to(name: &str) -> Result<Self, Error> {
        Self::by(Way::Socket(name.to_owned()))
    }

    /// To a director elsewhere.
    pub fn remote(remote: Remote) -> Result<Self, Error> {
        Self::by(Way::Remote(remote))
    }

    fn by(way: Way) -> Result<Self, Error> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::new(Code::Internal, format!("Cannot wait for I/O: {error}")))?;
        Ok(Self { runtime, way })
    }

    /// How the director fares.
    pub fn status(&mut self) -> Result<Status, Error> {
        self.get(STATUS)
    }

    /// Destinations that are being drained.
    pub fn drains(&mut self) -> Result<Drains, Error> {
        self.get(DRAINS)
    }

    /// What happens from now on, for as long as `each` wants more.
    pub fn events(&mut self, each: &mut dyn FnMut(Event) -> bool) -> Result<(), Error> {
        self.exchange(get(EVENTS), async |response| {
            answer::events(response, each).await
        })
    }

    /// The site that was applied last.
    pub fn site(&mut self) -> Result<Applied, Error> {
        self.get(SITE)
    }

    /// What applying a site would change.
    pub fn plan(&mut self, site: &Site) -> Result<Plan, Error> {
        self.exchange(send(Method::POST, PLAN, site)?, answer::value)
    }

    /// Makes the director's services those of a site; what that changed.
    pub fn apply_site(&mut self, site: &Site) -> Result<Plan, Error> {
        self.exchange(send(Method::PUT, SITE, site)?, answer::value)
    }

    /// Ends the daemon; what becomes of forwarding.
    pub fn stop(&mut self, stop: &Stop) -> Result<Stopping, Error> {
        self.exchange(send(Method::POST, STOP, stop)?, answer::value)
    }

    /// Lets another director be master; answers when it is.
    pub fn hand_over(&mut self, of: &Handover) -> Result<HandedOver, Error> {
        self.exchange(send(Method::POST, HANDOVER, of)?, answer::value)
    }

    /// Which director it is.
    pub fn version(&mut self) -> Result<Version, Error> {
        self.get(VERSION)
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        self.exchange(get(path), answer::value)
    }

    /// Sends `request` and lets `read` make something of the answer.
    fn exchange<T>(
        &self,
        mut request: Request<Bytes>,
        read: impl AsyncFnOnce(Response<Incoming>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.runtime.block_on(async {
            let stream: Box<dyn Stream> = match &self.way {
                Way::Socket(name) => Box::new(exchange::connect(name).await?),
                Way::Remote(remote) => {
                    remote.sign(request.headers_mut());
                    remote.connect().await?
                }
            };
            exchange::converse(stream, request, read).await
        })
    }
}

impl Director for Client {
    fn apply(&mut self, transaction: &Transaction) -> Result<(), Error> {
        self.exchange(
            send(Method::POST, TRANSACTION, transaction)?,
            answer::nothing,
        )
    }

    fn services(&mut self) -> Result<Services, Error> {
        self.get(SERVICES)
    }

    fn overall(&mut self) -> Result<Overall, Error> {
        self.get(OVERALL)
    }

    fn connections(&mut self, each: &mut dyn FnMut(ConnectionEntry) -> bool) -> Result<(), Error> {
        self.exchange(get(CONNECTIONS), async |response| {
            answer::entries(response, each).await
        })
    }

    fn timeouts(&mut self) -> Result<Timeouts, Error> {
        self.get(TIMEOUTS)
    }

    fn sysctls(&mut self) -> Result<Vec<sysctl::Value>, Error> {
        self.get(SYSCTLS)
    }

    fn synchronisation(&mut self) -> Result<Synchronisation, Error> {
        self.get(SYNCHRONISATION)
    }
}

fn get(path: &str) -> Request<Bytes> {
    request(Method::GET, path, Bytes::new())
}

fn send(method: Method, path: &str, value: &impl Serialize) -> Result<Request<Bytes>, Error> {
    let body = serde_json::to_vec(value).map_err(|error| {
        Error::new(Code::Internal, format!("Cannot write the request: {error}"))
    })?;
    if body.len() > REQUEST_LIMIT {
        return Err(too_large(body.len()));
    }
    Ok(request(method, path, body.into()))
}

fn request(method: Method, path: &str, body: Bytes) -> Request<Bytes> {
    Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, SOCKET)
        .header(USER_AGENT, PRODUCT)
        .header(CONTENT_TYPE, "application/json")
        .body(body)
        .expect("constant paths and headers are well-formed")
}

fn too_large(length: usize) -> Error {
    let (length, limit) = (length.div_ceil(1 << 20), REQUEST_LIMIT >> 20);
    let message = format!(
        "The changes have {length} MiB, a director takes {limit} MiB at a time: make them in parts"
    );
    Error::new(Code::Range, message)
}
