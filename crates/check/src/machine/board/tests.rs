use core::time::Duration;

use super::*;
use crate::machine::{Through, Wanted};
use crate::spec::{Connect, Kind, Options, Via};

fn check(options: &Options) -> Check {
    Check::new(Kind::Tcp, Connect::default(), options)
}

fn service(checks: &[Check], servers: &[&str]) -> ServiceSpec {
    let member = |address: &&str| Member {
        address: address.parse().unwrap(),
        forwarding: Forwarding::Tunnel(7),
        policy: ServerPolicy {
            weight: 3,
            inhibit_on_failure: false,
            checks: checks.to_vec(),
        },
    };
    ServiceSpec {
        policy: ServicePolicy::default(),
        vip: None,
        servers: servers.iter().map(member).collect(),
    }
}

fn standing(up: bool) -> Standing {
    Standing {
        up,
        known: true,
        ..Standing::default()
    }
}

fn site(names: &[(&'static str, ServiceSpec)]) -> Vec<(&'static str, ServiceSpec)> {
    names.to_vec()
}

const ONE: &str = "192.0.2.1:80";
const TWO: &str = "192.0.2.2:80";

#[test]
fn services_share_a_check() {
    let checks = [check(&Options::default())];
    let mut board = Board::new(None);
    let both = site(&[
        ("a", service(&checks, &[ONE, TWO])),
        ("b", service(&checks, &[TWO])),
    ]);
    let reload = board.apply(both).unwrap();
    assert_eq!(reload.start.len(), 2);
    let two = reload
        .start
        .iter()
        .find(|start| start.probe.target == TWO.parse().unwrap());
    let events = board.hear(two.unwrap().id, &standing(false));
    let down: Vec<_> = events
        .iter()
        .filter_map(|(key, event)| match event {
            Event::ServerDown { server } => Some((*key, *server)),
            _ => None,
        })
        .collect();
    assert_eq!(down, [("a", 1), ("b", 0)]);
    let wanted = board.service(&"b").unwrap().wanted();
    assert_eq!(
        wanted,
        Wanted {
            servers: vec![None],
            sorry_server: None
        }
    );
}

#[test]
fn what_is_unchanged_goes_on() {
    let checks = [check(&Options::default())];
    let mut board = Board::new(None);
    let first = board
        .apply(site(&[("a", service(&checks, &[ONE, TWO]))]))
        .unwrap();
    for start in &first.start {
        board.hear(start.id, &standing(false));
    }
    let again = board
        .apply(site(&[("a", service(&checks, &[TWO]))]))
        .unwrap();
    assert_eq!(
        (again.start.len(), again.stop.len(), again.events.len()),
        (0, 1, 0)
    );
    assert!(!board.service(&"a").unwrap().servers()[0].up());
    assert_eq!(board.hear(again.stop[0], &standing(true)), []);
}

#[test]
fn another_timing_keeps_the_standing() {
    let mut board = Board::new(None);
    let slow = [check(&Options::default())];
    let first = board.apply(site(&[("a", service(&slow, &[ONE]))])).unwrap();
    board.hear(first.start[0].id, &standing(false));
    let quick = [check(&Options {
        delay_loop: Some(Duration::from_secs(1)),
        ..Options::default()
    })];
    let again = board
        .apply(site(&[("a", service(&quick, &[ONE]))]))
        .unwrap();
    assert_eq!(again.start[0].standing, standing(false));
    assert_eq!(again.stop, [first.start[0].id]);
    assert_eq!(again.events, []);
}

#[test]
fn health_outlives_the_daemon() {
    let spec = || site(&[("a", service(&[check(&Options::default())], &[ONE, TWO]))]);
    let mut board = Board::new(None);
    let first = board.apply(spec()).unwrap();
    board.hear(first.start[0].id, &standing(false));
    let text = serde_json::to_string(&board.state()).unwrap();
    let state: BoardState<String> = serde_json::from_str(&text).unwrap();
    let named = spec()
        .into_iter()
        .map(|(key, spec)| (key.to_string(), spec));
    let mut again = Board::new(Some(state));
    let reload = again.apply(named.collect()).unwrap();
    assert_eq!(reload.events, []);
    let wanted = board.service(&"a").unwrap().wanted();
    assert_eq!(again.service(&"a".to_string()).unwrap().wanted(), wanted);
    let known: Vec<_> = reload
        .start
        .iter()
        .filter(|start| start.standing.known)
        .collect();
    assert_eq!((known.len(), known[0].standing.up), (1, false));
}

#[test]
fn a_service_without_its_address_asks_nothing() {
    let suspending = |spec: ServiceSpec| ServiceSpec {
        policy: ServicePolicy {
            ha_suspend: true,
            ..spec.policy
        },
        ..spec
    };
    let checks = [check(&Options::default())];
    let mut board = Board::new(None);
    let a = suspending(service(&checks, &[ONE, TWO]));
    let spec = site(&[("a", a), ("b", service(&checks, &[TWO]))]);
    let reload = board.apply(spec).unwrap();
    let one = reload
        .start
        .iter()
        .find(|start| start.probe.target == ONE.parse().unwrap());
    let one = one.unwrap().id;
    // What the other service asks, too, goes on.
    assert_eq!(board.suspend([(&"a", true)]), [(one, false)]);
    assert_eq!(board.suspend([(&"b", true)]), []);
    assert_eq!(board.suspend([(&"a", false)]), [(one, true)]);
}

#[test]
fn a_check_by_way_of_the_virtual_address_goes_there() {
    let mut check = check(&Options::default());
    check.connect.via = Via::Vip;
    let mut spec = service(&[check], &[ONE, TWO]);
    let mut board = Board::new(None);
    let refused = board.apply(site(&[("a", spec.clone())])).unwrap_err();
    assert_eq!(refused.server, ONE.parse().unwrap());
    spec.vip = Some("198.51.100.1:8080".parse().unwrap());
    spec.servers[1].forwarding = Forwarding::ToItself;
    let reload = board.apply(site(&[("a", spec)])).unwrap();
    let mut probes: Vec<_> = reload
        .start
        .iter()
        .map(|start| (start.probe.target.to_string(), start.probe.through))
        .collect();
    probes.sort_by_key(|(target, _)| target.clone());
    let through = Through {
        virtual_address: "198.51.100.1".parse().unwrap(),
        tunnel: Some(7),
    };
    // At the port that a tunnel leaves; by NAT there is nothing else to prove.
    let [one, two] = ["192.0.2.1:8080", TWO].map(str::to_owned);
    assert_eq!(probes, [(one, Some(through)), (two, None)]);
}
