//! The rules one by one; [`model`] has everything against a model that simply clones.

mod drain;
mod model;
mod slow_start;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rlvs_control::model::{Family, Granularity, GueChecksum, Persistence, Tunnel};
use rlvs_control::{Code, ForwardingMethod, Protocol};

use super::*;

#[test]
fn destinations_are_listed_newest_first() {
    let mut desired = with(&[service(80), service(81)]);
    make(&mut desired, add(80, destination(1))).unwrap();
    make(&mut desired, add(80, destination(2))).unwrap();
    assert_eq!(hosts(&desired, 80), [2, 1]);
    assert_eq!(
        desired
            .services()
            .map(|known| known.service().key)
            .collect::<Vec<_>>(),
        [key(80), key(81)]
    );
}

#[test]
fn a_failing_change_takes_all_back_and_is_named() {
    let mut desired = with(&[service(80)]);
    make(&mut desired, add(80, destination(1))).unwrap();
    make(&mut desired, add(80, destination(2))).unwrap();
    let before = desired.clone();
    let mut steps = 0;
    let error = desired
        .apply(
            &Transaction::from(vec![
                Change::DeleteDestination {
                    service: key(80),
                    destination: destination(1).key,
                },
                Change::SetTimeouts {
                    tcp: 5,
                    tcp_fin: 0,
                    udp: 7,
                },
                Change::Flush,
                Change::AddService(service(80)),
                Change::AddService(service(80)),
            ]),
            0,
            &mut |_, _| steps += 1,
        )
        .unwrap_err();
    assert_eq!(
        (error.code, error.change, steps),
        (Code::ServiceExists, Some(4), 4)
    );
    assert_eq!(desired, before);
    assert_eq!(hosts(&desired, 80), [2, 1]);
}

#[test]
fn each_step_sees_the_state_so_far() {
    let mut desired = with(&[service(80)]);
    let mut seen = Vec::new();
    let transaction = Transaction::from(vec![
        add(80, destination(1)),
        add(80, destination(2)),
        Change::Flush,
    ]);
    desired
        .apply(&transaction, 0, &mut |state, _| {
            seen.push(
                state
                    .service(&key(80))
                    .map(|known| known.destinations().len()),
            );
        })
        .unwrap();
    assert_eq!(seen, [Some(1), Some(2), None]);
}

#[test]
fn a_port_that_cannot_differ_is_the_services() {
    let mut desired = with(&[service(80)]);
    let mut wanted = destination(1);
    wanted.key.port = 8080;
    let mut made = Vec::new();
    desired
        .apply(&add(80, wanted).into(), 0, &mut |_, change| {
            made.push(change.clone())
        })
        .unwrap();
    assert_eq!(made, [add(80, destination(1))]);
    assert!(
        desired
            .service(&key(80))
            .unwrap()
            .destination(&destination(1).key)
            .is_some()
    );
}

#[test]
fn masquerading_keeps_its_port() {
    let mut desired = with(&[service(80)]);
    let mut wanted = destination(1);
    wanted.key.port = 8080;
    wanted.method = ForwardingMethod::Masquerade;
    make(&mut desired, add(80, wanted.clone())).unwrap();
    assert_eq!(
        desired.service(&key(80)).unwrap().destination(&wanted.key),
        Some(&wanted)
    );
}

#[test]
fn marks_have_no_port_to_take() {
    let mut desired = with(&[Service {
        key: mark(7),
        ..service(80)
    }]);
    let change = Change::AddDestination {
        service: mark(7),
        destination: destination(1),
    };
    make(&mut desired, change).unwrap();
    assert!(
        desired
            .service(&mark(7))
            .unwrap()
            .destination(&destination(1).key)
            .is_some()
    );
}

#[test]
fn an_edit_replaces_everything_in_place() {
    let mut desired = with(&[service(80)]);
    make(
        &mut desired,
        add(
            80,
            Destination {
                upper_threshold: 9,
                ..destination(1)
            },
        ),
    )
    .unwrap();
    make(&mut desired, add(80, destination(2))).unwrap();
    let edited = Destination {
        weight: 7,
        ..destination(1)
    };
    let change = Change::EditDestination {
        service: key(80),
        destination: edited.clone(),
    };
    make(&mut desired, change).unwrap();
    let known = desired.service(&key(80)).unwrap();
    assert_eq!(
        known.destinations().cloned().collect::<Vec<_>>(),
        [destination(2), edited]
    );
}

#[test]
fn editing_a_service_keeps_its_destinations() {
    let mut desired = with(&[service(80)]);
    make(&mut desired, add(80, destination(1))).unwrap();
    let edited = Service {
        scheduler: "rr".into(),
        ..service(80)
    };
    make(&mut desired, Change::EditService(edited.clone())).unwrap();
    assert_eq!(desired.service(&key(80)).unwrap().service(), &edited);
    assert_eq!(hosts(&desired, 80), [1]);
}

