//! One request and its answer on one connection.

use std::future::pending;
use std::io;
use std::pin::pin;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustix::process::geteuid;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::{Code, Error};

/// How long a director may be silent; the largest transactions take it some seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// A way to a director, whatever kind it is.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

/// Connects to the director's socket, and to nobody else's.
pub(super) async fn connect(socket: &str) -> Result<UnixStream, Error> {
    let stream = UnixStream::connect(format!("\0{socket}"))
        .await
        .map_err(|error| unreachable_director(socket, &error))?;
    let owner = stream
        .peer_cred()
        .map_err(|error| unreachable_director(socket, &error))?
        .uid();
    if owner != 0 && owner != geteuid().as_raw() {
        let message = format!(
            "The socket @{socket} belongs to user {owner}, not to a director run by root: \
             `ss -xlp` names the process"
        );
        return Err(Error::new(Code::PermissionDenied, message));
    }
    Ok(stream)
}

/// Sends `request` and lets `read` work on the answer while the connection is driven.
///
/// Both end together: when `read` has enough, the rest is not waited for.
pub(super) async fn converse<T>(
    stream: Box<dyn Stream>,
    request: Request<Bytes>,
    read: impl AsyncFnOnce(Response<Incoming>) -> Result<T, Error>,
) -> Result<T, Error> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(broken_off)?;
    let talk = async {
        let response = patiently(sender.send_request(request.map(Full::new))).await?;
        read(response.map_err(broken_off)?).await
    };
    // What it received last may still wait to be read when the connection has ended.
    let drive = pin!(async {
        let _ = connection.await;
        pending::<()>().await;
    });
    tokio::select! {
        result = talk => result,
        () = drive => unreachable!("the connection's future never ends"),
    }
}

/// Waits for the director, not for ever.
pub(super) async fn patiently<F: Future>(future: F) -> Result<F::Output, Error> {
    timeout(PATIENCE, future).await.map_err(|_| {
        let seconds = PATIENCE.as_secs();
        Error::new(
            Code::Internal,
            format!("The director has been silent for {seconds} s"),
        )
    })
}

pub(super) fn broken_off(error: hyper::Error) -> Error {
    let message = format!("The director broke off the answer ({error}): its log may say why");
    Error::new(Code::Internal, message)
}

fn unreachable_director(socket: &str, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Error::new(
            Code::NotRunning,
            "No director runs in this network namespace: `rlvs run` starts one",
        ),
        io::ErrorKind::PermissionDenied => Error::new(
            Code::PermissionDenied,
            format!("The system does not let you reach the director at @{socket} ({error})"),
        ),
        io::ErrorKind::WouldBlock => Error::new(
            Code::Internal,
            format!("The director at @{socket} has too many clients waiting: try again later"),
        ),
        _ => Error::new(
            Code::Internal,
            format!("Cannot reach the director at @{socket}: {error}"),
        ),
    }
}
