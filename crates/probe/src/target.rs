//! Where a probe goes, and its sockets.

use core::future::Future;
use core::net::Ipv6Addr;
use core::time::Duration;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use rlvs_check::machine::Probe;
use rustix::io::Errno;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::sleep;

use crate::fault::{Fault, Result};
use crate::patient::SOON;
use crate::through::Crossing;

/// Where a probe goes, and how its sockets are made.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Whom clients would ask: the virtual address, if the probe goes that way.
    pub(crate) address: SocketAddr,
    /// Whom sockets are connected with.
    peer: SocketAddr,
    bind: Option<SocketAddr>,
    interface: Option<String>,
    mark: Option<u32>,
    /// How long a connection may take to come about, and each answer to begin.
    timeout: Duration,
    /// Their packets go by way of the virtual address.
    crossing: Option<Arc<Crossing>>,
}

impl Target {
    /// Where this probe goes.
    pub(crate) fn new(probe: &Probe) -> Self {
        let connect = &probe.check.connect;
        let unspecified = match probe.target {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let bind = match (connect.bind_address, connect.bind_port) {
            (None, None) => None,
            (address, port) => Some(SocketAddr::new(
                address.unwrap_or(unspecified),
                port.unwrap_or(0),
            )),
        };
        let peer = scoped(probe.target, connect.bind_interface.as_deref());
        let virtual_address = probe.through.map(|through| through.virtual_address);
        Self {
            address: virtual_address.map_or(peer, |it| SocketAddr::new(it, peer.port())),
            peer,
            bind,
            interface: connect.bind_interface.clone(),
            mark: connect.mark,
            timeout: probe.check.timing.connect_timeout,
            crossing: None,
        }
    }

    /// The same, with sockets whose packets go by way of the virtual address.
    pub(crate) fn crossing(&self, crossing: Arc<Crossing>) -> Self {
        Self {
            crossing: Some(crossing),
            ..self.clone()
        }
    }

    /// Another port of the same server.
    pub(crate) fn at(&self, port: u16) -> Self {
        let mut other = self.clone();
        other.address.set_port(port);
        other.peer.set_port(port);
        other
    }

    /// A connection, watched by the runtime.
    pub(crate) async fn tcp(&self) -> Result<TcpStream> {
        Ok(TcpStream::from_std(self.connect().await?.into())?)
    }

    /// A connection that does not block.
    ///
    /// Nearly all come about soon, so the socket is asked once after that time, and only one that still
    /// waits is handed to the runtime.
    pub(crate) async fn connect(&self) -> Result<Socket> {
        let socket = self.socket(Type::STREAM, Protocol::TCP)?;
        let address = self.peer.into();
        if connected(&socket, &address)? {
            return Ok(socket);
        }
        sleep(SOON).await;
        if connected(&socket, &address)? {
            return Ok(socket);
        }
        // Few get here, so the others' tasks have no room for it.
        Box::pin(self.wait("connecting", established(socket))).await
    }

    /// A socket whose peer is the target: it hears of ICMP errors.
    pub(crate) async fn udp(&self) -> Result<UdpSocket> {
        let socket = self.socket(Type::DGRAM, Protocol::UDP)?;
        let socket = UdpSocket::from_std(socket.into())?;
        socket.connect(self.peer).await?;
        Ok(socket)
    }

    /// A socket that does not block, bound as the check wants it.
    pub(crate) fn socket(&self, kind: Type, protocol: Protocol) -> Result<Socket> {
        self.open(kind, protocol)
            .map_err(|error| Fault::here(format!("no socket for the check: {error}")))
    }

    fn open(&self, kind: Type, protocol: Protocol) -> io::Result<Socket> {
        let socket = Socket::new(
            Domain::for_address(self.peer),
            kind.nonblocking().cloexec(),
            Some(protocol),
        )?;
        if let Some(mark) = self.mark {
            socket.set_mark(mark)?;
        }
        if let Some(interface) = &self.interface {
            socket.bind_device(Some(interface.as_bytes()))?;
        }
        if let Some(address) = self.bind {
            // The port may still belong to the connection before.
            socket.set_reuse_address(address.port() != 0)?;
            socket.bind(&address.into())?;
        }
        if let Some(crossing) = &self.crossing {
            crossing.take(&socket, kind, protocol, (self.peer, self.bind))?;
        }
        Ok(socket)
    }

    /// Waits for one step, at most `connect_timeout`.
    pub(crate) async fn wait<T, E: Into<Fault>>(
        &self,
        step: &str,
        work: impl Future<Output = core::result::Result<T, E>>,
    ) -> Result<T> {
        match tokio::time::timeout(self.timeout, work).await {
            Ok(result) => result.map_err(Into::into),
            Err(_) => Err(Fault::target(format!("{step}: timed out"))),
        }
    }

    /// How long a step may take.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }
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

async fn established(socket: Socket) -> Result<Socket> {
    let stream = TcpStream::from_std(socket.into())?;
    stream.writable().await?;
    match stream.take_error()? {
        None => Ok(stream.into_std()?.into()),
        Some(error) => Err(Fault::from(error)),
    }
}

/// A link-local address is one of an interface.
fn scoped(address: SocketAddr, interface: Option<&str>) -> SocketAddr {
    match (address, interface) {
        (SocketAddr::V6(mut v6), Some(name)) if v6.ip().is_unicast_link_local() => {
            v6.set_scope_id(nix::net::if_::if_nametoindex(name).unwrap_or(0));
            v6.into()
        }
        _ => address,
    }
}