#[test]
fn zero_leaves_a_timeout() {
    let mut desired = Desired::default();
    make(
        &mut desired,
        Change::SetTimeouts {
            tcp: 5,
            tcp_fin: 0,
            udp: 7,
        },
    )
    .unwrap();
    assert_eq!(
        desired.timeouts(),
        Timeouts {
            tcp: 5,
            tcp_fin: 120,
            udp: 7
        }
    );
    let change = Change::SetTimeouts {
        tcp: 1,
        tcp_fin: 2_678_401,
        udp: 1,
    };
    assert_eq!(refusal(&mut desired, change), Code::Range);
}

#[test]
fn unknown_things_are_refused() {
    let mut desired = with(&[service(80)]);
    let gone = destination(9).key;
    for (change, code) in [
        (Change::AddService(service(80)), Code::ServiceExists),
        (Change::EditService(service(81)), Code::NoSuchService),
        (Change::DeleteService(key(81)), Code::NoSuchService),
        (
            Change::Zero {
                service: Some(key(81)),
            },
            Code::NoSuchService,
        ),
        (add(81, destination(1)), Code::NoSuchService),
        (
            Change::DeleteDestination {
                service: key(80),
                destination: gone,
            },
            Code::NoSuchDestination,
        ),
        (
            Change::EditDestination {
                service: key(80),
                destination: destination(9),
            },
            Code::NoSuchDestination,
        ),
    ] {
        assert_eq!(refusal(&mut desired, change), code);
    }
}

#[test]
fn bad_services_are_refused() {
    fn code(edit: fn(&mut Service)) -> Code {
        let mut wanted = service(80);
        edit(&mut wanted);
        refusal(&mut Desired::default(), Change::AddService(wanted))
    }
    let prefix = Persistence {
        timeout: 1,
        granularity: Granularity::Prefix(64),
    };
    assert_eq!(
        code(|wanted| wanted.scheduler = "RR".into()),
        Code::UnknownScheduler
    );
    assert_eq!(code(|wanted| wanted.scheduler_flags = 8), Code::Range);
    assert_eq!(
        code(|wanted| wanted.persistence_engine = Some("http".into())),
        Code::UnknownPersistenceEngine
    );
    assert_eq!(code(|wanted| wanted.one_packet = true), Code::Invalid);
    assert_eq!(code(|wanted| wanted.key = key(0)), Code::Invalid);
    assert_eq!(code(|wanted| wanted.key = mark(0)), Code::Invalid);
    assert_eq!(
        code(|wanted| wanted.persistence = persistence(0, 32)),
        Code::Range
    );
    assert_eq!(
        code(|wanted| wanted.persistence = persistence(2_678_401, 32)),
        Code::Range
    );
    let wanted = Service {
        persistence: Some(prefix),
        ..service(80)
    };
    assert_eq!(
        refusal(&mut Desired::default(), Change::AddService(wanted)),
        Code::Invalid
    );
}

#[test]
fn ipv6_persistence_takes_1_to_128_bits() {
    for (bits, expected) in [(0, false), (1, true), (128, true), (129, false)] {
        let address = IpAddr::V6(Ipv6Addr::LOCALHOST);
        let wanted = Service {
            key: ServiceKey::Address {
                protocol: Protocol::Udp,
                address,
                port: 0,
            },
            persistence: Some(Persistence {
                timeout: 1,
                granularity: Granularity::Prefix(bits),
            }),
            one_packet: true,
            ..service(0)
        };
        let made = make(&mut Desired::default(), Change::AddService(wanted));
        assert_eq!(made.is_ok(), expected, "{bits}");
    }
}

#[test]
fn bad_destinations_are_refused() {
    fn code(edit: fn(&mut Destination)) -> Code {
        let mut desired = with(&[service(80)]);
        make(&mut desired, add(80, destination(1))).unwrap();
        let mut wanted = destination(1);
        edit(&mut wanted);
        refusal(&mut desired, add(80, wanted))
    }
    assert_eq!(code(|_| ()), Code::DestinationExists);
    assert_eq!(code(|wanted| wanted.weight = 1 << 31), Code::Range);
    assert_eq!(code(|wanted| wanted.upper_threshold = 1 << 31), Code::Range);
    assert_eq!(code(|wanted| wanted.lower_threshold = 1), Code::Range);
    assert_eq!(code(|wanted| wanted.method = gue(0)), Code::Invalid);
    assert_eq!(
        code(|wanted| wanted.key.address = [0, 0, 0, 0].into()),
        Code::Invalid
    );
    assert_eq!(
        code(|wanted| wanted.key.address = [224, 0, 0, 1].into()),
        Code::Invalid
    );
    assert_eq!(
        code(|wanted| wanted.key.address = [255; 4].into()),
        Code::Invalid
    );
    assert_eq!(
        code(|wanted| wanted.key.address = Ipv6Addr::LOCALHOST.into()),
        Code::Invalid
    );
}

