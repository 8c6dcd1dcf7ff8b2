//! Interfaces with their addresses, over netlink.
//!
//! `/sys/class/net` would be simpler for some of it, but shows the network namespace that it was
//! mounted in, which need not be this one. Drivers are read below `/sys/bus`, which has none.

use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;

use futures::TryStreamExt;
use rtnetlink::Handle;
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage};
use rtnetlink::packet_route::link::{
    LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage, LinkXdp,
};

use rlvs_network::features;

use super::Error;
use crate::facts::{Interface, Xdp, XdpMode};

pub(super) async fn read(handle: &Handle) -> Result<Vec<Interface>, Error> {
    let failed = |error| Error::netlink("read the interfaces", error);
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
    let mut features = features::read().await;
    let mut interfaces: Vec<_> = links.iter().map(interface).collect();
    for interface in &mut interfaces {
        let own = addresses
            .iter()
            .filter(|it| it.header.index == interface.index);
        interface.addresses = own.filter_map(address).collect();
        interface.features = features.remove(&interface.index).unwrap_or_default();
    }
    Ok(interfaces)
}

fn interface(message: &LinkMessage) -> Interface {
    let flags = message.header.flags;
    let mut interface = Interface {
        index: message.header.index,
        up: flags.contains(LinkFlags::Up | LinkFlags::LowerUp),
        loopback: flags.contains(LinkFlags::Loopback),
        ethernet: message.header.link_layer_type == LinkLayerType::Ether,
        driver: driver(message),
        ..Interface::default()
    };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => interface.name.clone_from(name),
            LinkAttribute::Mtu(mtu) => interface.mtu = *mtu,
            LinkAttribute::LinkInfo(infos) => interface.kind = kind(infos),
            LinkAttribute::Link(index) => interface.link = Some(*index),
            LinkAttribute::LinkNetNsId(_) => interface.link_elsewhere = true,
            LinkAttribute::Xdp(attributes) => {
                interface.xdp = attributes.iter().filter_map(program).collect();
            }
            _ => {}
        }
    }
    interface
}

fn kind(infos: &[LinkInfo]) -> Option<String> {
    infos.iter().find_map(|info| match info {
        LinkInfo::Kind(kind) => Some(kind.to_string()),
        _ => None,
    })
}

fn program(attribute: &LinkXdp) -> Option<Xdp> {
    let (mode, program) = match attribute {
        LinkXdp::DrvProgId(program) => (XdpMode::Native, *program),
        LinkXdp::SkbProgId(program) => (XdpMode::Generic, *program),
        LinkXdp::HwProgId(program) => (XdpMode::Offloaded, *program),
        _ => return None,
    };
    Some(Xdp {
        mode,
        program,
        name: None,
        link: None,
        ours: false,
    })
}

fn driver(message: &LinkMessage) -> Option<String> {
    let (mut bus, mut device) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::ParentDevBusName(name) => bus = Some(name),
            LinkAttribute::ParentDevName(name) => device = Some(name),
            _ => {}
        }
    }
    let devices = PathBuf::from("/sys/bus").join(bus?).join("devices");
    let driver = fs::read_link(devices.join(device?).join("driver")).ok()?;
    Some(driver.file_name()?.to_str()?.to_owned())
}

fn address(message: &AddressMessage) -> Option<(IpAddr, u8)> {
    let mut found = None;
    for attribute in &message.attributes {
        match attribute {
            // With a peer, this one is the own address and the other attribute is the peer's.
            AddressAttribute::Local(address) => found = Some(*address),
            AddressAttribute::Address(address) => found = found.or(Some(*address)),
            _ => {}
        }
    }
    Some((found?, message.header.prefix_len))
}
