//! What a message of the kernel's multicast groups changes.

use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::packet_core::{NetlinkMessage, NetlinkPayload};

use crate::Link;
use crate::neighbour::{Key, Neighbour};
use crate::route::Prefix;

/// One change in the kernel.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Change {
    Link(Link),
    LinkGone(u32),
    Neighbour(Key, Neighbour),
    NeighbourGone(Key),
    /// The way to addresses in this range.
    Routes(Prefix),
    /// Rules or own addresses: any route may be another.
    AllRoutes,
    /// The socket's buffer overran: anything may have changed.
    Lost,
}

/// Reads a message; none where it is of no concern.
pub(crate) fn read(message: &NetlinkMessage<RouteNetlinkMessage>) -> Option<Change> {
    match &message.payload {
        NetlinkPayload::Overrun(_) => Some(Change::Lost),
        NetlinkPayload::InnerMessage(message) => inner(message),
        _ => None,
    }
}

fn inner(message: &RouteNetlinkMessage) -> Option<Change> {
    match message {
        // A bridge tells of its ports in link messages of its own family, and a port that
        // leaves the bridge is no link that is gone.
        RouteNetlinkMessage::NewLink(link) | RouteNetlinkMessage::DelLink(link)
            if link.header.interface_family != AddressFamily::Unspec =>
        {
            None
        }
        RouteNetlinkMessage::NewLink(link) => Link::read(link).map(Change::Link),
        RouteNetlinkMessage::DelLink(link) => Some(Change::LinkGone(link.header.index)),
        RouteNetlinkMessage::NewNeighbour(entry) => {
            Neighbour::read(entry).map(|(key, entry)| Change::Neighbour(key, entry))
        }
        RouteNetlinkMessage::DelNeighbour(entry) => {
            Neighbour::read(entry).map(|(key, _)| Change::NeighbourGone(key))
        }
        RouteNetlinkMessage::NewRoute(route) | RouteNetlinkMessage::DelRoute(route) => {
            Prefix::read(route).map(Change::Routes)
        }
        RouteNetlinkMessage::NewAddress(_)
        | RouteNetlinkMessage::DelAddress(_)
        | RouteNetlinkMessage::NewRule(_)
        | RouteNetlinkMessage::DelRule(_) => Some(Change::AllRoutes),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use netlink_packet_route::link::{LinkAttribute, LinkMessage};
    use netlink_packet_route::route::RouteMessage;
    use netlink_packet_route::rule::RuleMessage;

    use super::*;

    fn link(family: AddressFamily) -> LinkMessage {
        let mut link = LinkMessage::default();
        link.header.interface_family = family;
        link.header.index = 5;
        link.attributes.push(LinkAttribute::IfName("eth0".into()));
        link
    }

    #[test]
    fn a_port_leaving_its_bridge_is_still_there() {
        let gone = |family| inner(&RouteNetlinkMessage::DelLink(link(family)));
        assert_eq!(gone(AddressFamily::Bridge), None);
        assert_eq!(gone(AddressFamily::Unspec), Some(Change::LinkGone(5)));
    }

    #[test]
    fn rules_concern_every_route() {
        let rule = RouteNetlinkMessage::NewRule(RuleMessage::default());
        assert_eq!(inner(&rule), Some(Change::AllRoutes));
    }

    #[test]
    fn routes_concern_their_range() {
        let mut route = RouteMessage::default();
        route.header.address_family = AddressFamily::Inet6;
        let change = inner(&RouteNetlinkMessage::DelRoute(route)).unwrap();
        let Change::Routes(prefix) = change else {
            panic!("{change:?}")
        };
        assert!(prefix.contains(&"2001:db8::1".parse().unwrap()));
    }

    #[test]
    fn an_overrun_loses_everything() {
        let mut message =
            NetlinkMessage::from(RouteNetlinkMessage::NewLink(link(AddressFamily::Unspec)));
        message.payload = NetlinkPayload::Overrun(Vec::new());
        assert_eq!(read(&message), Some(Change::Lost));
    }
}
