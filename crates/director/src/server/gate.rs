//! Who comes to the API over TCP: a stranger until a token says who it is.
//!
//! Nothing of a stranger is kept but one request's head. There are only so many of them at a time
//! (`strangers`), each for a short while, and who shows a wrong token waits for the answer. Their
//! requests' bodies are not read.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONNECTION};
use axum::http::{HeaderValue, Method, Request, Response};
use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rlvs_control::{Code, Error};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_rustls::TlsAcceptor;

use super::answer::Refusal;
use super::handle::Handle;
use super::routes;
use super::strangers::{Place, Strangers};
use super::tokens::{Entry, Tokens};

/// How many strangers there may be.
const STRANGERS: usize = 64;
/// How long one may be one.
const STRANGE: Duration = Duration::from_secs(15);
/// How long a guest may say nothing, or take to ask.
const IDLE: Duration = Duration::from_secs(90);
/// How many connections those with tokens may have.
const GUESTS: usize = 256;
/// How long a wrong token waits for its answer.
const DELAY: Duration = Duration::from_secs(1);
/// The log names those without a token no more often.
const QUIET: Duration = Duration::from_secs(10);
/// After so long in silence a peer is asked whether it is there, and given up when it does not say so.
const SILENCE: Duration = Duration::from_secs(60);
/// Bytes that a request's head may have, and that are read at a time.
const BUFFER: usize = 64 << 10;

/// What tells who somebody is, and hides what is said.
#[derive(Clone, Default)]
pub(super) struct Keys {
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) tokens: Tokens,
}

/// The way in.
pub(super) struct Gate {
    pub(super) handle: Handle,
    keys: watch::Sender<Keys>,
    router: axum::Router,
    strangers: Strangers,
    guests: Arc<Semaphore>,
    /// When the log last named somebody without a token.
    said: Mutex<Option<Instant>>,
}

/// What was refused so far.
#[derive(Debug, Default)]
pub(super) struct Refused {
    /// Requests with a wrong token, or none.
    unauthorized: AtomicU64,
    /// Strangers who had to make room.
    crowded_out: AtomicU64,
    /// Those whose TLS did not begin.
    handshakes: AtomicU64,
}

impl Refused {
    pub(super) fn counts(&self) -> [(&'static str, u64); 3] {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        [
            ("unauthorized", of(&self.unauthorized)),
            ("crowded-out", of(&self.crowded_out)),
            ("handshake", of(&self.handshakes)),
        ]
    }

    fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Who is at the other end of a connection.
struct Peer {
    address: SocketAddr,
    standing: Mutex<Standing>,
}

enum Standing {
    Stranger(#[expect(dead_code, reason = "it holds the place")] Place),
    Guest(
        Entry,
        #[expect(dead_code, reason = "it counts")] OwnedSemaphorePermit,
    ),
}

impl Gate {
    pub(super) fn new(handle: Handle) -> Self {
        Self {
            router: routes::router(handle.clone()),
            handle,
            keys: watch::Sender::new(Keys::default()),
            strangers: Strangers::new(STRANGERS),
            guests: Arc::new(Semaphore::new(GUESTS)),
            said: Mutex::default(),
        }
    }

    pub(super) fn set_keys(&self, keys: Keys) {
        self.keys.send_replace(keys);
    }

    /// How many have said who they are.
    #[cfg(test)]
    pub(super) fn guests(&self) -> usize {
        GUESTS - self.guests.available_permits()
    }

    /// Whether what is said is hidden.
    pub(super) fn has_tls(&self) -> bool {
        self.keys.borrow().tls.is_some()
    }

    /// Takes a connection in.
    pub(super) fn admit(self: &Arc<Self>, stream: TcpStream, address: SocketAddr) {
        watch_over(&stream);
        let gate = Arc::clone(self);
        let crowded = self.strangers.admit(address.ip(), |place| async move {
            let standing = Mutex::new(Standing::Stranger(place));
            gate.attend(stream, Arc::new(Peer { address, standing }))
                .await;
        });
        if crowded {
            Refused::count(&self.handle.refused().crowded_out);
        }
    }

    /// Serves a connection for as long as it may last.
    async fn attend(self: Arc<Self>, stream: TcpStream, peer: Arc<Peer>) {
        let mut keys = self.keys.subscribe();
        let until = Instant::now() + STRANGE;
        let mut talk = std::pin::pin!(Arc::clone(&self).talk(stream, Arc::clone(&peer)));
        loop {
            tokio::select! {
                () = &mut talk => return,
                () = sleep_until(until), if peer.is_stranger() => {
                    if peer.is_stranger() {
                        return;
                    }
                }
                Ok(()) = keys.changed() => {
                    if !peer.is_known(&keys.borrow().tokens) {
                        return;
                    }
                }
            }
        }
    }

