//! One-packet scheduling (`-o`): each datagram is a connection that has ended when it is sent.

use std::net::IpAddr;

use rlvs_control::model::{Granularity, Persistence, Protocol};
use rlvs_control::{Change, Destination, ServiceKey};
use rlvs_director::connections;
use rlvs_engine::{V4, V6, Verdict};
use rlvs_testing::Packet;
use rlvs_testing::site;

use crate::scene::{Scene, masqueraded, services_of};

/// Real servers 0 and 1, by masquerading, which shows where packets go.
fn scene(service: ServiceKey, persistence: Option<Persistence>, thresholds: (u32, u32)) -> Scene {
    let mut scene = Scene::new();
    scene.change(Change::AddService(rlvs_control::Service {
        one_packet: true,
        ..site::service(service, "rr", persistence)
    }));
    for number in [1, 0] {
        scene.add(service, &server(service, number, thresholds));
    }
    scene
}

fn server(service: ServiceKey, number: u8, (upper, lower): (u32, u32)) -> Destination {
    Destination {
        upper_threshold: upper,
        lower_threshold: lower,
        ..masqueraded(service, number, 53)
    }
}

fn listed(scene: &Scene) -> usize {
    let (store, mut listed) = (&scene.site.store, 0);
    let mut each = |_| {
        listed += 1;
        true
    };
    connections::buckets::<V4, _>(store, &store.v4.buckets, &mut each);
    connections::buckets::<V6, _>(store, &store.v6.buckets, &mut each);
    listed
}

fn of(service: ServiceKey, number: u8) -> IpAddr {
    server(service, number, (0, 0)).key.address
}

#[test]
fn each_packet_is_scheduled() {
    for (service, client, vip) in services_of(Protocol::Udp, 80) {
        let scene = scene(service, None, (0, 0));
        for number in [0, 1, 0, 1, 0] {
            let sent = scene.send(&Packet::udp(client, vip));
            assert_eq!(sent.to.ip(), of(service, number));
        }
        assert_eq!(listed(&scene), 0);
        let store = &scene.site.store;
        let installed = &scene.site.installed;
        let totals = installed.destination_totals(store, &service, &server(service, 0, (0, 0)).key);
        assert_eq!((totals.connections, totals.packets), (3, 3));
        assert!(store.loads.iter().all(|load| load.counts() == (0, 0)));
    }
}

#[test]
fn answers_go_as_they_come() {
    for (service, client, vip) in services_of(Protocol::Udp, 80) {
        let scene = scene(service, None, (0, 0));
        let server = scene.send(&Packet::udp(client, vip)).to;
        let answer = scene.send(&Packet::udp(server, client));
        assert_eq!((answer.verdict, answer.from), (Verdict::Pass, server));
    }
}

#[test]
fn a_persistent_client_stays() {
    for (service, client, vip) in services_of(Protocol::Udp, 80) {
        let granularity = match client.is_ipv4() {
            true => Granularity::Mask([255; 4].into()),
            false => Granularity::Prefix(128),
        };
        let persistence = Persistence {
            timeout: 60,
            granularity,
        };
        let mut scene = scene(service, Some(persistence), (0, 0));
        for _ in 0..5 {
            let sent = scene.send(&Packet::udp(client, vip));
            assert_eq!(sent.to.ip(), of(service, 0));
        }
        assert_eq!(listed(&scene), 1, "the template alone");
        scene.pass(70);
        assert_eq!(listed(&scene), 0, "none of the packets holds it");
    }
}

/// A destination with room for one connection has it for each packet; one that is full one below
/// its upper threshold stays full.
#[test]
fn thresholds_count_the_packet_while_it_is_sent() {
    for (service, client, vip) in services_of(Protocol::Udp, 80) {
        let scene = scene(service, None, (1, 0));
        for number in [0, 1, 0, 1] {
            let sent = scene.send(&Packet::udp(client, vip));
            assert_eq!(sent.to.ip(), of(service, number));
        }
    }
}

#[test]
fn full_nat_is_refused_with_it() {
    for (service, ..) in services_of(Protocol::Udp, 80) {
        let mut scene = scene(service, None, (0, 0));
        let destination = Destination {
            method: rlvs_control::ForwardingMethod::FullNat,
            ..server(service, 2, (0, 0))
        };
        let add = Change::AddDestination {
            service,
            destination,
        };
        let refused = scene.site.change(add.clone(), scene.now).unwrap_err();
        assert!(refused.message.contains("use -g, -i or -m"), "{refused:?}");
        scene.change(Change::EditService(site::service(service, "rr", None)));
        scene.change(add);
        let edit = Change::EditService(rlvs_control::Service {
            one_packet: true,
            ..site::service(service, "rr", None)
        });
        assert!(scene.site.change(edit, scene.now).is_err());
    }
}
