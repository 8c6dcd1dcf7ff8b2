//! Packets that are too large: for XDP, or for a way with a header more.

use std::collections::BTreeSet;
use std::net::IpAddr;

use rlvs_control::model::{ForwardingMethod, Tunnel};
use rlvs_network::Link;

use super::{driver, kernel, reverse_path, vip};
use crate::facts::{
    DefaultRoute, Destination, DirectorFacts, Facts, Interface, RealServerFacts, Running, Service,
    XdpMode,
};
use crate::finding::Finding;

const JUMBO: &str = "jumbo-mtu";
const TUNNEL: &str = "tunnel-mtu";
const SEGMENT: &str = "tunnel-mss";

/// Interfaces that could run the program in the driver but for their MTU.
pub(super) fn jumbo(facts: &Facts, known: &DirectorFacts) -> Vec<Finding> {
    let release = kernel::numbers(&known.kernel.release).unwrap_or_default();
    let of_interface = |interface: &Interface| {
        let driver = interface.driver.as_deref().unwrap_or_default();
        let able = interface.kind.is_none() && driver::is_native(driver, release);
        let mtu = interface.mtu;
        let finding = match interface.mode() {
            _ if mtu <= Link::ONE_PIECE || !able => Finding::ok(JUMBO, format!("{mtu}")),
            Some(XdpMode::Native | XdpMode::Offloaded) => {
                Finding::ok(JUMBO, format!("{mtu}, which the driver takes with XDP"))
            }
            _ => Finding::note(
                JUMBO,
                format!("an MTU of {mtu} is more than some drivers take with XDP"),
            )
            .means("the program is then in traffic control, at a higher cost")
            .mend(format!(
                "ip link set dev {} mtu {}",
                interface.name,
                Link::ONE_PIECE
            )),
        };
        finding.about(&interface.name)
    };
    facts.served(&known.director).map(of_interface).collect()
}

/// Whether what comes in for a virtual address fits into the tunnels to its real servers.
pub(super) fn tunnel(facts: &Facts, running: &Running) -> Vec<Finding> {
    let mut seen = BTreeSet::new();
    let tunnels = running.destinations().filter_map(|(service, destination)| {
        let ForwardingMethod::Tunnel(tunnel) = destination.method else {
            return None;
        };
        let room = destination
            .path_mtu?
            .saturating_sub(overhead(&tunnel, destination.key.address));
        let largest = largest(facts, service)?;
        seen.insert((destination.key.address, room, largest.mtu))
            .then(|| fits(destination, room, largest))
    });
    tunnels.collect()
}

/// Real servers behind a tunnel say to clients how large a segment may be: as large as the tunnel
/// takes.
pub(super) fn segments(facts: &Facts, known: &RealServerFacts) -> Vec<Finding> {
    let overheads = reverse_path::tunnels(facts).map(|tunnel| match tunnel.kind.as_deref() {
        Some("gre") => 24,
        Some("ip6tnl") => 40,
        Some("ip6gre") => 44,
        _ => 20,
    });
    let Some(overhead) = overheads.max() else {
        return vec![Finding::ok(SEGMENT, "no tunnel is up")];
    };
    let routes = known.default_routes.iter();
    routes
        .filter_map(|route| advertised(facts, route, overhead))
        .collect()
}

fn advertised(facts: &Facts, route: &DefaultRoute, overhead: u32) -> Option<Finding> {
    let interface = facts.interface(route.interface)?;
    let (gateway, name) = (route.gateway, &interface.name);
    let (ip, headers) = if gateway.is_ipv4() {
        ("ip", 40)
    } else {
        ("ip -6", 60)
    };
    let most = interface.mtu.saturating_sub(overhead + headers);
    let finding = match route.advmss {
        Some(size) if size <= most => Finding::ok(SEGMENT, format!("{size} bytes at most")),
        _ => {
            let metric = route.metric.map(|metric| format!(" metric {metric}"));
            let metric = metric.unwrap_or_default();
            Finding::note(
                SEGMENT,
                format!("TCP segments above {most} bytes do not fit the tunnel"),
            )
            .means("large uploads stall where ICMP is filtered, unless the network's MTU is higher")
            .mend(format!(
                "{ip} route change default via {gateway} dev {name}{metric} advmss {most}"
            ))
        }
    };
    Some(finding.about(format!("default via {gateway}")))
}

