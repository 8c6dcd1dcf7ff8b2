//! Sockets that advertisements come in by and go out by: one for each interface, IP version and
//! protocol.
//!
//! A filter in the kernel lets in only what is for a virtual router of ours, so that other packets
//! take neither time nor room; what there is room for is bounded by the socket's buffer.

use std::collections::BTreeSet;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv6Addr, SocketAddrV4, SocketAddrV6};
use std::os::fd::AsRawFd;
use std::task::{Context, Poll};

use libc::{BPF_ABS, BPF_B, BPF_IND, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_LDX, BPF_MSH, BPF_RET};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn6, recvmsg, sendmsg, setsockopt,
    sockopt,
};
use rlvs_vrrp::packet::PROTOCOL;
use rlvs_vrrp::spec::Family;
use rlvs_vrrp::{Datagram, Outgoing};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockFilter, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Of authentication headers.
const AUTHENTICATION: u8 = 51;
/// The largest advertisement has 255 IPv6 addresses.
const LONGEST: usize = 8192;

/// What a socket is for.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Key {
    pub(crate) index: u32,
    pub(crate) interface: String,
    pub(crate) v6: bool,
    /// In authentication headers.
    pub(crate) authenticated: bool,
}

impl Key {
    pub(crate) fn new(index: u32, interface: &str, family: Family, authenticated: bool) -> Self {
        Self {
            index,
            interface: interface.to_owned(),
            v6: family == Family::V6,
            authenticated,
        }
    }
}

/// What a socket is to let in.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Wants {
    pub(crate) groups: BTreeSet<IpAddr>,
    /// Virtual routers.
    pub(crate) routers: BTreeSet<u8>,
    /// All others, too.
    pub(crate) all: bool,
}

#[derive(Debug)]
pub(crate) struct Wire {
    key: Key,
    wants: Wants,
    socket: AsyncFd<Socket>,
}

impl Wire {
    pub(crate) fn open(key: &Key, wants: &Wants) -> io::Result<Self> {
        let socket = match key.v6 {
            true => open_v6(key)?,
            false => open_v4(key)?,
        };
        let mut wire = Self {
            key: key.clone(),
            wants: Wants::default(),
            socket: register(socket)?,
        };
        wire.follow(wants)?;
        Ok(wire)
    }

    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    /// Lets in what is wanted now.
    pub(crate) fn follow(&mut self, wants: &Wants) -> io::Result<()> {
        let socket = self.socket.get_ref();
        if (&wants.routers, wants.all) != (&self.wants.routers, self.wants.all) {
            match wants.all {
                true => socket.attach_filter(&ALL)?,
                false => {
                    let filter = filter(self.key.v6, self.key.authenticated, &wants.routers);
                    socket.attach_filter(&filter)?;
                }
            }
        }
        for group in wants.groups.difference(&self.wants.groups) {
            join(socket, self.key.index, *group, true)?;
        }
        for group in self.wants.groups.difference(&wants.groups) {
            join(socket, self.key.index, *group, false)?;
        }
        self.wants = wants.clone();
        Ok(())
    }

    /// Whether something may have come in.
    pub(crate) fn poll_ready(&self, context: &mut Context<'_>) -> bool {
        matches!(self.socket.poll_read_ready(context), Poll::Ready(Ok(_)))
    }

    /// Gives what has come in to `take`; whether there was anything.
    pub(crate) fn receive(&self, take: &mut dyn FnMut(&Datagram)) -> bool {
        let mut bytes = [0; LONGEST];
        let taken = self
            .socket
            .try_io(Interest::READABLE, |socket| match self.key.v6 {
                true => receive_v6(socket, &mut bytes, take),
                false => receive_v4(socket, &mut bytes, take),
            });
        match taken {
            Ok(()) => true,
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        }
    }

    pub(crate) fn send(&self, packet: &Outgoing) -> io::Result<()> {
        let socket = self.socket.get_ref();
        match (packet.source, packet.destination) {
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                self.send_v6(socket, packet, source, destination)
            }
            (_, IpAddr::V4(destination)) => {
                let to = SocketAddrV4::new(destination, 0);
                socket.send_to(&packet.bytes, &to.into()).map(drop)
            }
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    fn send_v6(
        &self,
        socket: &Socket,
        packet: &Outgoing,
        source: Ipv6Addr,
        destination: Ipv6Addr,
    ) -> io::Result<()> {
        let from = libc::in6_pktinfo {
            ipi6_addr: libc::in6_addr {
                s6_addr: source.octets(),
            },
            ipi6_ifindex: self.key.index,
        };
        let hops = libc::c_int::from(packet.hop_limit);
        let control = [
            ControlMessage::Ipv6PacketInfo(&from),
            ControlMessage::Ipv6HopLimit(&hops),
        ];
        let near = destination.is_unicast_link_local() || destination.is_multicast();
        let scope = if near { self.key.index } else { 0 };
        let to = SockaddrIn6::from(SocketAddrV6::new(destination, 0, 0, scope));
        let bytes = [io::IoSlice::new(&packet.bytes)];
        let fd = socket.as_raw_fd();
        sendmsg(fd, &bytes, &control, MsgFlags::empty(), Some(&to))?;
        Ok(())
    }
}

#[expect(unsafe_code, reason = "tokio wants a promise about the descriptor")]
fn register(socket: Socket) -> io::Result<AsyncFd<Socket>> {
    // SAFETY: a `Socket` owns its descriptor, gives always the same one, and closes it only when it
    // is dropped, which the `AsyncFd` does after it has taken it out of the reactor.
    unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }.map_err(io::Error::from)
}

