//! The routing tables that rules lead packets to: their only way is the device.

use std::collections::BTreeSet;
use std::net::IpAddr;

use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use rustix::io::Errno;

use super::{ADDRESSES, Error, TABLE, refused};
use crate::neighbour::PROTOCOL;
use crate::requests::Requests;

/// Whatever the address.
pub(crate) fn to_all(requests: &Requests, index: u32, family: AddressFamily) -> Result<(), Error> {
    add(requests, TABLE, route(index, family, TABLE, None))
}

/// From just these addresses, whatever was there.
pub(crate) fn to_addresses(
    index: u32,
    family: AddressFamily,
    addresses: &BTreeSet<IpAddr>,
) -> Result<(), Error> {
    let requests = Requests::strict()?;
    let present = present(&requests, family)?;
    let to = |address: &IpAddr| route(index, family, ADDRESSES, Some(*address));
    for address in addresses.difference(&present) {
        add(&requests, ADDRESSES, to(address))?;
    }
    for address in present.difference(addresses) {
        let mut message = to(address);
        // Of whatever device.
        let is_device = |attribute: &RouteAttribute| matches!(attribute, RouteAttribute::Oif(_));
        message.attributes.retain(|attribute| !is_device(attribute));
        match requests.change(RouteNetlinkMessage::DelRoute(message), 0) {
            Ok(()) | Err(Errno::SRCH) => {}
            Err(error) => return Err(refused(&named(ADDRESSES), error)),
        }
    }
    Ok(())
}

fn present(requests: &Requests, family: AddressFamily) -> Result<BTreeSet<IpAddr>, Error> {
    let mut message = RouteMessage::default();
    message.header.address_family = family;
    message.attributes = vec![RouteAttribute::Table(ADDRESSES)];
    match requests.list(RouteNetlinkMessage::GetRoute(message)) {
        Ok(routes) => Ok(routes.iter().filter_map(destination).collect()),
        // There is no such table yet, or no IPv6.
        Err(Errno::NOENT | Errno::AFNOSUPPORT | Errno::OPNOTSUPP) => Ok(BTreeSet::new()),
        Err(error) => Err(refused(&named(ADDRESSES), error)),
    }
}

fn destination(message: &RouteNetlinkMessage) -> Option<IpAddr> {
    let RouteNetlinkMessage::NewRoute(route) = message else {
        return None;
    };
    let is_ours = |attribute: &RouteAttribute| *attribute == RouteAttribute::Table(ADDRESSES);
    if !route.attributes.iter().any(is_ours) {
        return None;
    }
    route
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            RouteAttribute::Destination(RouteAddress::Inet(address)) => Some(IpAddr::V4(*address)),
            RouteAttribute::Destination(RouteAddress::Inet6(address)) => Some(IpAddr::V6(*address)),
            _ => None,
        })
}

fn route(index: u32, family: AddressFamily, table: u32, to: Option<IpAddr>) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family;
    message.header.table = RouteHeader::RT_TABLE_UNSPEC;
    message.header.protocol = PROTOCOL;
    message.header.scope = match family {
        AddressFamily::Inet => RouteScope::Link,
        _ => RouteScope::Universe,
    };
    message.header.kind = RouteType::Unicast;
    message.attributes = vec![RouteAttribute::Table(table), RouteAttribute::Oif(index)];
    if let Some(address) = to {
        let (length, address) = match address {
            IpAddr::V4(address) => (32, RouteAddress::Inet(address)),
            IpAddr::V6(address) => (128, RouteAddress::Inet6(address)),
        };
        message.header.destination_prefix_length = length;
        message
            .attributes
            .push(RouteAttribute::Destination(address));
    }
    message
}

fn add(requests: &Requests, table: u32, message: RouteMessage) -> Result<(), Error> {
    let message = RouteNetlinkMessage::NewRoute(message);
    match requests.change(message, NLM_F_CREATE | NLM_F_EXCL) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(refused(&named(table), error)),
    }
}

fn named(table: u32) -> String {
    format!("route in table {table}")
}
