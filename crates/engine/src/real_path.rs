//! Probes of health checks that take the way of a virtual address's packets.
//!
//! ```text
//! socket    DIP → RIP   |  leave: DIP → VIP, in a tunnel or not  →  real server
//!           RIP → DIP   |  arrive: VIP → DIP                     ←
//! ```
//!
//! The probe's socket is connected with the real server itself: route, neighbour and source address
//! are the kernel's, and no packet has a virtual address where the stack sees it, which would be its
//! own. Ports stay: direct routing and tunnels change none.
//!
//! Nothing here is part of the packet path of services.

#[cfg(not(target_arch = "bpf"))]
pub mod memory;

use core::net::{IpAddr, SocketAddr};

use rlvs_wire::ethernet::{self, Addresses};
use rlvs_wire::{Ethernet, protocol};
use rlvs_word::{Shared32, Shared64};

use crate::destination::{Destination, Tunnel};
use crate::family::{Family, V4, V6};
use crate::forward::{Method, enter, readdress};
use crate::frame::{Brief, Frame};
use crate::service::store_octets;
use crate::tuple::{Packet, Side, Tuple};

/// So many sockets are known, and as many ends of their packets.
pub const ROOM: u32 = 1 << 16;

/// The way of one socket's packets.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Way {
    /// The real server. What a packet shows of the way there is noted in it.
    pub destination: Destination,
    /// As [`Destination::address`].
    pub virtual_address: [Shared64; 2],
    pub protocol: Shared32,
    /// 1: an answer came from the virtual address.
    pub answered: Shared32,
}

const _: () = assert!(size_of::<Way>() == 24 + size_of::<Destination>());

impl Way {
    /// To a real server, at the port of the virtual address, which is of the same IP version.
    pub fn new(
        server: SocketAddr,
        virtual_address: IpAddr,
        protocol: u8,
        tunnel: Option<Tunnel>,
    ) -> Self {
        let way = Self::default();
        let family = match server {
            SocketAddr::V4(_) => 0,
            SocketAddr::V6(_) => Destination::IPV6,
        };
        let method = match tunnel {
            Some(_) => Method::Tunnel,
            None => Method::DirectRoute,
        };
        let destination = &way.destination;
        let flags = Destination::RESOLVED | Destination::with_method(method) | family;
        destination.flags.store(flags);
        destination.port.store(server.port().into());
        destination.tunnel.store(tunnel.unwrap_or_default().0);
        store_octets(&destination.address, octets(server.ip()));
        store_octets(&way.virtual_address, octets(virtual_address));
        way.protocol.store(protocol.into());
        way
    }
}

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => V4::octets(address.octets()),
        IpAddr::V6(address) => address.octets(),
    }
}

/// Both ends of a probe's packets, as they are outside of this host's stack and inside.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[repr(C)]
pub struct Ends {
    /// An IPv4 address lies in the first four bytes.
    pub remote: [u8; 16],
    pub local: [u8; 16],
    pub remote_port: [u8; 2],
    pub local_port: [u8; 2],
    pub protocol: u8,
    pub zeros: [u8; 3],
}

/// What is known of sockets, by their cookies.
pub trait Ways {
    fn way(&self, cookie: u64) -> Option<&Way>;

    /// The socket whose packets have these ends.
    fn owner(&self, ends: &Ends) -> Option<u64>;

    /// From now on they are this one's.
    fn own(&self, ends: &Ends, cookie: u64) -> Option<()>;
}

/// Who sends a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sender {
    /// The cookie of a socket.
    pub cookie: u64,
    /// False: its socket is gone, and the stack ends what that has left. The cookie is another's.
    pub is_there: bool,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fate {
    /// It is none of a probe's.
    Other,
    /// It goes on, as it is now.
    Goes,
    /// It cannot go its way, and must go no other: the check would find what it does not look for.
    Lost,
}

/// A packet that leaves this host, with the addresses of the next hop in front of it.
#[inline(always)]
pub fn leave<R: Frame, W: Ways>(frame: &mut R, ways: &W, sender: Sender) -> Fate {
    match ethertype(frame) {
        ethernet::IPV4 => leave_as::<V4, R, W>(frame, ways, sender),
        ethernet::IPV6 => leave_as::<V6, R, W>(frame, ways, sender),
        _ => Fate::Other,
    }
}

/// A packet that comes in.
#[inline(always)]
pub fn arrive<R: Frame, W: Ways>(frame: &mut R, ways: &W) -> Fate {
    match ethertype(frame) {
        ethernet::IPV4 => arrive_as::<V4, R, W>(frame, ways),
        ethernet::IPV6 => arrive_as::<V6, R, W>(frame, ways),
        _ => Fate::Other,
    }
}

#[inline(always)]
fn ethertype<R: Frame>(frame: &R) -> u16 {
    let ethernet = frame.header::<Ethernet>(0);
    ethernet.map_or(0, |ethernet| ethernet.ethertype.get())
}

