//! Destinations that are this host: their packets go to its stack.

use std::net::SocketAddr;

use rlvs_control::{Destination, ServiceKey};
use rlvs_director::installed::{Hop, Installed};
use rlvs_engine::Verdict;
use rlvs_engine::frame::Way;
use rlvs_testing::Packet;
use rlvs_testing::packet::{ACK, DIRECTOR, ETHERNET, SYN};
use rlvs_testing::site::{self, INTERFACE, mac};

use crate::scene::{Scene, masqueraded, services};

#[test]
fn packets_go_to_the_stack_by_either_method() {
    for (service, client, vip) in services() {
        let nat = masqueraded(service, 0, 8080);
        for (destination, to) in [
            (site::destination(service, 0, 1, (0, 0)), vip),
            (nat.clone(), SocketAddr::new(nat.key.address, 8080)),
        ] {
            let scene = Scene::with_local(service, &destination);
            let sent = scene.send(&Packet::tcp(client, vip, SYN));
            assert_eq!(
                (sent.verdict, sent.from, sent.to),
                (Verdict::Pass, client, to)
            );
            let totals = scene.totals(service, &destination);
            assert_eq!((totals.connections, totals.packets), (1, 1));
        }
    }
}

#[test]
fn an_address_that_moves_takes_the_packets_along() {
    for (service, client, vip) in services() {
        let destination = site::destination(service, 0, 1, (0, 0));
        let mut scene = Scene::with(service, &destination);
        let mut verdict_with = |hop: Hop| {
            scene.set_hop(&destination, hop);
            scene.send(&Packet::tcp(client, vip, SYN)).verdict
        };
        let resolved = Hop::Resolved {
            interface: INTERFACE,
            source: DIRECTOR,
            destination: mac(0),
            redirect: false,
            mtu: 1500,
            local: None,
        };
        assert_eq!(verdict_with(Hop::Local), Verdict::Pass);
        assert_eq!(verdict_with(resolved.clone()), Verdict::Transmit);
        assert_eq!(verdict_with(Hop::Local), Verdict::Pass);
        let unresolved = Hop::Unresolved("it is being resolved".to_owned());
        assert_eq!(verdict_with(unresolved), Verdict::Drop);
        assert_eq!(verdict_with(resolved), Verdict::Transmit);
    }
}

#[test]
fn one_that_is_added_or_edited_later_is_local_at_once() {
    for (service, client, vip) in services() {
        let destination = site::destination(service, 0, 1, (0, 0));
        let mut scene = Scene::with_local(service, &destination);
        let other = masqueraded(service, 0, 8080);
        scene.add(service, &other);
        scene.delete(service, &destination);
        scene.edit(service, &other);
        let sent = scene.send(&Packet::tcp(client, vip, SYN));
        assert_eq!((sent.verdict, sent.to.port()), (Verdict::Pass, 8080));
    }
}

#[test]
fn a_new_daemon_leaves_it_local_until_it_knows_better() {
    for (service, client, vip) in services() {
        let destination = site::destination(service, 0, 1, (0, 0));
        let mut scene = Scene::with_local(service, &destination);
        let adopted = Installed::adopt(&scene.site.store, scene.now);
        scene.site.installed = adopted.expect("memory can be read");
        scene.edit(service, &destination);
        for flags in [SYN, ACK] {
            let sent = scene.send(&Packet::tcp(client, vip, flags));
            assert_eq!(sent.verdict, Verdict::Pass);
        }
    }
}

#[test]
fn what_its_stack_answers_leaves_as_from_the_virtual_address() {
    for (service, client, vip) in services() {
        let destination = masqueraded(service, 0, 8080);
        let scene = Scene::with_local(service, &destination);
        scene.send(&Packet::tcp(client, vip, SYN));
        let server = server_of(&destination);
        let answer = Packet::tcp(server, client, SYN | ACK);
        let (sent, frame) = scene.send_by(Way::Out, &answer);
        assert_eq!(
            (sent.verdict, sent.from, sent.to),
            (Verdict::Pass, vip, client)
        );
        // It is on its way: neither its frame nor its time to live are ours.
        let expected = Packet {
            source: vip,
            ..answer.clone()
        };
        assert_translated(frame, &expected);
        let totals = scene.totals(service, &destination);
        assert_eq!((totals.packets, totals.packets_back), (1, 1));

        let last = Packet { hops: 1, ..answer };
        let (sent, _) = scene.send_by(Way::Out, &last);
        assert_eq!((sent.verdict, sent.from), (Verdict::Pass, vip));
    }
}

