//! AH and ESP go where the connection goes in which their keys were agreed on; and ICMP errors
//! about packets that have no ports, or SCTP's.

use std::net::{IpAddr, SocketAddr};

use rlvs_control::{Destination, ForwardingMethod, Protocol, ServiceKey};
use rlvs_engine::{Reason, Verdict};
use rlvs_testing::Packet;
use rlvs_testing::packet::{AH, ESP, ETHERNET, Extension, ROUTER, SYN, checksum, chunk};
use rlvs_testing::site::mac;

use crate::scene::{Scene, UPLINK, leaves, left, masqueraded, services_of};

type Ends = (ServiceKey, SocketAddr, SocketAddr);

/// IPv6 has AH as an extension header.
fn numbers(vip: SocketAddr) -> &'static [u8] {
    if vip.is_ipv4() { &[AH, ESP] } else { &[ESP] }
}

fn routed(service: ServiceKey, number: u8) -> Destination {
    let destination = masqueraded(service, number, 500);
    Destination {
        method: ForwardingMethod::Route,
        ..destination
    }
}

fn key_exchanges() -> Vec<Ends> {
    let all = services_of(Protocol::Udp, 500);
    assert!(all.iter().all(|(_, client, _)| client.port() == 500));
    all
}

#[test]
fn they_follow_the_key_exchange() {
    for (service, client, vip) in key_exchanges() {
        for &number in numbers(vip) {
            let scene = Scene::with(service, &routed(service, 0));
            let packet = Packet {
                payload: 33,
                ..Packet::other(client, vip, number)
            };
            let alone = scene.process(packet.build());
            assert_eq!(alone, (Verdict::Pass, packet.build()));
            assert_eq!(scene.site.store.counted(Reason::NoConnection), 1);
            scene.send(&Packet::udp(client, vip));
            let followed = scene.process(packet.build());
            assert_eq!(followed, (leaves(0), left(&packet, mac(0))));
            // It keeps the connection alive, and is counted.
            assert_eq!(scene.totals(service, &routed(service, 0)).packets, 2);
        }
    }
}

#[test]
fn a_key_exchange_that_is_over_is_not_begun_anew() {
    for (service, client, vip) in key_exchanges() {
        let mut scene = Scene::with(service, &routed(service, 0));
        scene.send(&Packet::udp(client, vip));
        scene.pass(290);
        let packet = Packet::other(client, vip, ESP);
        assert_eq!(scene.process(packet.build()).0, leaves(0));
        scene.pass(290);
        assert_eq!(scene.process(packet.build()).0, leaves(0));
        scene.pass(310);
        assert_eq!(scene.process(packet.build()).0, Verdict::Pass);
        assert_eq!(scene.totals(service, &routed(service, 0)).connections, 1);
    }
}

#[test]
fn masquerading_gives_them_addresses() {
    for (service, client, vip) in key_exchanges() {
        for &number in numbers(vip) {
            let destination = masqueraded(service, 1, 500);
            let server = SocketAddr::new(destination.key.address, 500);
            let scene = Scene::with(service, &destination);
            scene.send(&Packet::udp(client, vip));
            let sent = |from, to| Packet {
                payload: 33,
                ..Packet::other(from, to, number)
            };
            let to_server = scene.process(sent(client, vip).build());
            assert_eq!(to_server, (leaves(1), left(&sent(client, server), mac(1))));
            let to_client = scene.process(sent(server, client).build());
            let expected = left(&sent(vip, client), ROUTER);
            assert_eq!(to_client, (Verdict::Redirect(UPLINK), expected));
        }
    }
}

#[test]
fn authentication_before_tcp_is_an_extension_header() {
    let (service, client, vip) = services_of(Protocol::Tcp, 80).remove(1);
    let scene = Scene::with(service, &routed(service, 0));
    let packet = Packet {
        extensions: vec![Extension::Authentication(4)],
        ..Packet::tcp(client, vip, SYN)
    };
    assert_eq!(scene.send(&packet).verdict, leaves(0));
}

#[test]
fn errors_about_their_answers_reach_the_server() {
    let keyed = key_exchanges().into_iter().flat_map(|ends| {
        let numbers = numbers(ends.2).iter();
        numbers.map(move |&number| (ends, 500, Packet::other(ends.2, ends.1, number)))
    });
    let sctp = services_of(Protocol::Sctp, 80).into_iter();
    let sctp = sctp.map(|ends| (ends, 5009, Packet::sctp(ends.2, ends.1, chunk::DATA)));
    for ((service, client, vip), port, answer) in keyed.chain(sctp) {
        let destination = masqueraded(service, 0, port);
        let scene = Scene::with(service, &destination);
        scene.send(&match port {
            500 => Packet::udp(client, vip),
            _ => Packet::sctp(client, vip, chunk::INIT),
        });
        let (verdict, frame) = scene.process(error_about(&answer));
        assert_eq!(verdict, leaves(0), "{answer:?}");
        let server = SocketAddr::new(destination.key.address, port);
        assert_is_about(&frame, &answer, server);
    }
}

/// An ICMP error about the packet, to its sender, from a router.
fn error_about(packet: &Packet) -> Vec<u8> {
    let about = Packet {
        payload: 40,
        ..packet.clone()
    };
    let about = about.build().split_off(ETHERNET);
    let (router, number) = match packet.source {
        SocketAddr::V4(_) => ("203.0.113.1:0", 1),
        SocketAddr::V6(_) => ("[2001:db8:9::1]:0", 58),
    };
    let error = Packet {
        payload: 8 + about.len(),
        ..Packet::other(router.parse().unwrap(), packet.source, number)
    };
    let mut frame = error.build();
    let at = frame.len() - error.payload;
    // Unreachable; the packet is too large.
    frame[at..at + 8].copy_from_slice(&match number {
        1 => [3, 1, 0, 0, 0, 0, 0, 0],
        _ => [2, 0, 0, 0, 0, 0, 5, 0],
    });
    frame[at + 8..].copy_from_slice(&about);
    let sum = checksum(&summed(&frame, at));
    frame[at + 2..at + 4].copy_from_slice(&sum.to_be_bytes());
    frame
}

/// What an ICMP checksum covers: in IPv6 addresses, length and protocol, too.
fn summed(frame: &[u8], at: usize) -> Vec<u8> {
    let message = &frame[at..];
    match at - ETHERNET {
        20 => message.to_vec(),
        _ => {
            let length = (message.len() as u32).to_be_bytes();
            [&frame[22..54], &length[..], &[0, 0, 0, 58], message].concat()
        }
    }
}

/// The error is the server's now, about a packet that the server sent; its checksum is right.
fn assert_is_about(frame: &[u8], answer: &Packet, server: SocketAddr) {
    let header = if answer.source.is_ipv4() { 20 } else { 40 };
    let at = ETHERNET + header;
    assert_eq!(checksum(&summed(frame, at)), 0, "ICMP's checksum");
    let octets = match server.ip() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let (from, to) = if header == 20 { (12, 16) } else { (8, 24) };
    assert_eq!(&frame[ETHERNET + to..][..octets.len()], octets);
    let inner = &frame[at + 8..];
    assert_eq!(&inner[from..][..octets.len()], octets);
    if header == 20 {
        assert_eq!(checksum(&inner[..20]), 0, "the header inside");
    }
    let is_keyed = [AH, ESP].contains(&answer.upper.protocol());
    let expected = match is_keyed {
        // The payload, as it was sent.
        true => [0, 1],
        false => server.port().to_be_bytes(),
    };
    assert_eq!(inner[header..header + 2], expected);
}
