//! Interfaces and addresses, read and changed over netlink.

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use futures::TryStreamExt;
pub use rtnetlink::Handle;
use rtnetlink::packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
pub use rtnetlink::packet_route::address::AddressFlags;
use rtnetlink::packet_route::address::{
    AddressAttribute, AddressHeaderFlags, AddressMessage, CacheInfo,
};
use rtnetlink::packet_route::link::{LinkAttribute, LinkFlags, LinkLayerType, LinkMessage};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::Error;

/// An interface with its addresses.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Interface {
    pub index: u32,
    pub name: String,
    pub up: bool,
    /// It is up, and has a carrier.
    pub running: bool,
    /// Its packets have Ethernet headers.
    pub ethernet: bool,
    /// Its hardware address, if that is an Ethernet one.
    pub mac: Option<[u8; 6]>,
    /// With the lengths of their prefixes.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Those of them that nothing can be sent from yet: another host may have them.
    pub tentative: Vec<IpAddr>,
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
            let address = address(message);
            let waits = AddressHeaderFlags::Tentative;
            if message.header.flags.contains(waits) {
                interface
                    .tentative
                    .extend(address.map(|(address, _)| address));
            }
            interface.addresses.extend(address);
        }
    }
    Ok(interfaces)
}

/// An address as an interface is to have it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Setting {
    pub address: IpAddr,
    pub length: u8,
    /// At the other end, on a point-to-point interface.
    pub peer: Option<(IpAddr, u8)>,
    pub broadcast: Option<Ipv4Addr>,
    pub label: Option<String>,
    /// 0 (everywhere) to 255 (nowhere).
    pub scope: u8,
    /// Seconds for which this host sends from it by itself; for ever without.
    pub preferred: Option<u32>,
    pub flags: AddressFlags,
}

impl Setting {
    /// A virtual address: IPv6 without duplicate address detection, for others have the address too,
    /// and never as what this host sends from by itself.
    pub fn of_vip(vip: IpAddr) -> Self {
        let (preferred, flags) = match vip {
            IpAddr::V4(_) => (None, AddressFlags::empty()),
            IpAddr::V6(_) => (Some(0), AddressFlags::Nodad),
        };
        Self {
            address: vip,
            length: whole(vip),
            peer: None,
            broadcast: None,
            label: None,
            scope: 0,
            preferred,
            flags,
        }
    }

    /// What the kernel knows it by, besides: the other end with its length, or itself.
    pub fn at_end(&self) -> (IpAddr, u8) {
        self.peer.unwrap_or((self.address, self.length))
    }

    /// Whether an interface has it.
    pub fn is_on(&self, interface: &Interface) -> bool {
        let (_, length) = self.at_end();
        interface.addresses.contains(&(self.address, length))
    }

    fn message(&self, index: u32) -> AddressMessage {
        let mut message = named(self.address, self.at_end(), index);
        message.header.scope = self.scope.into();
        message.header.flags = AddressHeaderFlags::from_bits_truncate(self.flags.bits() as u8);
        let attributes = &mut message.attributes;
        if !self.flags.is_empty() {
            attributes.push(AddressAttribute::Flags(self.flags));
        }
        attributes.extend(self.broadcast.map(AddressAttribute::Broadcast));
        attributes.extend(self.label.clone().map(AddressAttribute::Label));
        if let Some(preferred) = self.preferred {
            let mut lives = CacheInfo::default();
            lives.ifa_preferred = preferred;
            lives.ifa_valid = u32::MAX;
            attributes.push(AddressAttribute::CacheInfo(lives));
        }
        message
    }
}

/// Puts a virtual address on an interface.
pub async fn add(handle: &Handle, vip: IpAddr, to: &Interface) -> Result<(), Error> {
    put(handle, &Setting::of_vip(vip), to).await.map(drop)
}

/// Puts an address on an interface; whether it was not there.
pub async fn put(handle: &Handle, setting: &Setting, to: &Interface) -> Result<bool, Error> {
    let change = RouteNetlinkMessage::NewAddress(setting.message(to.index));
    match request(handle, change, NLM_F_CREATE | NLM_F_EXCL).await {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => {
            let action = format!("adding {} to {}", setting.address, to.name);
            Err(Error::io(action, error))
        }
    }
}

/// Takes a virtual address from an interface.
pub async fn remove(handle: &Handle, vip: IpAddr, from: &Interface) -> Result<(), Error> {
    take(handle, vip, (vip, whole(vip)), from).await
}

/// Takes an address from an interface; neither need be there. [`Setting::at_end`] is part of what it
/// is known by.
pub async fn take(
    handle: &Handle,
    address: IpAddr,
    at_end: (IpAddr, u8),
    from: &Interface,
) -> Result<(), Error> {
    let message = named(address, at_end, from.index);
    let change = RouteNetlinkMessage::DelAddress(message);
    match request(handle, change, 0).await {
        Err(error) if !is_absence(&error) => {
            let action = format!("removing {address} from {}", from.name);
            Err(Error::io(action, error))
        }
        _ => Ok(()),
    }
}

/// No such address; or the interface has gone, or has no IPv6, or this kernel has none.
fn is_absence(error: &io::Error) -> bool {
    let known = [
        libc::EADDRNOTAVAIL,
        libc::ENODEV,
        libc::ENXIO,
        libc::EOPNOTSUPP,
        libc::EAFNOSUPPORT,
    ];
    error.raw_os_error().is_some_and(|it| known.contains(&it))
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

/// The local address, and the one at the other end with its network's length.
fn named(local: IpAddr, (address, length): (IpAddr, u8), index: u32) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = if local.is_ipv4() {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    };
    message.header.prefix_len = length;
    message.header.index = index;
    message.attributes = vec![
        AddressAttribute::Local(local),
        AddressAttribute::Address(address),
    ];
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
        running: message
            .header
            .flags
            .contains(LinkFlags::Up | LinkFlags::Running),
        ethernet: message.header.link_layer_type == LinkLayerType::Ether,
        mac: message
            .attributes
            .iter()
            .find_map(|attribute| match attribute {
                LinkAttribute::Address(address) => address.as_slice().try_into().ok(),
                _ => None,
            }),
        ..Interface::default()
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
