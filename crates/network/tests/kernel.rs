//! Following the real kernel, in network namespaces of the tests' own.

mod segment;

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use rlvs_network::{Unresolved, features};
use segment::{Namespace, Watcher, as_root};

const SECOND: Duration = Duration::from_secs(1);
const DIRECTOR: &[&str] = &["10.0.0.1/24", "2001:db8::1/64"];
const SERVER: &[&str] = &["10.0.0.2/24", "2001:db8::2/64", "fe80::2/64"];
const NEW_MAC: [u8; 6] = [2, 0, 0, 0, 0, 0x77];

fn segment() -> Option<(Namespace, Namespace)> {
    as_root().then(|| {
        let (director, server) = (Namespace::new("dir"), Namespace::new("rs"));
        director.join(&server, DIRECTOR, SERVER);
        (director, server)
    })
}

#[test]
fn a_neighbour_on_the_link_over_both_families() {
    let Some((director, server)) = segment() else {
        return;
    };
    director.run(async || {
        let mut watcher = Watcher::new(&["10.0.0.2", "2001:db8::2"]);
        watcher.until_at("10.0.0.2", server.mac()).await;
        watcher.until_at("2001:db8::2", server.mac()).await;
        let hop = watcher.hops[&"10.0.0.2".parse::<IpAddr>().unwrap()]
            .clone()
            .unwrap();
        assert_eq!((hop.source, hop.mtu), (director.mac(), 1500));
        let eth0 = watcher
            .links
            .iter()
            .find(|link| link.name == "eth0")
            .unwrap();
        assert_eq!(
            (eth0.index, eth0.kind.as_deref()),
            (hop.interface, Some("veth"))
        );
        assert!(eth0.up && eth0.ethernet && !eth0.loopback);
        assert!(watcher.links.iter().any(|link| link.loopback));
    });
}

#[test]
fn gateways_of_either_family_and_the_mtu_of_the_route() {
    let Some((director, server)) = segment() else {
        return;
    };
    director.ip("route add 10.1.0.0/16 via 10.0.0.2 mtu 1400");
    director.ip("route add 10.2.0.0/16 via inet6 fe80::2 dev eth0");
    director.ip("route add 2001:db8:1::/48 via fe80::2 dev eth0");
    director.run(async || {
        let addresses = ["10.1.0.7", "10.2.0.7", "2001:db8:1::7"];
        let mut watcher = Watcher::new(&addresses);
        for address in addresses {
            watcher.until_at(address, server.mac()).await;
        }
        let hop = watcher.hops[&"10.1.0.7".parse::<IpAddr>().unwrap()]
            .clone()
            .unwrap();
        assert_eq!((hop.mtu, hop.local), (1400, Some([10, 0, 0, 1].into())));
    });
}

#[test]
fn each_reason_is_told() {
    let Some((director, _server)) = segment() else {
        return;
    };
    director.ip("route add unreachable 10.9.1.0/24");
    director.ip("route add prohibit 10.9.2.0/24");
    director.ip("route add blackhole 10.9.3.0/24");
    director.ip("route add prohibit 2001:db8:9::/48");
    director.ip("route add 10.9.4.0/24 dev lo");
    director.run(async || {
        let reasons = [
            ("10.9.1.1", Unresolved::Unreachable),
            ("10.9.2.1", Unresolved::Prohibited),
            ("10.9.3.1", Unresolved::Blackhole),
            ("2001:db8:9::1", Unresolved::Prohibited),
            (
                "10.9.4.1",
                Unresolved::NotEthernet {
                    interface: "lo".into(),
                },
            ),
            ("192.0.2.1", Unresolved::NoRoute),
            ("2001:db8:ffff::1", Unresolved::NoRoute),
            ("10.0.0.1", Unresolved::Local),
            ("2001:db8::1", Unresolved::Local),
            ("10.0.0.255", Unresolved::NotUnicast),
            ("10.0.0.99", no_answer("10.0.0.99")),
            ("2001:db8::99", no_answer("2001:db8::99")),
        ];
        let mut watcher = Watcher::new(&reasons.clone().map(|(address, _)| address));
        for (address, reason) in reasons {
            watcher.until_not(address, reason).await;
        }
        let told = watcher.listen(5 * SECOND).await;
        assert_eq!(told, 0, "silence is told once: {:?}", watcher.hops);
    });
}

#[test]
fn a_mac_change_the_kernel_knows_of_is_followed_within_a_second() {
    let Some((director, server)) = segment() else {
        return;
    };
    director.run(async || {
        let mut watcher = Watcher::new(&["10.0.0.2", "2001:db8::2"]);
        watcher.until_at("10.0.0.2", server.mac()).await;
        watcher.until_at("2001:db8::2", server.mac()).await;
        for address in ["10.0.0.2", "2001:db8::2"] {
            director.ip(&format!(
                "neigh change {address} lladdr 02:00:00:00:00:77 dev eth0 nud reachable"
            ));
            watcher.until_at(address, NEW_MAC).await;
        }
    });
}

