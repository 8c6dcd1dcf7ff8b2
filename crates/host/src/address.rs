//! Interfaces and addresses, read and changed over netlink.

use std::io;
use std::net::IpAddr;

use futures::TryStreamExt;
pub use rtnetlink::Handle;
use rtnetlink::packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use rtnetlink::packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, CacheInfo,
};
use rtnetlink::packet_route::link::{LinkAttribute, LinkFlags, LinkLayerType, LinkMessage};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::Error;

/// An interface with its addresses.
#[derive(Clone, Debug)]
pub struct Interface {
    pub index: u32,
    pub name: String,
    pub up: bool,
    /// Its packets have Ethernet headers.
    pub ethernet: bool,
    /// With the lengths of their prefixes.
    pub addresses: Vec<(IpAddr, u8)>,
}

/// The prefix length of one address alone.
pub fn whole(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// A way to the kernel; needs a runtime.
pub fn connect() -> Result<Handle, Error> {
    let opened = rtnetlink::new_connection();
    let (connection, handle, _) =
        opened.map_err(|error| Error::io("opening a netlink socket", error))?;
    tokio::spawn(connection);
    Ok(handle)
}

/// All interfaces with their addresses.
pub async fn interfaces(handle: &Handle) -> Result<Vec<Interface>, Error> {
    let failed = |error| Error::io("reading the interfaces", to_io(error));
    let links: Vec<_> = handle
        .link()
        .get()
        .execute()
        .try_collect()
        .await
        .map_err(failed)?;
    let addresses: Vec<_> = handle
        .address()
        .get()
        .execute()
        .try_collect()
        .await
        .map_err(failed)?;
    let mut interfaces: Vec<_> = links.iter().filter_map(interface).collect();
    for message in &addresses {
        let of = |interface: &&mut Interface| interface.index == message.header.index;
        if let Some(interface) = interfaces.iter_mut().find(of) {
            interface.addresses.extend(address(message));
        }
    }
    Ok(interfaces)
}

/// Puts a virtual address on an interface. IPv6 without duplicate address detection, for others have
/// the address too, and never as what this host sends from by itself.
pub async fn add(handle: &Handle, vip: IpAddr, to: &Interface) -> Result<(), Error> {
    let mut message = host(vip, to.index);
    if vip.is_ipv6() {
        message.header.flags = AddressHeaderFlags::Nodad;
        let mut lives = CacheInfo::default();
        lives.ifa_valid = u32::MAX;
        message.attributes.extend([
            AddressAttribute::Flags(AddressFlags::Nodad),
            AddressAttribute::CacheInfo(lives),
        ]);
    }
    let change = RouteNetlinkMessage::NewAddress(message);
    let outcome = request(handle, change, NLM_F_CREATE | NLM_F_EXCL).await;
    unless(outcome, io::ErrorKind::AlreadyExists)
        .map_err(|error| Error::io(format!("adding {vip} to {}", to.name), error))
}

/// Takes a virtual address from an interface.
pub async fn remove(handle: &Handle, vip: IpAddr, from: &Interface) -> Result<(), Error> {
    let change = RouteNetlinkMessage::DelAddress(host(vip, from.index));
    let outcome = request(handle, change, 0).await;
    unless(outcome, io::ErrorKind::AddrNotAvailable)
        .map_err(|error| Error::io(format!("removing {vip} from {}", from.name), error))
}

async fn request(handle: &Handle, change: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
    let mut message = NetlinkMessage::from(change);
    message.header.flags = NLM_F_REQUEST | NLM_F_ACK | flags;
    let answers = handle.clone().request(message).map_err(to_io)?;
    let answers: Vec<_> = futures::StreamExt::collect(answers).await;
    answers
        .into_iter()
        .try_for_each(|answer| match answer.payload {
            NetlinkPayload::Error(error) if error.code.is_some() => Err(error.to_io()),
            _ => Ok(()),
        })
}

fn unless(outcome: io::Result<()>, expected: io::ErrorKind) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() == expected => Ok(()),
        outcome => outcome,
    }
}

fn host(vip: IpAddr, index: u32) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = if vip.is_ipv4() {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    };
    message.header.prefix_len = whole(vip);
    message.header.index = index;
    message.attributes = vec![AddressAttribute::Local(vip), AddressAttribute::Address(vip)];
    message
}

fn interface(message: &LinkMessage) -> Option<Interface> {
    let name = message
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::IfName(name) => Some(name.clone()),
            _ => None,
        });
    Some(Interface {
        index: message.header.index,
        name: name?,
        up: message.header.flags.contains(LinkFlags::Up),
        ethernet: message.header.link_layer_type == LinkLayerType::Ether,
        addresses: Vec::new(),
    })
}

/// On a point-to-point interface the local address is ours and the other the peer's.
fn address(message: &AddressMessage) -> Option<(IpAddr, u8)> {
    let local = message
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            AddressAttribute::Local(address) => Some(*address),
            _ => None,
        });
    let address = message
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            AddressAttribute::Address(address) => Some(*address),
            _ => None,
        });
    local
        .or(address)
        .map(|address| (address, message.header.prefix_len))
}

fn to_io(error: rtnetlink::Error) -> io::Error {
    match error {
        rtnetlink::Error::NetlinkError(message) => message.to_io(),
        other => io::Error::other(other),
    }
}