#[test]
fn a_tunnel_bridges_ip_versions() {
    let mut desired = with(&[service(80)]);
    let mut wanted = Destination {
        method: gue(6080),
        ..destination(1)
    };
    wanted.key.address = Ipv6Addr::LOCALHOST.into();
    make(&mut desired, add(80, wanted)).unwrap();
}

#[test]
fn json_round_trip() {
    let mut desired = with(&[Service {
        persistence: persistence(300, 24),
        ..service(80)
    }]);
    for host in 1..4 {
        make(&mut desired, add(80, destination(host))).unwrap();
    }
    make(
        &mut desired,
        Change::DeleteDestination {
            service: key(80),
            destination: destination(2).key,
        },
    )
    .unwrap();
    let text = serde_json::to_string(&desired).unwrap();
    let mut read: Desired = serde_json::from_str(&text).unwrap();
    assert_eq!(read, desired);
    assert_eq!(hosts(&read, 80), [3, 1]);
    make(&mut read, add(80, destination(2))).unwrap();
    assert_eq!(hosts(&read, 80), [2, 3, 1]);
}

#[test]
fn json_with_duplicates_is_refused() {
    let desired = with(&[service(80)]);
    let text = serde_json::to_string(&desired).unwrap();
    let (start, end) = (text.find('[').unwrap(), text.find("],\"timeouts").unwrap());
    let twice = format!("{},{}", &text[..end], &text[start + 1..]);
    let error = serde_json::from_str::<Desired>(&twice).unwrap_err();
    assert!(
        error.to_string().contains("TCP 10.0.0.1:80 is there twice"),
        "{error}"
    );
}

/// One by one, as a script of `ipvsadm -a` does it: no step may look at all that is there.
#[test]
fn many_destinations_one_by_one() {
    let mut desired = Desired::default();
    for port in 1..=4000 {
        make(&mut desired, Change::AddService(service(port))).unwrap();
        for host in 1..=10 {
            make(&mut desired, add(port, destination(host))).unwrap();
        }
    }
    for port in 1..=4000 {
        make(&mut desired, Change::DeleteService(key(port))).unwrap();
    }
    assert_eq!(desired, Desired::default());
}

fn with(services: &[Service]) -> Desired {
    let mut desired = Desired::default();
    for service in services {
        make(&mut desired, Change::AddService(service.clone())).unwrap();
    }
    desired
}

fn make(desired: &mut Desired, change: Change) -> Result<(), Error> {
    desired.apply(&change.into(), 0, &mut |_, _| ())
}

fn refusal(desired: &mut Desired, change: Change) -> Code {
    let before = desired.clone();
    let error = make(desired, change).unwrap_err();
    assert_eq!(*desired, before);
    error.code
}

fn hosts(desired: &Desired, port: u16) -> Vec<u8> {
    desired
        .service(&key(port))
        .unwrap()
        .destinations()
        .map(host)
        .collect()
}

fn host(destination: &Destination) -> u8 {
    let IpAddr::V4(address) = destination.key.address else {
        unreachable!()
    };
    address.octets()[3]
}

fn port(key: &ServiceKey) -> u16 {
    let ServiceKey::Address { port, .. } = key else {
        unreachable!()
    };
    *port
}

fn key(port: u16) -> ServiceKey {
    ServiceKey::Address {
        protocol: Protocol::Tcp,
        address: [10, 0, 0, 1].into(),
        port,
    }
}

fn mark(mark: u32) -> ServiceKey {
    ServiceKey::Mark {
        family: Family::Ipv4,
        mark,
    }
}

fn service(port: u16) -> Service {
    Service {
        key: key(port),
        scheduler: "wlc".into(),
        scheduler_flags: 0,
        persistence: None,
        one_packet: false,
        persistence_engine: None,
        client_address: Default::default(),
        slow_start: 0,
    }
}

fn persistence(timeout: u32, bits: u32) -> Option<Persistence> {
    let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
    Some(Persistence {
        timeout,
        granularity: Granularity::Mask(Ipv4Addr::from_bits(mask)),
    })
}

/// On the port of the service that tests use most.
fn destination(host: u8) -> Destination {
    Destination {
        key: DestinationKey {
            address: [10, 1, 0, host].into(),
            port: 80,
        },
        method: ForwardingMethod::Route,
        weight: 1,
        upper_threshold: 0,
        lower_threshold: 0,
    }
}

fn gue(port: u16) -> ForwardingMethod {
    ForwardingMethod::Tunnel(Tunnel::Gue {
        port,
        checksum: GueChecksum::None,
    })
}

fn add(port: u16, destination: Destination) -> Change {
    Change::AddDestination {
        service: key(port),
        destination,
    }
}

fn weighing(host: u8, weight: u32) -> Destination {
    Destination {
        weight,
        ..destination(host)
    }
}
