//! Sockets of the groups that masters tell to.

use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6, UdpSocket};
use std::time::Duration;

use rlvs_control::SyncDaemon;
use rustix::net::sockopt;
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};

/// Bytes of datagrams that may wait for a backup, or in a master's queue, unless said otherwise: a
/// second of them in a large burst.
const BUFFER: usize = 8 << 20;
/// How often who waits for a datagram looks whether it is to end.
const PATIENCE: Duration = Duration::from_millis(250);

/// One that sends to the `port`th port of a daemon's group.
pub(super) fn sender(
    daemon: &SyncDaemon,
    index: u32,
    port: u16,
    buffer: Option<usize>,
) -> io::Result<UdpSocket> {
    let socket = open(daemon)?;
    sockopt::set_socket_send_buffer_size_force(&socket, buffer.unwrap_or(BUFFER))?;
    match daemon.group() {
        IpAddr::V4(_) => {
            socket.set_multicast_ttl_v4(daemon.ttl().into())?;
            socket.set_multicast_loop_v4(false)?;
        }
        IpAddr::V6(_) => {
            socket.set_multicast_if_v6(index)?;
            socket.set_multicast_hops_v6(daemon.ttl().into())?;
            socket.set_multicast_loop_v6(false)?;
        }
    }
    socket.connect(&address(daemon, index, port).into())?;
    Ok(socket.into())
}

/// One that receives what is sent there.
pub(super) fn receiver(
    daemon: &SyncDaemon,
    index: u32,
    port: u16,
    buffer: Option<usize>,
) -> io::Result<UdpSocket> {
    let socket = open(daemon)?;
    sockopt::set_socket_recv_buffer_size_force(&socket, buffer.unwrap_or(BUFFER))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address(daemon, index, port).into())?;
    match daemon.group() {
        IpAddr::V4(group) => {
            socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(index))?;
        }
        IpAddr::V6(group) => socket.join_multicast_v6(&group, index)?,
    }
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket.into())
}

/// On the daemon's interface: routes do not matter, and other interfaces are not heard.
fn open(daemon: &SyncDaemon) -> io::Result<Socket> {
    let domain = match daemon.group() {
        IpAddr::V4(_) => Domain::IPV4,
        IpAddr::V6(_) => Domain::IPV6,
    };
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    if domain == Domain::IPV6 {
        socket.set_only_v6(true)?;
    }
    socket.bind_device(Some(daemon.interface.as_bytes()))?;
    Ok(socket)
}

fn address(daemon: &SyncDaemon, index: u32, port: u16) -> SocketAddr {
    let port = daemon.port().saturating_add(port);
    match daemon.group() {
        IpAddr::V4(group) => (group, port).into(),
        IpAddr::V6(group) => SocketAddrV6::new(group, port, 0, index).into(),
    }
}
