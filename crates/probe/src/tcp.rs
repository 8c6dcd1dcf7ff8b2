//! TCP_CHECK: a connection comes about.
//!
//! Nearly all do within a few milliseconds, and most checks of a site are of this kind: so the socket
//! is asked once after that time, and only one that still waits is handed to the runtime. That
//! spares the system calls by which the runtime learns of it.

use core::time::Duration;
use std::io;

use rlvs_check::machine::Adjust;
use rustix::io::Errno;
use socket2::{Protocol, SockAddr, Socket, Type};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::fault::{Fault, Result};
use crate::target::Target;

/// When most connections have come about.
const SOON: Duration = Duration::from_millis(5);

pub(crate) async fn run(target: &Target) -> Result<Adjust> {
    let socket = target.socket(Type::STREAM, Protocol::TCP)?;
    let address = target.address.into();
    if !connected(&socket, &address)? {
        sleep(SOON).await;
        if !connected(&socket, &address)? {
            // Few get here, so the others' tasks have no room for it.
            Box::pin(target.wait("connecting", established(socket))).await?;
        }
    }
    Ok(Adjust::Keep)
}

/// Begins to connect, or asks what has become of it (connect(2), EINPROGRESS and EALREADY).
fn connected(socket: &Socket, address: &SockAddr) -> io::Result<bool> {
    let Err(error) = socket.connect(address) else {
        return Ok(true);
    };
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::INPROGRESS | Errno::ALREADY) => Ok(false),
        Some(Errno::ISCONN) => Ok(true),
        _ => Err(error),
    }
}

async fn established(socket: Socket) -> Result<()> {
    let stream = TcpStream::from_std(socket.into())?;
    stream.writable().await?;
    match stream.take_error()? {
        None => Ok(()),
        Some(error) => Err(Fault::from(error)),
    }
}