#[test]
fn what_its_stack_sends_otherwise_leaves_as_it_is() {
    for (service, client, vip) in services() {
        let destination = masqueraded(service, 0, 8080);
        let scene = Scene::with_local(service, &destination);
        scene.send(&Packet::tcp(client, vip, SYN));
        let address = destination.key.address;
        for (from, to) in [
            (SocketAddr::new(address, 8081), client),
            (
                SocketAddr::new(address, 8080),
                SocketAddr::new(client.ip(), 9),
            ),
            (vip, client),
            // As a client of a service: that is balanced where it comes in, not here.
            (SocketAddr::new(address, 5000), vip),
        ] {
            let packet = Packet::tcp(from, to, SYN);
            let (sent, frame) = scene.send_by(Way::Out, &packet);
            assert_eq!((sent.verdict, frame), (Verdict::Pass, packet.build()));
        }
        assert_eq!(scene.totals(service, &destination).connections, 1);
    }
}

#[test]
fn answers_to_this_host_itself_are_delivered_by_loopback() {
    for (service, client, vip) in services() {
        let destination = masqueraded(service, 0, 8080);
        let scene = Scene::with(service, &destination);
        let server = server_of(&destination);
        let (sent, _) = scene.send_by(Way::Loopback, &Packet::tcp(client, vip, SYN));
        assert_eq!((sent.verdict, sent.to), (Verdict::Transmit, server));
        let answer = Packet {
            hops: 1,
            ..Packet::tcp(server, client, SYN | ACK)
        };
        let (sent, frame) = scene.send_by(Way::In, &answer);
        assert_eq!(
            (sent.verdict, sent.from, sent.to),
            (Verdict::Deliver, vip, client)
        );
        // As a frame on the loopback interface, and marked as seen.
        let expected = Packet {
            source: vip,
            to: [0; 6],
            from: [2, b'r', b'l', b'v', b's', 0],
            ..answer
        };
        assert_translated(frame, &expected);
    }
}

#[test]
fn this_host_may_be_client_and_destination() {
    for (service, client, vip) in services() {
        let destination = masqueraded(service, 0, 8080);
        let scene = Scene::with_local(service, &destination);
        let server = server_of(&destination);
        let (sent, _) = scene.send_by(Way::Loopback, &Packet::tcp(client, vip, SYN));
        assert_eq!((sent.verdict, sent.to), (Verdict::Pass, server));
        let answer = Packet::tcp(server, client, SYN | ACK);
        let (sent, frame) = scene.send_by(Way::Loopback, &answer);
        assert_eq!((sent.verdict, sent.from), (Verdict::Pass, vip));
        let expected = Packet {
            source: vip,
            ..answer
        };
        assert_translated(frame, &expected);
    }
}

fn server_of(destination: &Destination) -> SocketAddr {
    SocketAddr::new(destination.key.address, destination.key.port)
}

fn assert_translated(frame: Vec<u8>, expected: &Packet) {
    assert_eq!(but_checksum(frame), but_checksum(expected.build()));
}

/// A frame without TCP's checksum, which is not right in what [`Packet`] builds.
fn but_checksum(mut frame: Vec<u8>) -> Vec<u8> {
    let transport = ETHERNET
        + if frame[12..14] == [0x86, 0xdd] {
            40
        } else {
            20
        };
    frame[transport + 16..transport + 18].fill(0);
    frame
}

impl Scene {
    /// With one service whose only destination is this host.
    fn with_local(service: ServiceKey, destination: &Destination) -> Self {
        let mut scene = Self::with(service, destination);
        scene.set_hop(destination, Hop::Local);
        scene
    }

    fn set_hop(&mut self, destination: &Destination, hop: Hop) {
        let address = destination.key.address;
        self.site.installed.set_hop(&self.site.store, address, hop);
    }
}
