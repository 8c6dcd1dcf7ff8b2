//! Masqueraded destinations: their records, the filter of their answers, what they count.

use std::net::SocketAddr;

use rlvs_control::{Destination, ForwardingMethod};
use rlvs_director::connections;
use rlvs_director::installed::{Installed, Totals};
use rlvs_engine::sysctl::Sysctl;
use rlvs_engine::{V4, V6, Verdict};
use rlvs_testing::Packet;
use rlvs_testing::packet::{ACK, SYN};
use rlvs_testing::site::INTERFACE;

use crate::scene::{Scene, Sent, UPLINK, leaves, masqueraded, services};

fn server(destination: &Destination) -> SocketAddr {
    SocketAddr::new(destination.key.address, destination.key.port)
}

fn routed(destination: &Destination) -> Destination {
    Destination {
        method: ForwardingMethod::Route,
        ..destination.clone()
    }
}

#[test]
fn packets_go_to_the_real_port_and_answers_come_from_the_virtual_one() {
    for (service, client, vip) in services() {
        for number in 0..4 {
            let destination = masqueraded(service, number, 8080);
            let (scene, server) = (Scene::with(service, &destination), server(&destination));
            assert_eq!(
                scene.send(&Packet::tcp(client, vip, SYN)),
                Sent {
                    verdict: leaves(number),
                    from: client,
                    to: server
                }
            );
            assert_eq!(
                scene.send(&Packet::tcp(server, client, SYN | ACK)),
                Sent {
                    verdict: Verdict::Redirect(UPLINK),
                    from: vip,
                    to: client
                }
            );
        }
    }
}

#[test]
fn both_directions_are_counted_and_reset() {
    for (service, client, vip) in services() {
        let destination = masqueraded(service, 0, 8080);
        let scene = Scene::with(service, &destination);
        scene.send(&Packet::tcp(client, vip, SYN));
        let answer = Packet::tcp(server(&destination), client, SYN | ACK);
        scene.send(&answer);
        scene.send(&answer);
        let length = answer.ip_length() as u64;
        assert_eq!(
            scene.totals(service, &destination),
            Totals {
                connections: 1,
                packets: 1,
                bytes: length,
                packets_back: 2,
                bytes_back: 2 * length,
            }
        );
        scene.site.installed.zero(&scene.site.store, &service);
        assert_eq!(scene.totals(service, &destination), Totals::default());
        scene.send(&answer);
        let totals = scene.totals(service, &destination);
        assert_eq!((totals.packets_back, totals.bytes_back), (1, length));
    }
}

#[test]
fn connections_are_listed_with_the_real_port() {
    for (service, client, vip) in services() {
        let destination = masqueraded(service, 0, 8080);
        let scene = Scene::with(service, &destination);
        scene.send(&Packet::tcp(client, vip, SYN));
        let (store, mut listed) = (&scene.site.store, Vec::new());
        let mut each = |entry| {
            listed.push(entry);
            true
        };
        connections::buckets::<V4, _>(store, &store.v4.buckets, &mut each);
        connections::buckets::<V6, _>(store, &store.v6.buckets, &mut each);
        let [entry] = &listed[..] else {
            panic!("{listed:?}")
        };
        assert_eq!(
            (entry.client, entry.virtual_address, entry.destination),
            (client, vip, server(&destination))
        );
    }
}

