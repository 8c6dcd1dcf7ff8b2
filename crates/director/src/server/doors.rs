//! The ways in over TCP: `[api]`, with tokens and TLS, and `[metrics]`, which tells numbers alone.
//!
//! What a configuration wants is prepared first (files are read, addresses taken), so that one that
//! cannot be had changes nothing. All that comes is attended to in a thread of its own: TLS takes time,
//! and who floods a door must not keep the daemon from its work. New certificates and tokens hold from the next connection and the
//! next request; who has lost a token loses its connections.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use rlvs_config::settings::{Api, Settings};
use rlvs_control::status::{Answers, Listener};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::runtime::Handle as Runtime;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::gate::{Gate, Keys};
use super::handle::Handle;
use super::scrape::Scrapes;
use super::tokens::{self, Tokens};
use super::{pause, tls};
use crate::news::News;

#[cfg(test)]
mod tests;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;

/// What is open.
#[derive(Debug)]
pub(crate) struct Doors {
    api: HashMap<SocketAddr, Open>,
    metrics: HashMap<SocketAddr, Open>,
    gate: Arc<Gate>,
    scrapes: Arc<Scrapes>,
    runtime: Runtime,
    /// The thread ends with it.
    _stop: oneshot::Sender<()>,
}

/// What is to be opened.
#[derive(Debug)]
pub(crate) struct Prepared {
    keys: Keys,
    api: Wanted,
    metrics: Wanted,
    with_destinations: bool,
}

/// All addresses, and those of them that are not open yet.
type Wanted = (Vec<SocketAddr>, Vec<(SocketAddr, TcpListener)>);

/// Why a door cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{section} listen: {address}: {source}")]
    Listen {
        section: &'static str,
        address: SocketAddr,
        source: io::Error,
    },
    #[error("[api] tokens: {0}")]
    Tokens(#[from] tokens::Error),
    #[error("[api] certificate and key: {0}")]
    Tls(#[from] tls::Error),
}

/// An address that is listened on; no more when this is gone.
#[derive(Debug)]
struct Open(AbortHandle);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Doors {
    /// Closed ones.
    pub(crate) fn new(handle: Handle) -> io::Result<Self> {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runs = builder.enable_all().build()?;
        let runtime = runs.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let run = move || drop(runs.block_on(stopped));
        std::thread::Builder::new()
            .name("api".to_owned())
            .spawn(run)?;
        Ok(Self {
            runtime,
            _stop: stop,
            api: HashMap::new(),
            metrics: HashMap::new(),
            scrapes: Arc::new(Scrapes::new(handle.clone())),
            gate: Arc::new(Gate::new(handle)),
        })
    }

    /// Where what happens is told.
    pub(crate) fn news(&self) -> &News {
        self.gate.handle.news()
    }

    /// Where, by address.
    pub(crate) fn listening(&self) -> Vec<Listener> {
        let api = match self.gate.has_tls() {
            true => Answers::ApiOverTls,
            false => Answers::Api,
        };
        let doors = [(&self.api, api), (&self.metrics, Answers::Metrics)];
        let all = doors.into_iter().flat_map(|(open, what)| {
            let addresses = open.keys();
            addresses.map(move |&address| Listener { address, what })
        });
        let mut all: Vec<_> = all.collect();
        all.sort_by_key(|it| it.address);
        all
    }

    /// Reads and takes what `settings` need; nothing changes yet.
    pub(crate) fn prepare(&self, settings: &Settings) -> Result<Prepared, Error> {
        let Settings { api, metrics, .. } = settings;
        Ok(Prepared {
            keys: keys(api)?,
            api: listeners("[api]", &api.listen.0, &self.api)?,
            metrics: listeners("[metrics]", &metrics.listen.0, &self.metrics)?,
            with_destinations: metrics.destinations,
        })
    }

    /// Makes what was prepared so.
    pub(crate) fn take(&mut self, prepared: Prepared) {
        let Prepared {
            keys,
            api,
            metrics,
            with_destinations,
        } = prepared;
        let _inside = self.runtime.enter();
        self.gate.set_keys(keys);
        self.gate.handle.show_destinations(with_destinations);
        let gate = Arc::clone(&self.gate);
        follow("API", &mut self.api, api, move |stream, peer| {
            gate.admit(stream, peer);
        });
        let scrapes = Arc::clone(&self.scrapes);
        follow(
            "metrics",
            &mut self.metrics,
            metrics,
            move |stream, peer| {
                scrapes.admit(stream, peer);
            },
        );
    }
}

fn keys(api: &Api) -> Result<Keys, Error> {
    let tokens = api.tokens.as_deref().map(Tokens::read).transpose()?;
    let pair = api.certificate.as_deref().zip(api.key.as_deref());
    let acceptor = |(certificate, key): (&Path, &Path)| tls::acceptor(certificate, key);
    Ok(Keys {
        tls: pair.map(acceptor).transpose()?,
        tokens: tokens.unwrap_or_default(),
    })
}

fn listeners(
    section: &'static str,
    wanted: &[SocketAddr],
    open: &HashMap<SocketAddr, Open>,
) -> Result<Wanted, Error> {
    let new = wanted.iter().filter(|address| !open.contains_key(address));
    let new = new.map(|&address| match listen(address) {
        Ok(listener) => Ok((address, listener)),
        Err(source) => Err(Error::Listen {
            section,
            address,
            source,
        }),
    });
    Ok((wanted.to_vec(), new.collect::<Result<_, _>>()?))
}

/// The address need not be there yet: it may be a virtual one, which comes and goes.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM.nonblocking().cloexec(),
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    match address {
        SocketAddr::V4(_) => socket.set_freebind_v4(true)?,
        SocketAddr::V6(_) => {
            socket.set_only_v6(true)?;
            socket.set_freebind_v6(true)?;
        }
    }
    socket.bind(&SockAddr::from(address))?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Closes what is wanted no longer, and opens what is new.
fn follow(
    what: &'static str,
    open: &mut HashMap<SocketAddr, Open>,
    (wanted, new): Wanted,
    admit: impl Fn(tokio::net::TcpStream, SocketAddr) + Clone + Send + 'static,
) {
    for (address, _) in open.extract_if(|address, _| !wanted.contains(address)) {
        tracing::info!(%address, what, "listens no longer");
    }
    for (address, listener) in new {
        match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => {
                tracing::info!(%address, what, "listens");
                let task = tokio::spawn(accept(listener, admit.clone()));
                open.insert(address, Open(task.abort_handle()));
            }
            Err(error) => tracing::error!(%address, what, %error, "cannot listen"),
        }
    }
}

async fn accept(
    listener: tokio::net::TcpListener,
    admit: impl Fn(tokio::net::TcpStream, SocketAddr) + Send,
) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => admit(stream, peer),
            Err(error) => pause(&error).await,
        }
    }
}
