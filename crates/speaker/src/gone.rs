//! Routes and rules that somebody has taken away, as the kernel tells of them.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use futures::StreamExt;
use ipnet::IpNet;
use rtnetlink::MulticastGroup;
use rtnetlink::packet_core::NetlinkPayload;
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteMessage};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use tokio::sync::mpsc::UnboundedSender;

const GROUPS: [MulticastGroup; 4] = [
    MulticastGroup::Ipv4Route,
    MulticastGroup::Ipv4Rule,
    MulticastGroup::Ipv6Route,
    MulticastGroup::Ipv6Rule,
];

/// How long it takes to listen again.
const PERIOD: Duration = Duration::from_secs(5);

/// Something that is there no longer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Gone {
    /// To there.
    Route(IpNet),
    Rule,
    /// An interface, or an address: routes may have gone with it, of which the kernel says nothing.
    Below,
    /// News were lost: it may be anything.
    Anything,
}

/// Tells of all that goes, until nobody listens.
pub(crate) async fn follow(gone: UnboundedSender<Gone>) {
    while !gone.is_closed() {
        if let Err(error) = follow_once(&gone).await {
            tracing::warn!(%error, "VRRP is not told of routes that go");
        }
        tokio::time::sleep(PERIOD).await;
        // Nothing was heard meanwhile.
        let _ = gone.send(Gone::Anything);
    }
}

async fn follow_once(gone: &UnboundedSender<Gone>) -> io::Result<()> {
    let (connection, _, mut news) = rtnetlink::new_multicast_connection(&GROUPS)?;
    let connection = tokio::spawn(connection);
    while let Some((message, _)) = news.next().await {
        if gone_by(&message.payload).is_some_and(|what| gone.send(what).is_err()) {
            break;
        }
    }
    connection.abort();
    Ok(())
}

fn gone_by(payload: &NetlinkPayload<RouteNetlinkMessage>) -> Option<Gone> {
    match payload {
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelRoute(route)) => {
            destination(route).map(Gone::Route)
        }
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelRule(_)) => Some(Gone::Rule),
        NetlinkPayload::Overrun(_) => Some(Gone::Anything),
        _ => None,
    }
}

fn destination(route: &RouteMessage) -> Option<IpNet> {
    let mut attributes = route.attributes.iter();
    let written = attributes.find_map(|attribute| match attribute {
        RouteAttribute::Destination(RouteAddress::Inet(address)) => Some(IpAddr::V4(*address)),
        RouteAttribute::Destination(RouteAddress::Inet6(address)) => Some(IpAddr::V6(*address)),
        _ => None,
    });
    let address = written.or(match route.header.address_family {
        AddressFamily::Inet => Some(IpAddr::from([0; 4])),
        AddressFamily::Inet6 => Some(IpAddr::from([0u16; 8])),
        _ => None,
    })?;
    IpNet::new(address, route.header.destination_prefix_length).ok()
}

/// Whether words of `ip route` may be about the way to there.
pub(crate) fn leads_to(words: &str, there: IpNet) -> bool {
    let is = |word: &str| match word {
        "default" => there.prefix_len() == 0,
        word => {
            let net = word.parse::<IpNet>().ok();
            let net = net.or_else(|| word.parse::<IpAddr>().ok().map(IpNet::from));
            net.is_some_and(|net| net.trunc() == there)
        }
    };
    words.split_whitespace().any(is)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_news_may_be_of_anything() {
        let lost = NetlinkPayload::Overrun(Vec::new());
        assert_eq!(gone_by(&lost), Some(Gone::Anything));
        assert_eq!(gone_by(&NetlinkPayload::Noop), None);
    }

    #[test]
    fn routes_are_known_by_where_they_lead() {
        let leads = |words: &str, there: &str| leads_to(words, there.parse().unwrap());
        let words = "src 192.0.2.1 to 198.51.100.0/24 via 192.0.2.254";
        assert!(leads(words, "198.51.100.0/24"));
        assert!(!leads(words, "198.51.101.0/24"));
        assert!(leads("default via 192.0.2.1", "0.0.0.0/0"));
        assert!(leads("2001:db8::1 dev eth0", "2001:db8::1/128"));
        assert!(leads("blackhole 198.51.100.7/24", "198.51.100.0/24"));
    }
}
