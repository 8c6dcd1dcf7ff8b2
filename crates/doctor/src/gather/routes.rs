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

#[cfg(test)]
mod tests {
    use super::*;

    const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

    fn route(length: u8, metrics: Vec<RouteMetric>) -> RouteMessage {
        let mut route = message(Ipv4Addr::new(10, 1, 0, 0).into(), length);
        route.attributes.extend([
            RouteAttribute::Oif(3),
            RouteAttribute::Gateway(RouteAddress::Inet(GATEWAY)),
            RouteAttribute::Priority(100),
            RouteAttribute::Metrics(metrics),
        ]);
        route
    }

    #[test]
    fn the_smaller_mtu_counts() {
        let eth1 = Interface {
            index: 3,
            mtu: 1500,
            ..Interface::default()
        };
        let mtu = |metrics| path_mtu(std::slice::from_ref(&eth1), &route(16, metrics));
        assert_eq!(mtu(vec![]), Some(1500));
        assert_eq!(mtu(vec![RouteMetric::Mtu(1400)]), Some(1400));
        assert_eq!(mtu(vec![RouteMetric::Mtu(9000)]), Some(1500));
    }

    #[test]
    fn a_default_route_is_one_without_a_prefix() {
        assert!(default(&route(16, vec![])).is_none());
        let found = default(&route(0, vec![RouteMetric::Advmss(1440)])).unwrap();
        assert_eq!((found.interface, found.gateway), (3, GATEWAY.into()));
        assert_eq!((found.metric, found.advmss), (Some(100), Some(1440)));
    }

    #[test]
    fn the_kernel_answers() {
        let looked = crate::gather::run(async |handle| {
            defaults(&handle).await?;
            Ok(look_up(&handle, Ipv4Addr::LOCALHOST.into()).await)
        });
        assert!(interface(&looked.unwrap().unwrap()).is_some());
    }
}