/// With `nat_icmp_send`; also by a daemon that begins anew.
#[test]
fn real_servers_are_told_as_long_as_they_are_masqueraded() {
    for (service, client, vip) in services() {
        let nat = masqueraded(service, 0, vip.port());
        let mut scene = Scene::with(service, &nat);
        let settings = &scene.site.store.settings;
        settings.set_sysctl(Sysctl::NatIcmpSend, 1);
        let unasked = Packet::tcp(server(&nat), client, ACK);
        let verdict = |scene: &mut Scene| {
            scene.pass(1);
            scene.send(&unasked).verdict
        };
        let told = Verdict::Redirect(INTERFACE);
        assert_eq!(verdict(&mut scene), told);
        scene.edit(service, &routed(&nat));
        assert_eq!(verdict(&mut scene), Verdict::Pass);
        scene.edit(service, &nat);
        assert_eq!(verdict(&mut scene), told);
        scene.send(&Packet::tcp(client, vip, SYN));
        assert_eq!(verdict(&mut scene), Verdict::Redirect(UPLINK), "asked");
        scene.delete(service, &nat);
        let other = Packet::tcp(server(&nat), vip, ACK);
        assert_eq!(scene.send(&other).verdict, Verdict::Pass);
        scene.add(service, &nat);
        assert_eq!(scene.send(&other).verdict, told);

        let site = &mut scene.site;
        site.installed = Installed::adopt(&site.store, scene.now).expect("it can be read");
        assert_eq!(site.installed.keys().collect::<Vec<_>>(), [service]);
        let wanted = site
            .installed
            .tell_servers(&site.store, &site.desired, false);
        wanted.expect("there is room");
        assert_eq!(scene.send(&other).verdict, Verdict::Pass);
    }
}

#[test]
fn the_method_can_be_edited() {
    for (service, client, vip) in services() {
        let nat = masqueraded(service, 0, vip.port());
        let mut scene = Scene::with(service, &nat);
        let packet = Packet::tcp(client, vip, SYN);
        assert_eq!(scene.send(&packet).to, server(&nat));
        scene.edit(service, &routed(&nat));
        assert_eq!(scene.send(&packet).to, vip, "of its connections too");
        scene.pass(0);
        assert!(!scene.expects_answers_of(nat.key.address));
        scene.edit(service, &nat);
        assert!(scene.expects_answers_of(nat.key.address));
        assert_eq!(scene.send(&packet).to, server(&nat));
        assert_eq!(
            scene.send(&packet).verdict,
            leaves(0),
            "the hop is as it was"
        );
    }
}

#[test]
fn answers_are_expected_for_as_long_as_there_is_a_record() {
    for (service, client, vip) in services() {
        let nat = masqueraded(service, 0, 8080);
        let mut scene = Scene::with(service, &nat);
        scene.send(&Packet::tcp(client, vip, SYN));
        scene.pass(0);
        assert!(scene.expects_answers_of(nat.key.address));
        scene.delete(service, &nat);
        scene.pass(0);
        let answer = Packet::tcp(server(&nat), client, SYN | ACK);
        assert_eq!(scene.send(&answer).from, vip, "its connection lives");
        scene.pass(200);
        scene.pass(130);
        assert!(!scene.expects_answers_of(nat.key.address));
    }
}

#[test]
fn one_that_comes_back_has_the_method_it_comes_back_with() {
    for (service, client, vip) in services() {
        let nat = masqueraded(service, 1, vip.port());
        let mut scene = Scene::with(service, &nat);
        let packet = Packet::tcp(client, vip, SYN);
        scene.send(&packet);
        for (destination, to) in [(routed(&nat), vip), (nat.clone(), server(&nat))] {
            scene.delete(service, &nat);
            scene.add(service, &destination);
            assert_eq!(scene.send(&packet).to, to);
        }
    }
}

#[test]
fn a_new_daemon_finds_methods_and_filter_again() {
    for (service, client, vip) in services() {
        let nat = masqueraded(service, 0, 8080);
        let mut scene = Scene::with(service, &nat);
        scene.send(&Packet::tcp(client, vip, SYN));
        let adopted = Installed::adopt(&scene.site.store, scene.now);
        scene.site.installed = adopted.expect("memory can be read");
        scene.pass(0);
        assert!(scene.expects_answers_of(nat.key.address));
        assert_eq!(
            scene.send(&Packet::tcp(client, vip, ACK)).to,
            server(&nat),
            "before it has installed anything"
        );
        let weightier = Destination {
            weight: 7,
            ..nat.clone()
        };
        scene.edit(service, &weightier);
        assert_eq!(scene.send(&Packet::tcp(client, vip, ACK)).to, server(&nat));
    }
}