    async fn talk(self: Arc<Self>, stream: TcpStream, peer: Arc<Peer>) {
        let tls = self.keys.borrow().tls.clone();
        let Some(tls) = tls else {
            return self.speak(stream, peer).await;
        };
        match tls.accept(stream).await {
            Ok(stream) => self.speak(stream, peer).await,
            Err(error) => {
                Refused::count(&self.handle.refused().handshakes);
                tracing::debug!(peer = %peer.address, %error, "TLS does not begin");
            }
        }
    }

    async fn speak(self: Arc<Self>, stream: impl AsyncRead + AsyncWrite + Unpin, peer: Arc<Peer>) {
        let address = peer.address;
        let service = service_fn(move |request| {
            let (gate, peer) = (Arc::clone(&self), Arc::clone(&peer));
            async move { gate.answer(request, &peer).await }
        });
        serve(stream, service, address, IDLE).await;
    }

    async fn answer(
        &self,
        mut request: Request<Incoming>,
        peer: &Peer,
    ) -> Result<Response<Body>, std::convert::Infallible> {
        let entry = token(&request).and_then(|token| {
            let keys = self.keys.borrow();
            keys.tokens.find(token).cloned()
        });
        let Some(entry) = entry else {
            return Ok(self.refuse(peer).await);
        };
        if !peer.welcome(&entry, &self.guests) {
            let many = format!("There are {GUESTS} connections already: try again later");
            return Ok(last(Error::new(Code::NotRunning, many)));
        }
        if request.method() != Method::GET {
            let (method, path) = (request.method(), request.uri().path());
            tracing::info!(token = entry.name, peer = %peer.address, %method, path, "asked");
        }
        request.extensions_mut().insert(entry.role);
        TowerToHyperService::new(self.router.clone())
            .call(request)
            .await
    }

    /// Says who has no token, now and then: nobody can fill the log.
    fn complain(&self, peer: &Peer) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_none_or(|said| said.elapsed() > QUIET) {
            *said = Some(Instant::now());
            let so_far = self.handle.refused().unauthorized.load(Ordering::Relaxed);
            tracing::warn!(peer = %peer.address, so_far, "asks without a token that is known");
        }
    }

    async fn refuse(&self, peer: &Peer) -> Response<Body> {
        Refused::count(&self.handle.refused().unauthorized);
        self.complain(peer);
        sleep(DELAY).await;
        last(Error::new(
            Code::Unauthorized,
            "Permission denied: the request needs a token that the director knows, as \
             `Authorization: Bearer TOKEN`; `rlvs token` makes one",
        ))
    }
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

impl Peer {
    fn standing(&self) -> std::sync::MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stranger(&self) -> bool {
        matches!(*self.standing(), Standing::Stranger(_))
    }

    /// Whether who it was is still somebody.
    fn is_known(&self, tokens: &Tokens) -> bool {
        match &*self.standing() {
            Standing::Stranger(_) => true,
            Standing::Guest(entry, _) => tokens.knows(entry),
        }
    }

    /// A stranger becomes a guest, if there is room.
    fn welcome(&self, entry: &Entry, guests: &Arc<Semaphore>) -> bool {
        let mut standing = self.standing();
        match &mut *standing {
            Standing::Guest(present, _) => present.clone_from(entry),
            Standing::Stranger(_) => {
                let Ok(permit) = Arc::clone(guests).try_acquire_owned() else {
                    return false;
                };
                *standing = Standing::Guest(entry.clone(), permit);
            }
        }
        true
    }
}

/// HTTP on a connection to its end, each request beginning within `head`; how it ended is the peer's affair.
pub(super) async fn serve<S>(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    service: S,
    peer: SocketAddr,
    head: Duration,
) where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = std::convert::Infallible>,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%peer, %error, "connection");
    }
}

/// Ends what has no peer any more.
pub(super) fn watch_over(stream: &TcpStream) {
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new()
        .with_time(SILENCE)
        .with_interval(SILENCE / 4);
    let _ = socket.set_tcp_keepalive(&keepalive);
    let _ = socket.set_tcp_user_timeout(Some(SILENCE));
    let _ = socket.set_tcp_nodelay(true);
}

fn token(request: &Request<Incoming>) -> Option<&str> {
    let value = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim())
}

/// A refusal after which the connection ends.
fn last(error: Error) -> Response<Body> {
    let mut response = Refusal(error).into_response();
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
    response
}
