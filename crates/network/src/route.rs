//! What the kernel says about the way to an address.

use std::net::IpAddr;

use netlink_packet_route::AddressFamily;
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteMessage, RouteMetric, RouteType, RouteVia,
};
use rustix::io::Errno;

use crate::Unresolved;

/// The outcome of a route look-up.
pub(crate) type Route = Result<Path, Unresolved>;

/// A way out: an interface, and the neighbour on it that takes the packet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Path {
    pub(crate) interface: u32,
    /// The gateway, or the address itself where it is on the link.
    pub(crate) neighbour: IpAddr,
    /// The route's own MTU, where it has one.
    pub(crate) mtu: Option<u32>,
    /// The address of this host that the kernel would send from.
    pub(crate) local: Option<IpAddr>,
}

/// Reads the kernel's answer to a look-up of `address`.
pub(crate) fn read(address: IpAddr, message: &RouteMessage) -> Route {
    refuse(message.header.kind)?;
    let mut path = Path {
        interface: 0,
        neighbour: address,
        mtu: None,
        local: None,
    };
    for attribute in &message.attributes {
        path.take(attribute)?;
    }
    if path.interface == 0 {
        Err(Unresolved::NoRoute)
    } else {
        Ok(path)
    }
}

/// Reads the error of a refused look-up. The kernel answers with the one that a packet's sender
/// would see (`fib_props` in net/ipv4/fib_semantics.c).
pub(crate) fn refused(error: Errno) -> Unresolved {
    match error {
        Errno::NETUNREACH | Errno::AGAIN => Unresolved::NoRoute,
        Errno::HOSTUNREACH => Unresolved::Unreachable,
        Errno::ACCESS => Unresolved::Prohibited,
        Errno::INVAL => Unresolved::Blackhole,
        other => Unresolved::LookupFailed {
            reason: other.to_string(),
        },
    }
}

/// A range of addresses whose routes may have changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Prefix {
    address: IpAddr,
    length: u8,
}

impl Prefix {
    /// The destinations of a route; none for what is not IP.
    pub(crate) fn read(message: &RouteMessage) -> Option<Self> {
        let destination = message
            .attributes
            .iter()
            .find_map(|attribute| match attribute {
                RouteAttribute::Destination(address) => ip(address),
                _ => None,
            });
        let any: IpAddr = match message.header.address_family {
            AddressFamily::Inet => [0; 4].into(),
            AddressFamily::Inet6 => [0; 16].into(),
            _ => return None,
        };
        let length = message.header.destination_prefix_length;
        Some(Self {
            address: destination.unwrap_or(any),
            length,
        })
    }

    pub(crate) fn contains(&self, address: &IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                let differ = a.to_bits() ^ b.to_bits();
                differ.leading_zeros() >= self.length.into()
            }
            (IpAddr::V6(a), IpAddr::V6(b)) => {
                let differ = a.to_bits() ^ b.to_bits();
                differ.leading_zeros() >= self.length.into()
            }
            _ => false,
        }
    }

    /// The address, where the range is only that one.
    pub(crate) fn host(&self) -> Option<IpAddr> {
        let whole = if self.address.is_ipv4() { 32 } else { 128 };
        (self.length == whole).then_some(self.address)
    }
}

impl Path {
    fn take(&mut self, attribute: &RouteAttribute) -> Result<(), Unresolved> {
        match attribute {
            RouteAttribute::Oif(index) => self.interface = *index,
            RouteAttribute::Gateway(gateway) => {
                self.neighbour = ip(gateway).unwrap_or(self.neighbour);
            }
            RouteAttribute::Via(RouteVia::Inet(gateway)) => self.neighbour = (*gateway).into(),
            RouteAttribute::Via(RouteVia::Inet6(gateway)) => self.neighbour = (*gateway).into(),
            RouteAttribute::Metrics(metrics) => self.mtu = mtu(metrics),
            RouteAttribute::PrefSource(local) => self.local = ip(local),
            RouteAttribute::EncapType(_) | RouteAttribute::Encap(_) => {
                return Err(Unresolved::Encapsulated);
            }
            _ => {}
        }
        Ok(())
    }
}

