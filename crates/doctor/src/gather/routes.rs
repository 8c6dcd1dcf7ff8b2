//! Routes: how large packets may be on the way to destinations, and the ways out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use futures::TryStreamExt;
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteMetric, RouteType,
};
use rtnetlink::{Handle, RouteMessageBuilder};

use super::Error;
use crate::facts::{DefaultRoute, Interface, Running};

/// Looks up how large a packet may be on the way to each destination.
pub(super) async fn measure(handle: &Handle, interfaces: &[Interface], running: &mut Running) {
    let services = running.services.iter_mut();
    for destination in services.flat_map(|service| &mut service.destinations) {
        let route = look_up(handle, destination.key.address).await;
        destination.path_mtu = route.and_then(|route| path_mtu(interfaces, &route));
    }
}

/// The default routes of the main table.
pub(super) async fn defaults(handle: &Handle) -> Result<Vec<DefaultRoute>, Error> {
    let mut found = Vec::new();
    for every in [
        IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    ] {
        let routes = handle.route().get(message(every, 0)).execute();
        let routes: Vec<_> = routes
            .try_collect()
            .await
            .map_err(|error| Error::netlink("read the routes", error))?;
        found.extend(routes.iter().filter_map(default));
    }
    Ok(found)
}

async fn look_up(handle: &Handle, address: IpAddr) -> Option<RouteMessage> {
    let length = if address.is_ipv4() { 32 } else { 128 };
    let mut answers = Box::pin(handle.route().get(message(address, length)).execute());
    answers.try_next().await.ok()?
}

/// Asks for the route to an address, or for all of its family where `length` is 0.
fn message(address: IpAddr, length: u8) -> RouteMessage {
    match address {
        IpAddr::V4(address) if length > 0 => RouteMessageBuilder::<Ipv4Addr>::new()
            .destination_prefix(address, length)
            .build(),
        IpAddr::V4(_) => RouteMessageBuilder::<Ipv4Addr>::new().build(),
        IpAddr::V6(address) if length > 0 => RouteMessageBuilder::<Ipv6Addr>::new()
            .destination_prefix(address, length)
            .build(),
        IpAddr::V6(_) => RouteMessageBuilder::<Ipv6Addr>::new().build(),
    }
}

fn path_mtu(interfaces: &[Interface], route: &RouteMessage) -> Option<u32> {
    let index = interface(route)?;
    let link = interfaces.iter().find(|it| it.index == index)?.mtu;
    let of_route = metrics(route).find_map(|metric| match metric {
        RouteMetric::Mtu(mtu) if *mtu > 0 => Some(*mtu),
        _ => None,
    });
    Some(of_route.map_or(link, |mtu| mtu.min(link)))
}

fn default(route: &RouteMessage) -> Option<DefaultRoute> {
    let header = &route.header;
    if header.destination_prefix_length != 0
        || header.table != RouteHeader::RT_TABLE_MAIN
        || header.kind != RouteType::Unicast
    {
        return None;
    }
    let gateway = route
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            RouteAttribute::Gateway(RouteAddress::Inet(address)) => Some(IpAddr::V4(*address)),
            RouteAttribute::Gateway(RouteAddress::Inet6(address)) => Some(IpAddr::V6(*address)),
            _ => None,
        });
    let advmss = metrics(route).find_map(|metric| match metric {
        RouteMetric::Advmss(size) => Some(*size),
        _ => None,
    });
    let metric = route
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            RouteAttribute::Priority(metric) => Some(*metric),
            _ => None,
        });
    Some(DefaultRoute {
        interface: interface(route)?,
        gateway: gateway?,
        metric,
        advmss,
    })
}

fn interface(route: &RouteMessage) -> Option<u32> {
    route
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            RouteAttribute::Oif(index) => Some(*index),
            _ => None,
        })
}

fn metrics(route: &RouteMessage) -> impl Iterator<Item = &RouteMetric> {
    let metrics = route
        .attributes
        .iter()
        .filter_map(|attribute| match attribute {
            RouteAttribute::Metrics(metrics) => Some(metrics),
            _ => None,
        });
    metrics.flatten()
}