#[test]
fn a_silent_mac_change_heals_in_seconds() {
    let Some((director, server)) = segment() else {
        return;
    };
    director.run(async || {
        let mut watcher = Watcher::new(&["10.0.0.2", "2001:db8::2"]);
        watcher.until_at("10.0.0.2", server.mac()).await;
        watcher.until_at("2001:db8::2", server.mac()).await;
        watcher.listen(SECOND).await;
        server.ip("link set eth0 address 02:00:00:00:00:77");
        let v4 = watcher.until_at("10.0.0.2", NEW_MAC).await;
        let v6 = watcher.until_at("2001:db8::2", NEW_MAC).await;
        println!("healed after {v4:?} (IPv4) and {v6:?} more (IPv6)");
    });
}

#[test]
fn a_server_that_is_away_and_comes_back_with_another_mac() {
    let Some((director, server)) = segment() else {
        return;
    };
    director.run(async || {
        let mut watcher = Watcher::new(&["10.0.0.2"]);
        watcher.until_at("10.0.0.2", server.mac()).await;
        server.ip("addr del 10.0.0.2/24 dev eth0");
        watcher.until_not("10.0.0.2", no_answer("10.0.0.2")).await;
        server.ip("link set eth0 address 02:00:00:00:00:77");
        server.ip("addr add 10.0.0.2/24 dev eth0");
        watcher.until_at("10.0.0.2", NEW_MAC).await;
    });
}

#[test]
fn a_link_that_goes_down_is_deleted_and_made_again() {
    let Some((director, server)) = segment() else {
        return;
    };
    director.run(async || {
        let mut watcher = Watcher::new(&["10.0.0.2"]);
        watcher.until_at("10.0.0.2", server.mac()).await;
        server.ip("link set eth0 down");
        let down = Unresolved::LinkDown {
            interface: "eth0".into(),
        };
        watcher.until_not("10.0.0.2", down).await;
        server.ip("link set eth0 up");
        watcher.until_at("10.0.0.2", server.mac()).await;
        director.ip("link set eth0 down");
        watcher.until_not("10.0.0.2", Unresolved::NoRoute).await;
        director.ip("link set eth0 up");
        watcher.until_at("10.0.0.2", server.mac()).await;
        director.ip("link del eth0");
        watcher.until_not("10.0.0.2", Unresolved::NoRoute).await;
        assert!(watcher.links.iter().all(|link| link.name != "eth0"));
        director.join(&server, DIRECTOR, SERVER);
        watcher.until_at("10.0.0.2", server.mac()).await;
    });
}

#[test]
fn what_a_device_does_for_the_stack_is_followed() {
    let Some((director, _server)) = segment() else {
        return;
    };
    let strips = |watcher: &Watcher| {
        let eth0 = watcher.links.iter().find(|link| link.name == "eth0");
        eth0.is_some_and(|link| link.has(features::VLAN_STRIPPING))
    };
    director.run(async || {
        let mut watcher = Watcher::new(&[]);
        watcher.until(strips).await;
        director.ethtool("-K eth0 rxvlan off");
        watcher.until(|it| !strips(it)).await;
    });
}

#[test]
fn a_changed_route_or_rule_is_followed_within_a_second() {
    let Some((director, server)) = segment() else {
        return;
    };
    director.ip("route add 10.1.0.0/16 via 10.0.0.2");
    director.ip("route add prohibit 10.1.0.0/16 table 100");
    director.run(async || {
        let mut watcher = Watcher::new(&["10.1.0.7"]);
        watcher.until_at("10.1.0.7", server.mac()).await;
        director.ip("rule add to 10.1.0.0/16 lookup 100");
        watcher.until_not("10.1.0.7", Unresolved::Prohibited).await;
        director.ip("rule del to 10.1.0.0/16 lookup 100");
        watcher.until_at("10.1.0.7", server.mac()).await;
        director.ip("route del 10.1.0.0/16");
        watcher.until_not("10.1.0.7", Unresolved::NoRoute).await;
    });
}

#[test]
fn a_flushed_entry_does_not_take_the_hop_away() {
    let Some((director, server)) = segment() else {
        return;
    };
    director.run(async || {
        let mut watcher = Watcher::new(&["10.0.0.2"]);
        watcher.until_at("10.0.0.2", server.mac()).await;
        watcher.listen(SECOND).await;
        director.ip("neigh del 10.0.0.2 dev eth0");
        assert_eq!(watcher.listen(2 * SECOND).await, 0);
        assert!(neighbour(&director, "10.0.0.2").contains("managed"));
    });
}