fn fits(destination: &Destination, room: u32, incoming: &Interface) -> Finding {
    let address = destination.key.address;
    let largest = incoming.mtu;
    if room >= largest {
        return Finding::ok(TUNNEL, format!("takes packets of {room} bytes")).about(address);
    }
    let finding = Finding::note(
        TUNNEL,
        format!("packets above {room} bytes do not fit the tunnel; {largest} may come in"),
    );
    let finding = finding.about(address);
    let further = destination.next_hop.as_ref().ok();
    match (further, destination.path_mtu) {
        (Some(further), Some(path)) if *further != incoming.name => finding
            .means(
                "large uploads stall where ICMP is filtered; if the network takes larger frames:",
            )
            .mend(format!(
                "ip link set dev {further} mtu {}",
                largest + path - room
            )),
        _ => finding.means(
            "large uploads stall where ICMP is filtered; `rlvs doctor --real-server` there has \
             the remedy",
        ),
    }
}

/// The interface that the service's packets come in by: the one with its address, else the one
/// that lets in the largest.
fn largest<'a>(facts: &'a Facts, service: &Service) -> Option<&'a Interface> {
    let vip = vip::address(&service.key);
    let own = vip.and_then(|vip| {
        let mut places = vip::places(facts, vip).filter(|(place, _)| !place.loopback);
        places.next().map(|(place, _)| place)
    });
    own.or_else(|| facts.segments().max_by_key(|segment| segment.mtu))
}

/// Bytes that a tunnel puts before a packet.
fn overhead(tunnel: &Tunnel, outer: IpAddr) -> u32 {
    let ip = if outer.is_ipv4() { 20 } else { 40 };
    ip + match tunnel {
        Tunnel::Ipip => 0,
        Tunnel::Gre { checksum: false } => 4,
        Tunnel::Gre { checksum: true } => 8,
        // Of UDP and GUE.
        Tunnel::Gue { .. } => 8 + 4,
    }
}

#[cfg(test)]
mod tests {
    use rlvs_control::model::GueChecksum;

    use super::*;
    use crate::Severity::{Note, Ok};
    use crate::check::sample::{self, card, facts, faults, machine, running, xdp};

    #[test]
    fn jumbo_frames_are_noted_where_the_driver_could() {
        let mut facts = facts();
        facts.interfaces[1].mtu = 9000;
        let findings = jumbo(&facts, &machine());
        assert_eq!(faults(&findings), [("jumbo-mtu eth0".to_owned(), Note)]);
        assert_eq!(findings[0].mend, ["ip link set dev eth0 mtu 3498"]);
        facts.interfaces[1].xdp = vec![xdp(XdpMode::Native, true)];
        assert_eq!(faults(&jumbo(&facts, &machine())), []);
    }

    #[test]
    fn a_tunnel_needs_room() {
        let mut facts = facts();
        facts.interfaces.push(card(3, "eth1"));
        let mut running = running(ForwardingMethod::Tunnel(Tunnel::Ipip));
        running.services[0].destinations[0].next_hop = Result::Ok("eth1".into());
        let findings = tunnel(&facts, &running);
        assert_eq!(
            faults(&findings),
            [("tunnel-mtu 10.0.0.11".to_owned(), Note)]
        );
        assert_eq!(findings[0].mend, ["ip link set dev eth1 mtu 1520"]);
        running.services[0].destinations[0].path_mtu = Some(1520);
        assert_eq!(tunnel(&facts, &running)[0].severity, Ok);
    }

    #[test]
    fn with_one_arm_the_remedy_is_elsewhere() {
        let running = running(ForwardingMethod::Tunnel(Tunnel::Ipip));
        assert!(tunnel(&facts(), &running)[0].mend.is_empty());
    }

    #[test]
    fn headers_of_tunnels() {
        let v4 = sample::address("10.0.0.11");
        let gue = |checksum| Tunnel::Gue {
            port: 6080,
            checksum,
        };
        assert_eq!(overhead(&Tunnel::Ipip, v4), 20);
        assert_eq!(overhead(&Tunnel::Ipip, sample::address("fd00::1")), 40);
        assert_eq!(overhead(&Tunnel::Gre { checksum: true }, v4), 28);
        assert_eq!(overhead(&gue(GueChecksum::None), v4), 32);
        assert_eq!(overhead(&gue(GueChecksum::Remote), v4), 32);
    }

    #[test]
    fn a_real_server_behind_a_tunnel_announces_less() {
        let mut facts = facts();
        let mut known = RealServerFacts {
            report: None,
            default_routes: vec![DefaultRoute {
                interface: 2,
                gateway: sample::address("10.0.0.1"),
                metric: Some(100),
                advmss: None,
            }],
        };
        assert_eq!(faults(&segments(&facts, &known)), []);
        facts.interfaces.push(Interface {
            kind: Some("ipip".into()),
            ..card(3, "tunl0")
        });
        let finding = &segments(&facts, &known)[0];
        assert_eq!(finding.severity, Note);
        let command = "ip route change default via 10.0.0.1 dev eth0 metric 100 advmss 1440";
        assert_eq!(finding.mend, [command]);
        known.default_routes[0].advmss = Some(1440);
        assert_eq!(segments(&facts, &known)[0].severity, Ok);
    }
}
