//! Numbers for Prometheus: at `/metrics` of the API, and at addresses that have nothing else.
//!
//! Where every real server has its numbers they are many megabytes, so only few ask at a time, and
//! who reads too slowly is given up.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper_util::service::TowerToHyperService;
use rlvs_control::{Code, Error};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::HEAD;
use super::answer::Refusal;
use super::gate::{serve, watch_over};
use super::handle::Handle;
use super::listing::pieces;
use super::strangers::Strangers;
use crate::metrics::{self, MEDIA};

/// Where they are.
pub(super) const METRICS: &str = "/metrics";
/// How many may be connected.
const PEERS: usize = 16;
/// How long a connection may last.
const LONGEST: Duration = Duration::from_secs(60);
/// How long one may wait for its turn.
const TURN: Duration = Duration::from_secs(10);

/// Those who only ask for numbers.
pub(super) struct Scrapes {
    router: Router,
    peers: Strangers,
}

impl Scrapes {
    pub(super) fn new(handle: Handle) -> Self {
        let answer = |State(handle): State<Handle>| async move {
            let answer = answer(handle).await;
            answer.unwrap_or_else(|error| Refusal(error).into_response())
        };
        Self {
            router: Router::new().route(METRICS, get(answer)).with_state(handle),
            peers: Strangers::new(PEERS),
        }
    }

    /// Takes a connection in.
    pub(super) fn admit(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr) {
        watch_over(&stream);
        let service = TowerToHyperService::new(self.router.clone());
        self.peers.admit(peer.ip(), |place| async move {
            let _ = timeout(LONGEST, serve(stream, service, peer, HEAD)).await;
            drop(place);
        });
    }
}

impl std::fmt::Debug for Scrapes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scrapes").finish_non_exhaustive()
    }
}

/// All numbers.
pub(super) async fn answer(handle: Handle) -> Result<Response, Error> {
    let turn = timeout(TURN, handle.turn()).await.map_err(|_| {
        let busy = "Others are being told all numbers: try again later";
        Error::new(Code::NotRunning, busy)
    })?;
    let figures = handle.figures().await?;
    let outside = handle.outside();
    let text = pieces(move |out| {
        let out: &mut dyn io::Write = out;
        metrics::write(out, &figures, &outside)?;
        drop(turn);
        Ok(())
    });
    Ok(([(CONTENT_TYPE, MEDIA)], Body::from_stream(text)).into_response())
}