#[test]
fn neighbours_are_managed_while_watched_and_handed_back() {
    let Some((director, server)) = segment() else {
        return;
    };
    director.run(async || {
        let mut watcher = Watcher::new(&["10.0.0.2", "2001:db8::2"]);
        watcher.until_at("10.0.0.2", server.mac()).await;
        watcher.until_at("2001:db8::2", server.mac()).await;
        assert!(neighbour(&director, "10.0.0.2").contains("managed"));
        watcher
            .network
            .watch(["2001:db8::2".parse().unwrap()].into());
        watcher.listen(SECOND).await;
        assert!(!neighbour(&director, "10.0.0.2").contains("managed"));
        assert!(neighbour(&director, "2001:db8::2").contains("managed"));
        watcher.network.release().await;
        let left = neighbour(&director, "2001:db8::2");
        assert!(
            left.contains("lladdr") && !left.contains("managed"),
            "{left}"
        );
    });
}

#[test]
fn what_a_daemon_left_behind_is_taken_over_or_let_go() {
    let Some((director, server)) = segment() else {
        return;
    };
    server.ip("addr add 10.0.0.3/24 dev eth0");
    director.run(async || {
        let mut killed = Watcher::new(&["10.0.0.2", "10.0.0.3"]);
        killed.until_at("10.0.0.2", server.mac()).await;
        killed.until_at("10.0.0.3", server.mac()).await;
        drop(killed);
        let mut next = Watcher::new(&["10.0.0.2"]);
        next.until_at("10.0.0.2", server.mac()).await;
        next.listen(11 * SECOND).await;
        assert!(neighbour(&director, "10.0.0.2").contains("managed"));
        assert!(!neighbour(&director, "10.0.0.3").contains("managed"));
    });
}

#[test]
fn a_static_neighbour_stays_as_it_is() {
    let Some((director, _server)) = segment() else {
        return;
    };
    director.ip("neigh add 10.0.0.50 lladdr 02:00:00:00:00:77 dev eth0 nud permanent");
    director.run(async || {
        let mut watcher = Watcher::new(&["10.0.0.50"]);
        watcher.until_at("10.0.0.50", NEW_MAC).await;
        watcher.listen(3 * SECOND).await;
        watcher.network.release().await;
        let left = neighbour(&director, "10.0.0.50");
        assert!(
            left.contains("PERMANENT") && !left.contains("managed"),
            "{left}"
        );
    });
}

#[test]
fn news_lost_in_a_flood_is_made_up_for() {
    let Some((director, server)) = segment() else {
        return;
    };
    director.run(async || {
        let mut watcher = Watcher::new(&["10.0.0.2"]);
        watcher.until_at("10.0.0.2", server.mac()).await;
        watcher.listen(SECOND).await;
        // No one reads the socket meanwhile: this thread is the follower's, too.
        let entry = |n: u32| {
            let address = Ipv4Addr::from_bits(0x0a40_0000 + n);
            format!("neigh add {address} lladdr 02:00:00:00:00:01 dev eth0 nud permanent\n")
        };
        director.ip_batch(&(0..40_000).map(entry).collect::<String>());
        director.ip("neigh change 10.0.0.2 lladdr 02:00:00:00:00:77 dev eth0 nud permanent");
        assert!(dropped() > 0, "the socket's buffer held it all");
        watcher.until_at("10.0.0.2", NEW_MAC).await;
    });
}

#[test]
fn forty_thousand_addresses_behind_a_gateway() {
    let Some((director, server)) = segment() else {
        return;
    };
    director.ip("route add 10.64.0.0/16 via 10.0.0.2");
    director.run(async || {
        let mut watcher = Watcher::new(&[]);
        let address = |low: u32| IpAddr::V4(Ipv4Addr::from_bits(0x0a40_0000 + low));
        let addresses: HashSet<IpAddr> = (1..=40_000).map(address).collect();
        watcher.network.watch(addresses);
        let all = |watcher: &Watcher| {
            let resolved = watcher.hops.values().filter(|hop| hop.is_ok());
            resolved.count() == 40_000
        };
        let mac = server.mac();
        let _ = watcher.until_at("10.64.0.1", mac).await;
        let start = std::time::Instant::now();
        while !all(&watcher) {
            assert!(start.elapsed() < 30 * SECOND);
            watcher.listen(Duration::from_millis(100)).await;
        }
        assert!(
            watcher
                .hops
                .values()
                .all(|hop| hop.as_ref().unwrap().destination == mac)
        );
    });
}

/// Messages that netlink sockets of this thread's network namespace had no room for.
fn dropped() -> u32 {
    let sockets = std::fs::read_to_string("/proc/thread-self/net/netlink").unwrap();
    let drops = |line: &str| {
        line.split_whitespace()
            .nth(8)
            .unwrap()
            .parse::<u32>()
            .unwrap()
    };
    sockets.lines().skip(1).map(drops).sum()
}

fn no_answer(address: &str) -> Unresolved {
    Unresolved::NoAnswer {
        neighbour: address.parse().unwrap(),
        interface: "eth0".into(),
    }
}

fn neighbour(namespace: &Namespace, address: &str) -> String {
    namespace.ip(&format!("neigh show {address} dev eth0"))
}