fn open_v4(key: &Key) -> io::Result<Socket> {
    let protocol = if key.authenticated {
        AUTHENTICATION
    } else {
        PROTOCOL
    };
    let socket = Socket::new(
        Domain::IPV4,
        Type::RAW,
        Some(Protocol::from(i32::from(protocol))),
    )?;
    // Nothing comes in before it is known what is wanted.
    socket.attach_filter(&NOTHING)?;
    socket.set_nonblocking(true)?;
    socket.bind_device(Some(key.interface.as_bytes()))?;
    socket.set_header_included_v4(true)?;
    socket.set_multicast_all_v4(false)?;
    socket.set_multicast_loop_v4(false)?;
    Ok(socket)
}

fn open_v6(key: &Key) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::IPV6,
        Type::RAW,
        Some(Protocol::from(i32::from(PROTOCOL))),
    )?;
    socket.attach_filter(&NOTHING)?;
    socket.set_nonblocking(true)?;
    socket.bind_device(Some(key.interface.as_bytes()))?;
    socket.set_multicast_all_v6(false)?;
    socket.set_multicast_loop_v6(false)?;
    socket.set_multicast_if_v6(key.index)?;
    // By an interface with a virtual MAC address it says what comes from the one below, which has the
    // address.
    socket.set_freebind_v6(true)?;
    setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
    setsockopt(&socket, sockopt::Ipv6RecvHopLimit, &true)?;
    Ok(socket)
}

fn join(socket: &Socket, index: u32, group: IpAddr, joins: bool) -> io::Result<()> {
    let v4 = InterfaceIndexOrAddress::Index(index);
    match (group, joins) {
        (IpAddr::V4(group), true) => socket.join_multicast_v4_n(&group, &v4),
        (IpAddr::V4(group), false) => socket.leave_multicast_v4_n(&group, &v4),
        (IpAddr::V6(group), true) => socket.join_multicast_v6(&group, index),
        (IpAddr::V6(group), false) => socket.leave_multicast_v6(&group, index),
    }
}

fn receive_v4(
    socket: &Socket,
    bytes: &mut [u8],
    take: &mut dyn FnMut(&Datagram),
) -> io::Result<()> {
    let length = rustix::io::read(socket, &mut *bytes)?;
    if let Ok(datagram) = Datagram::ipv4(&bytes[..length]) {
        take(&datagram);
    }
    Ok(())
}

fn receive_v6(
    socket: &Socket,
    bytes: &mut [u8],
    take: &mut dyn FnMut(&Datagram),
) -> io::Result<()> {
    let mut control = nix::cmsg_space!(libc::in6_pktinfo, libc::c_int);
    let mut parts = [IoSliceMut::new(bytes)];
    let fd = socket.as_raw_fd();
    let got = recvmsg::<SockaddrIn6>(fd, &mut parts, Some(&mut control), MsgFlags::empty())?;
    let (mut destination, mut hop_limit) = (None, None);
    for message in got.cmsgs()? {
        match message {
            ControlMessageOwned::Ipv6PacketInfo(info) => {
                destination = Some(Ipv6Addr::from(info.ipi6_addr.s6_addr));
            }
            ControlMessageOwned::Ipv6HopLimit(limit) => hop_limit = u8::try_from(limit).ok(),
            _ => {}
        }
    }
    let (source, length) = (got.address, got.bytes);
    if let (Some(source), Some(destination), Some(hop_limit)) = (source, destination, hop_limit) {
        let message = &bytes[..length];
        take(&Datagram::ipv6(
            source.ip(),
            destination,
            hop_limit,
            message,
        ));
    }
    Ok(())
}

const NOTHING: [SockFilter; 1] = [SockFilter::new((BPF_RET | BPF_K) as u16, 0, 0, 0)];

const ALL: [SockFilter; 1] = [SockFilter::new((BPF_RET | BPF_K) as u16, 0, 0, u32::MAX)];

/// Takes the packets whose virtual router is one of these: the second byte behind the IP header, and
/// behind an authentication header of IPv4, which is 24 bytes long.
fn filter(v6: bool, authenticated: bool, routers: &BTreeSet<u8>) -> Vec<SockFilter> {
    let byte = |code: u32, k: u32| SockFilter::new(code as u16, 0, 0, k);
    // Of IPv6, a socket has what is behind the header.
    let mut program = match v6 {
        true => vec![byte(BPF_LD | BPF_B | BPF_ABS, 1)],
        false => vec![
            byte(BPF_LDX | BPF_B | BPF_MSH, 0),
            byte(
                BPF_LD | BPF_B | BPF_IND,
                if authenticated { 24 + 1 } else { 1 },
            ),
        ],
    };
    for router in routers {
        let equal = (BPF_JMP | BPF_JEQ | BPF_K) as u16;
        program.push(SockFilter::new(equal, 0, 1, (*router).into()));
        program.push(byte(BPF_RET | BPF_K, u32::MAX));
    }
    program.extend(NOTHING);
    program
}
