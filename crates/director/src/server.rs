//! The API's server: HTTP/1.1 on the abstract unix socket of the network namespace, and over TCP.
//!
//! * [`handle`]: the way to the daemon's core
//! * [`access`]: who may speak
//! * [`role`]: what they may do
//! * `routes`: what is answered; `table`: how routes are made, guarded and described
//! * `answer`: requests' bodies, and refusals
//! * `doors`: addresses over TCP; `gate`: who comes by them; `strangers`: who has not said yet who
//!   it is; [`tokens`] and `tls`
//! * `scrape`: numbers for Prometheus
//! * `openapi`: the description of it all
//! * `listing`: long answers as a stream
//!
//! Anyone in the namespace can connect to an abstract socket, so the peer's credentials are
//! looked at before a byte is read. Those who may not speak get a short refusal, and only so many
//! of them at a time: they cannot use up the daemon's file descriptors.

pub mod access;
mod answer;
pub(crate) mod doors;
mod gate;
pub mod handle;
mod listing;
mod openapi;
pub mod role;
mod routes;
mod scrape;
mod strangers;
mod table;
mod tls;
pub mod tokens;

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

pub use access::Access;
pub use handle::{ConnectionSource, Handle, Reply, Request};
pub use openapi::text as openapi;
pub use role::Role;

/// How long open requests may take to end when the server stops.
const GRACE: Duration = Duration::from_secs(2);
/// How long to wait after a failed accept (no free file descriptor, as a rule).
const PAUSE: Duration = Duration::from_millis(100);
/// How long a peer may take to send a request's head.
const HEAD: Duration = Duration::from_secs(10);
/// How long a refused peer is listened to.
const REFUSAL: Duration = Duration::from_secs(5);
/// How many peers that are not known to be welcome are served at a time.
const STRANGERS: usize = 32;

/// The socket, taken but not served yet.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
}

/// Why the socket cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "a director runs in this network namespace already (the socket @{name} is taken): \
         `rlvs stop` ends it"
    )]
    Taken { name: String },
    #[error("cannot listen on the socket @{name}: {source}")]
    Bind { name: String, source: io::Error },
    #[error("cannot serve the control socket: {0}")]
    Serve(#[from] io::Error),
}

impl Server {
    /// Takes the abstract socket `name`, which only one director in a namespace can have.
    ///
    /// Clients that connect from now on wait until [`Server::serve`].
    pub fn bind(name: &str) -> Result<Self, Error> {
        let listener = SocketAddr::from_abstract_name(name)
            .and_then(|address| UnixListener::bind_addr(&address))
            .map_err(|error| bind_error(name, error))?;
        Ok(Self { listener })
    }

    /// The name stays taken for as long as this is there, though nobody is answered any more.
    pub fn hold(&self) -> Result<UnixListener, Error> {
        Ok(self.listener.try_clone()?)
    }

    /// Serves until `shutdown`, then lets open requests end for a moment.
    pub async fn serve(
        self,
        access: Access,
        handle: Handle,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), Error> {
        self.listener.set_nonblocking(true)?;
        let listener = tokio::net::UnixListener::from_std(self.listener)?;
        let door = Door::new(access, handle);
        let connections = GracefulShutdown::new();
        let mut shutdown = pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => door.admit(stream, connections.watcher()),
                    Err(error) => pause(&error).await,
                },
            }
        }
        let _ = timeout(GRACE, connections.shutdown()).await;
        Ok(())
    }
}

/// Lets peers in or sends them away.
struct Door {
    access: Access,
    router: axum::Router,
    strangers: Arc<Semaphore>,
}

impl Door {
    fn new(access: Access, handle: Handle) -> Self {
        Self {
            access,
            router: routes::router(handle),
            strangers: Arc::new(Semaphore::new(STRANGERS)),
        }
    }

    fn admit(&self, stream: UnixStream, watcher: Watcher) {
        let Ok(peer) = stream.peer_cred() else { return };
        let (uid, gid) = (peer.uid(), peer.gid());
        if self.access.allows_user(uid) {
            let router = as_role(self.router.clone(), Role::Admin);
            tokio::spawn(converse(stream, router, watcher));
            return;
        }
        let Ok(permit) = Arc::clone(&self.strangers).try_acquire_owned() else {
            return;
        };
        let access = self.access.clone();
        let router = as_role(self.router.clone(), Role::Member);
        tokio::spawn(async move {
            if access.allows_member(uid, gid).await {
                drop(permit);
                converse(stream, router, watcher).await;
            } else {
                let refusal = converse(stream, routes::refusal(), watcher);
                let _ = timeout(REFUSAL, refusal).await;
            }
        });
    }
}

/// The same for who has a role.
fn as_role(router: axum::Router, role: Role) -> axum::Router {
    router.layer(axum::Extension(role))
}

/// Serves one connection to its end; how it ended is the peer's affair.
async fn converse(stream: UnixStream, router: axum::Router, watcher: Watcher) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "control connection");
    }
}

async fn pause(error: &io::Error) {
    tracing::warn!(%error, "cannot accept a control connection");
    sleep(PAUSE).await;
}

fn bind_error(name: &str, source: io::Error) -> Error {
    let name = name.to_owned();
    match source.kind() {
        io::ErrorKind::AddrInUse => Error::Taken { name },
        _ => Error::Bind { name, source },
    }
}
