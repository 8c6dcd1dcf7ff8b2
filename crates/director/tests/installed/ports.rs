//! Services with connections to more than one port: on all ports, and for FTP.

use std::net::SocketAddr;

use rlvs_control::model::{Granularity, Persistence, Protocol};
use rlvs_control::{Change, Destination, ServiceKey};
use rlvs_engine::Verdict;
use rlvs_testing::Packet;
use rlvs_testing::packet::{ACK, SYN};
use rlvs_testing::site;

use crate::scene::{Scene, Sent, UPLINK, leaves, masqueraded, services};

const FTP: u16 = 21;
const FTP_DATA: u16 = 20;

/// The same address at another port.
fn at(service: ServiceKey, port: u16) -> ServiceKey {
    match service {
        ServiceKey::Address {
            protocol, address, ..
        } => ServiceKey::Address {
            protocol,
            address,
            port,
        },
        mark => mark,
    }
}

fn persistence(service: ServiceKey) -> Persistence {
    let granularity = match service {
        ServiceKey::Address { address, .. } if address.is_ipv6() => Granularity::Prefix(128),
        _ => Granularity::Mask([255; 4].into()),
    };
    Persistence {
        timeout: 300,
        granularity,
    }
}

/// A scene with a service that has real servers 0 and 1 in turn, by masquerading.
fn scene(service: ServiceKey, persistent: bool, port: u16) -> Scene {
    let mut scene = Scene::new();
    add(&mut scene, service, persistent, port);
    scene
}

fn add(scene: &mut Scene, service: ServiceKey, persistent: bool, port: u16) {
    let persistence = persistent.then(|| persistence(service));
    scene.change(Change::AddService(site::service(
        service,
        "rr",
        persistence,
    )));
    for number in [1, 0] {
        scene.add(service, &server(service, number, port));
    }
}

fn server(service: ServiceKey, number: u8, port: u16) -> Destination {
    masqueraded(service, number, port)
}

fn with_port(address: SocketAddr, port: u16) -> SocketAddr {
    SocketAddr::new(address.ip(), port)
}

/// Where the first packet of a connection goes.
fn opened(scene: &Scene, from: SocketAddr, to: SocketAddr) -> Sent {
    scene.send(&Packet::tcp(from, to, SYN))
}

#[test]
fn a_service_on_all_ports_keeps_ports_and_clients() {
    for (service, client, vip) in services() {
        let scene = scene(at(service, 0), true, 0);
        let first = opened(&scene, client, with_port(vip, 80)).to;
        assert_eq!(first.port(), 80);
        for port in [443, 21, 8080, 65535] {
            let to = with_port(vip, port);
            let sent = opened(&scene, with_port(client, port), to);
            assert_eq!(sent.to, with_port(first, port), "the same real server");
            let answer = Packet::tcp(sent.to, with_port(client, port), SYN | ACK);
            assert_eq!(
                scene.send(&answer),
                Sent {
                    verdict: Verdict::Redirect(UPLINK),
                    from: to,
                    to: with_port(client, port)
                }
            );
        }
    }
}

#[test]
fn a_service_on_all_ports_comes_last() {
    for (service, client, vip) in services() {
        let mut scene = scene(at(service, 0), true, 0);
        add(&mut scene, service, false, 8080);
        assert_eq!(opened(&scene, client, vip).to.port(), 8080);
        assert_eq!(opened(&scene, client, with_port(vip, 81)).to.port(), 81);
    }
}

#[test]
fn ftps_data_goes_where_its_commands_went() {
    for (service, client, vip) in services() {
        let scene = scene(at(service, FTP), true, 2121);
        let first = opened(&scene, client, with_port(vip, FTP));
        assert_eq!(first.to.port(), 2121);
        for port in [FTP_DATA, 1024, 40_000] {
            let sent = opened(&scene, with_port(client, port), with_port(vip, port));
            assert_eq!(sent.to, with_port(first.to, port));
        }
        for port in [22, 80, 1023] {
            let sent = opened(&scene, client, with_port(vip, port));
            assert_eq!((sent.verdict, sent.to.ip()), (Verdict::Pass, vip.ip()));
        }
    }
}

#[test]
fn data_of_ftp_without_persistence_passes_even_a_service_on_all_ports() {
    for (service, client, vip) in services() {
        let mut scene = scene(at(service, 0), true, 0);
        add(&mut scene, at(service, FTP), false, 2121);
        let sent = opened(&scene, client, with_port(vip, 40_000));
        assert_eq!((sent.verdict, sent.to.ip()), (Verdict::Pass, vip.ip()));
        assert_ne!(opened(&scene, client, with_port(vip, 80)).to.ip(), vip.ip());
    }
}

/// What was begun before goes on as it is, and nothing holds its template for ever.
#[test]
fn persistence_edited_in_or_out_counts_for_new_connections() {
    for (service, client, vip) in services() {
        let ftp = at(service, FTP);
        let mut scene = scene(ftp, false, 2121);
        let high = with_port(vip, 3000);
        assert_eq!(opened(&scene, client, high).verdict, Verdict::Pass);
        let edit = |persistence| Change::EditService(site::service(ftp, "rr", persistence));
        scene.change(edit(Some(persistence(ftp))));
        let sent = opened(&scene, client, high);
        assert_eq!(sent.to.port(), 3000);
        assert!([0, 1].map(leaves).contains(&sent.verdict));
        scene.change(edit(None));
        assert_eq!(scene.send(&Packet::tcp(client, high, ACK)).to, sent.to);
        assert_eq!(
            opened(&scene, with_port(client, 9), high).verdict,
            Verdict::Pass
        );
        scene.pass(1000);
        scene.pass(1000);
        let of_all = scene.site.store.loads.iter();
        assert_eq!(of_all.map(|load| load.persistent.load()).sum::<u32>(), 0);
    }
}

#[test]
fn only_tcp_has_ftp() {
    for (service, client, vip) in services() {
        let ServiceKey::Address { address, .. } = service else {
            continue;
        };
        let udp = ServiceKey::Address {
            protocol: Protocol::Udp,
            address,
            port: FTP,
        };
        let scene = scene(udp, true, FTP);
        let sent = scene.send(&Packet::udp(client, with_port(vip, 3000)));
        assert_eq!(sent.verdict, Verdict::Pass);
    }
}