fn refuse(kind: RouteType) -> Result<(), Unresolved> {
    match kind {
        RouteType::Unicast => Ok(()),
        RouteType::Local => Err(Unresolved::Local),
        RouteType::Prohibit => Err(Unresolved::Prohibited),
        RouteType::BlackHole => Err(Unresolved::Blackhole),
        RouteType::Unreachable => Err(Unresolved::Unreachable),
        RouteType::Broadcast | RouteType::Multicast | RouteType::Anycast => {
            Err(Unresolved::NotUnicast)
        }
        _ => Err(Unresolved::NoRoute),
    }
}

fn mtu(metrics: &[RouteMetric]) -> Option<u32> {
    metrics.iter().find_map(|metric| match metric {
        RouteMetric::Mtu(mtu) if *mtu > 0 => Some(*mtu),
        _ => None,
    })
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some((*address).into()),
        RouteAddress::Inet6(address) => Some((*address).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: RouteType, attributes: Vec<RouteAttribute>) -> RouteMessage {
        let mut message = RouteMessage::default();
        message.header.address_family = AddressFamily::Inet;
        message.header.kind = kind;
        message.attributes = attributes;
        message
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn on_the_link_the_neighbour_is_the_address_itself() {
        let rip = address("10.0.0.7");
        let route = read(
            rip,
            &message(RouteType::Unicast, vec![RouteAttribute::Oif(3)]),
        );
        assert_eq!(
            route,
            Ok(Path {
                interface: 3,
                neighbour: rip,
                mtu: None,
                local: None
            })
        );
    }

    #[test]
    fn through_a_gateway_of_either_family() {
        let gateway = address("fe80::1");
        let v6 = vec![
            RouteAttribute::Oif(3),
            RouteAttribute::Via(RouteVia::Inet6("fe80::1".parse().unwrap())),
            RouteAttribute::Metrics(vec![RouteMetric::Mtu(1400)]),
            RouteAttribute::PrefSource(RouteAddress::Inet([10, 0, 0, 5].into())),
        ];
        let route = read(address("10.1.0.7"), &message(RouteType::Unicast, v6));
        assert_eq!(
            route,
            Ok(Path {
                interface: 3,
                neighbour: gateway,
                mtu: Some(1400),
                local: Some(address("10.0.0.5"))
            })
        );
        let v4 = vec![
            RouteAttribute::Oif(3),
            RouteAttribute::Gateway(RouteAddress::Inet([10, 0, 0, 1].into())),
        ];
        let path = read(address("10.1.0.7"), &message(RouteType::Unicast, v4)).unwrap();
        assert_eq!(path.neighbour, address("10.0.0.1"));
    }

    #[test]
    fn each_kind_of_refusal_has_its_reason() {
        for (kind, reason) in [
            (RouteType::Local, Unresolved::Local),
            (RouteType::Prohibit, Unresolved::Prohibited),
            (RouteType::BlackHole, Unresolved::Blackhole),
            (RouteType::Unreachable, Unresolved::Unreachable),
            (RouteType::Broadcast, Unresolved::NotUnicast),
        ] {
            let message = message(kind, vec![RouteAttribute::Oif(1)]);
            assert_eq!(read(address("10.0.0.7"), &message), Err(reason));
        }
        assert_eq!(refused(Errno::NETUNREACH), Unresolved::NoRoute);
        assert_eq!(refused(Errno::HOSTUNREACH), Unresolved::Unreachable);
        assert_eq!(refused(Errno::ACCESS), Unresolved::Prohibited);
        assert_eq!(refused(Errno::INVAL), Unresolved::Blackhole);
        assert!(matches!(
            refused(Errno::PERM),
            Unresolved::LookupFailed { .. }
        ));
    }

    #[test]
    fn a_prefix_holds_its_addresses() {
        let mut route = message(
            RouteType::Unicast,
            vec![RouteAttribute::Destination(RouteAddress::Inet(
                [10, 1, 0, 0].into(),
            ))],
        );
        route.header.destination_prefix_length = 16;
        let prefix = Prefix::read(&route).unwrap();
        assert!(prefix.contains(&address("10.1.255.1")));
        assert!(!prefix.contains(&address("10.2.0.1")));
        assert!(!prefix.contains(&address("::1")));
        assert_eq!(prefix.host(), None);
        let default = Prefix::read(&message(RouteType::Unicast, vec![])).unwrap();
        assert!(default.contains(&address("203.0.113.1")));
        route.header.destination_prefix_length = 32;
        assert_eq!(
            Prefix::read(&route).unwrap().host(),
            Some(address("10.1.0.0"))
        );
    }
}