#[inline(always)]
fn leave_as<F: Packet, R: Frame, W: Ways>(frame: &mut R, ways: &W, sender: Sender) -> Fate {
    let known = match sender.is_there {
        true => ways.way(sender.cookie),
        false => None,
    };
    if sender.is_there && known.is_none() {
        return Fate::Other;
    }
    let Some(tuple) = read::<F, R>(frame) else {
        return Fate::Other;
    };
    let ends = sent::<F>(&tuple);
    let cookie = match sender.is_there {
        true => sender.cookie,
        false => ways.owner(&ends).unwrap_or(0),
    };
    let Some(way) = known.or_else(|| ways.way(cookie)) else {
        return Fate::Other;
    };
    // What a device has sent is seen again if that lies upon another: by then it is on its way.
    if !is_to_server::<F>(&tuple, way) {
        return Fate::Other;
    }
    match send::<F, R, W>(frame, ways, (way, cookie), &tuple, ends) {
        Some(()) => Fate::Goes,
        None => Fate::Lost,
    }
}

#[inline(always)]
fn is_to_server<F: Family>(tuple: &Tuple<F>, way: &Way) -> bool {
    let ends = F::endpoints(&tuple.key);
    let port = way.destination.port().to_be_bytes();
    tuple.protocol as u32 == way.protocol.load()
        && ends.virtual_port == port
        && ends.virtual_address == F::address(&way.destination.address)
}

#[inline(always)]
fn arrive_as<F: Packet, R: Frame, W: Ways>(frame: &mut R, ways: &W) -> Fate {
    let Some(tuple) = read::<F, R>(frame) else {
        return Fate::Other;
    };
    if tuple.is_fragment() {
        return Fate::Other;
    }
    let ends = received::<F>(&tuple);
    let Some(way) = ways.owner(&ends).and_then(|cookie| ways.way(cookie)) else {
        return Fate::Other;
    };
    // A probe's ends are known with the real server's own address as well.
    if F::address(&way.virtual_address) != F::endpoints(&tuple.key).client {
        return Fate::Other;
    }
    way.answered.store(1);
    let address = F::address(&way.destination.address);
    match readdress::<F, R>(frame, Brief::of(&tuple), Side::Source, address) {
        Some(()) => Fate::Goes,
        None => Fate::Lost,
    }
}

#[inline(always)]
fn send<F: Packet, R: Frame, W: Ways>(
    frame: &mut R,
    ways: &W,
    (way, cookie): (&Way, u64),
    tuple: &Tuple<F>,
    mut ends: Ends,
) -> Option<()> {
    if tuple.is_fragment() {
        return None;
    }
    let virtual_address = F::address(&way.virtual_address);
    own(ways, &ends, cookie)?;
    ends.remote = F::octets(virtual_address);
    own(ways, &ends, cookie)?;
    let destination = &way.destination;
    store_octets(&destination.outer_source, ends.local);
    let addresses = frame.header::<Addresses>(0)?;
    destination.next_hop.store(addresses.destination());
    destination.source.store(addresses.source());
    let brief = Brief::of(tuple);
    readdress::<F, R>(frame, brief, Side::Destination, virtual_address)?;
    if destination.method() == Method::Tunnel {
        // It leaves by where it is, whatever that says.
        enter::<F, R>(frame, destination, F::hash(&tuple.key, 0) as u32).ok()?;
    }
    Some(())
}

/// TCP or UDP, with ports.
#[inline(always)]
fn read<F: Packet, R: Frame>(frame: &R) -> Option<Tuple<F>> {
    let tuple = F::read(frame).ok()?;
    matches!(tuple.protocol, protocol::TCP | protocol::UDP).then_some(tuple)
}

/// The first packet says whose ends these are, and any other, should that be forgotten.
#[inline(always)]
fn own<W: Ways>(ways: &W, ends: &Ends, cookie: u64) -> Option<()> {
    match ways.owner(ends) {
        Some(owner) if owner == cookie => Some(()),
        _ => ways.own(ends, cookie),
    }
}

#[inline(always)]
fn sent<F: Family>(tuple: &Tuple<F>) -> Ends {
    let ends = F::endpoints(&tuple.key);
    Ends {
        remote: F::octets(ends.virtual_address),
        local: F::octets(ends.client),
        remote_port: ends.virtual_port,
        local_port: ends.client_port,
        protocol: tuple.protocol,
        zeros: [0; 3],
    }
}

#[inline(always)]
fn received<F: Family>(tuple: &Tuple<F>) -> Ends {
    let Ends {
        remote,
        local,
        remote_port,
        local_port,
        protocol,
        zeros,
    } = sent::<F>(tuple);
    Ends {
        remote: local,
        local: remote,
        remote_port: local_port,
        local_port: remote_port,
        protocol,
        zeros,
    }
}
