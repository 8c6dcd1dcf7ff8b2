//! Datagrams in parts: all go where the first one goes, or nowhere.

use std::net::SocketAddr;

use proptest::prelude::*;
use rlvs_engine::answers::answers;
use rlvs_engine::destination::{Destination, Tunnel};
use rlvs_engine::forward::Method;
use rlvs_engine::fragment::LIFETIME;
use rlvs_engine::frame::{Route, RouteKind, Way};
use rlvs_engine::memory::Bytes;
use rlvs_engine::process::process;
use rlvs_engine::schedule::Scheduler;
use rlvs_engine::service::{filter, store_octets};
use rlvs_engine::tables::interface;
use rlvs_engine::{Reason, V4, V6, Verdict};
use rlvs_testing::Packet;
use rlvs_testing::fragments::{cut, is_summed, join, summed};
use rlvs_testing::packet::{ETHERNET, Fragment, RST, SYN, TCP, UDP};

use crate::plane::{INTERFACE, Outcome, Plane, client, client6, vip, vip6};

/// A UDP datagram to both virtual addresses' port 53.
fn datagrams(payload: usize) -> [Vec<u8>; 2] {
    [
        Packet::udp(client(1), vip(53)),
        Packet::udp(client6(1), vip6(53)),
    ]
    .map(|packet| summed(Packet { payload, ..packet }.build()))
}

fn send(plane: &Plane, frame: &[u8]) -> Outcome {
    plane.send_frame(frame.to_vec(), INTERFACE)
}

/// What became of each part.
fn send_all(plane: &Plane, parts: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let sent = parts.iter().map(|part| send(plane, part));
    sent.map(|outcome| {
        assert_eq!((outcome.reason, outcome.to()), (None, Some(1)));
        outcome.bytes
    })
    .collect()
}

fn reason(plane: &Plane, frame: &[u8]) -> Option<Reason> {
    send(plane, frame).reason
}

/// Two destinations for UDP, which take turns.
fn two() -> Plane {
    let plane = Plane::with_services();
    for service in [1, 3] {
        plane.members(service, &[(1, 1), (1, 2)]);
    }
    plane
}

/// Real server 1 with another method.
fn with_method(method: Method, flags: u32) -> Plane {
    let plane = Plane::with_services();
    plane.turn_on(1, Destination::with_method(method) | flags);
    plane.destination(1).port.store(5353);
    plane.destination(1).outer_source[0].store(1);
    plane
}

const REAL4: [u8; 4] = [10, 0, 0, 1];
const REAL6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0xa, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

fn masquerading(ipv6: bool) -> Plane {
    let plane = with_method(Method::Masquerade, 0);
    let (octets, (word, bit)) = match ipv6 {
        true => (REAL6, filter::place_of_server::<V6>(REAL6)),
        false => {
            let [a, b, c, d] = REAL4;
            let octets = [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            (octets, filter::place_of_server::<V4>(REAL4))
        }
    };
    store_octets(&plane.destination(1).address, octets);
    plane.memory.filter[word as usize].store(bit);
    plane
}

#[test]
fn all_parts_go_where_the_first_goes() {
    let plane = two();
    for whole in datagrams(4000) {
        for turn in 0..6 {
            // Every turn another client, and so the other real server.
            let mut whole = whole.clone();
            let port = if whole[12] == 8 { 34 } else { 54 };
            whole[port + 1] = turn;
            let parts = cut(&whole, 1480, 100 + u32::from(turn));
            let to: Vec<_> = parts.iter().map(|part| send(&plane, part).to()).collect();
            assert!(to[0].is_some());
            assert_eq!(to, [to[0]; 3]);
        }
    }
    let [(of_1, packets_1, _), (of_2, packets_2, bytes_2)] = [plane.counted(1), plane.counted(2)];
    assert_eq!((of_1, packets_1), (6, 18), "connections, and every part");
    assert_eq!((of_2, packets_2), (6, 18));
    // Headers of every part, and UDP's of each first.
    let all = 3 * (4008 + 3 * 20) + 3 * (4008 + 3 * 48);
    assert_eq!(bytes_2, all as u64);
}

#[test]
fn direct_routing_changes_no_part_but_the_way() {
    for whole in datagrams(3000) {
        let plane = Plane::with_services();
        let forwarded = send_all(&plane, &cut(&whole, 1024, 5));
        let expected = send(&Plane::with_services(), &whole).bytes;
        assert_eq!(join(&forwarded), Some(expected));
    }
}

#[test]
fn each_part_goes_through_the_tunnel_by_itself() {
    for whole in datagrams(3000) {
        for kind in [Tunnel::IPIP, Tunnel::GRE, Tunnel::GUE] {
            let plane = with_method(Method::Tunnel, 0);
            let tunnel = Tunnel::new(kind, Tunnel::CHECKSUM, 6080);
            plane.destination(1).tunnel.store(tunnel.0);
            let parts = cut(&whole, 1024, 5);
            let sent = send_all(&plane, &parts);
            let inside: Vec<_> = sent
                .iter()
                .zip(&parts)
                .map(|(sent, part)| {
                    let from = sent.len() - (part.len() - ETHERNET);
                    [&part[..ETHERNET], &sent[from..]].concat()
                })
                .collect();
            let mut expected = send(&Plane::with_services(), &whole).bytes;
            expected[..ETHERNET].copy_from_slice(&whole[..ETHERNET]);
            assert_eq!(join(&inside), Some(expected));
            if kind == Tunnel::GUE {
                let port = |frame: &[u8]| frame[ETHERNET + 20..ETHERNET + 22].to_vec();
                let ports: Vec<_> = sent.iter().map(|frame| port(frame)).collect();
                assert_eq!(ports, vec![ports[0].clone(); 3], "one flow");
            }
        }
    }
}

#[test]
fn what_is_larger_than_the_tunnel_is_told_of_once() {
    for whole in datagrams(2500) {
        let plane = with_method(Method::Tunnel, 0);
        plane.destination(1).mtu.store(1000);
        plane.pass_ticks(1);
        let [first, second, third]: [_; 3] = cut(&whole, 1024, 5).try_into().unwrap();
        let outcome = send(&plane, &first);
        assert_eq!(outcome.reason, Some(Reason::TooLong));
        assert!(outcome.told.is_some(), "the sender learns of it");
        plane.pass_ticks(1);
        let outcome = send(&plane, &second);
        assert_eq!(outcome.reason, Some(Reason::TooLong));
        assert_eq!(outcome.told, None, "without ports nobody is told");
        assert_eq!(reason(&plane, &third), None);
    }
}

#[test]
fn masquerading_translates_all_parts() {
    for whole in datagrams(4000) {
        let ipv6 = whole[12] != 8;
        let expected = send(&masquerading(ipv6), &whole).bytes;
        assert!(is_summed(&expected));
        let forwarded = send_all(&masquerading(ipv6), &cut(&whole, 1480, 9));
        assert_eq!(join(&forwarded), Some(expected));
    }
}

#[test]
fn without_a_checksum_it_stays_so() {
    for (whole, at) in datagrams(4000).into_iter().zip([40, 60]) {
        let ipv6 = whole[12] != 8;
        let mut whole = whole;
        whole[at..at + 2].fill(0);
        let forwarded = send_all(&masquerading(ipv6), &cut(&whole, 1480, 9));
        assert_eq!(join(&forwarded).unwrap()[at..at + 2], [0, 0]);
    }
}

/// What the real server sends, by a plane whose kernel knows the way to the client.
fn answer(plane: &Plane, frame: &[u8]) -> (Verdict, Vec<u8>) {
    send_by(plane, Way::In, frame)
}

fn send_by(plane: &Plane, way: Way, frame: &[u8]) -> (Verdict, Vec<u8>) {
    let mut frame = Bytes {
        route: Route {
            kind: RouteKind::Known,
            interface: 7,
            destination: interface::mac([2, 0, 0, 0, 9, 9]),
            source: interface::mac([2, 0, 0, 0, 9, 1]),
        },
        way,
        ..Bytes::received(frame.to_vec(), INTERFACE)
    };
    let verdict = match way {
        Way::Out => answers(&mut frame, &plane.memory),
        Way::In | Way::Loopback => process(&mut frame, &plane.memory),
    };
    (verdict, frame.bytes)
}

/// What a real server sends to the first client of both families.
fn replies(payload: usize) -> [Vec<u8>; 2] {
    [
        Packet::udp(SocketAddr::from((REAL4, 5353)), client(1)),
        Packet::udp(SocketAddr::from((REAL6, 5353)), client6(1)),
    ]
    .map(|packet| summed(Packet { payload, ..packet }.build()))
}

#[test]
fn answers_to_this_host_itself_are_delivered_in_parts() {
    for (question, reply) in datagrams(10).into_iter().zip(replies(4000)) {
        let plane = masquerading(question[12] != 8);
        let (verdict, _) = send_by(&plane, Way::Loopback, &question);
        assert_eq!(verdict, Verdict::Transmit);
        let (verdict, expected) = answer(&plane, &reply);
        assert_eq!(verdict, Verdict::Deliver);
        let parts = cut(&reply, 1480, 77);
        let back = parts.iter().map(|part| answer(&plane, part));
        let back: Vec<_> = back
            .map(|(verdict, bytes)| {
                assert_eq!(verdict, Verdict::Deliver);
                assert_eq!(bytes[..12], expected[..12], "all come from the same sender");
                bytes
            })
            .collect();
        assert_eq!(join(&back), Some(expected));
    }
}

#[test]
fn what_this_host_answers_leaves_in_parts() {
    for (question, reply) in datagrams(10).into_iter().zip(replies(4000)) {
        let plane = masquerading(question[12] != 8);
        plane.turn_on(1, Destination::LOCAL);
        assert_eq!(answer(&plane, &question).0, Verdict::Pass);
        let (verdict, expected) = send_by(&plane, Way::Out, &reply);
        assert_eq!(verdict, Verdict::Pass);
        assert_ne!(expected, reply);
        let parts = cut(&reply, 1480, 77);
        let out = parts.iter().map(|part| send_by(&plane, Way::Out, part));
        let out: Vec<_> = out
            .map(|(verdict, bytes)| {
                assert_eq!(verdict, Verdict::Pass);
                bytes
            })
            .collect();
        assert_eq!(join(&out), Some(expected));
        // Of what it sends otherwise no part is touched.
        for part in cut(&summed(reply), 1480, 78).drain(1..) {
            assert_eq!(send_by(&plane, Way::Out, &part), (Verdict::Pass, part));
        }
    }
}

#[test]
fn answers_of_masqueraded_real_servers_are_translated_back() {
    for (ipv6, to, real) in [
        (false, client(1), SocketAddr::from((REAL4, 5353))),
        (true, client6(1), SocketAddr::from((REAL6, 5353))),
    ] {
        let plane = masquerading(ipv6);
        let [question4, question6] = datagrams(10);
        let question = if ipv6 { question6 } else { question4 };
        assert_eq!(reason(&plane, &question), None);
        let packet = Packet::udp(real, to);
        let whole = summed(
            Packet {
                payload: 4000,
                ..packet
            }
            .build(),
        );
        let (verdict, expected) = answer(&plane, &whole);
        assert_eq!(verdict, Verdict::Redirect(7));
        assert!(is_summed(&expected));
        let parts = cut(&whole, 1480, 77);
        let back: Vec<_> = parts.iter().map(|part| answer(&plane, part)).collect();
        assert!(
            back.iter()
                .all(|(verdict, _)| *verdict == Verdict::Redirect(7))
        );
        let back: Vec<_> = back.into_iter().map(|(_, bytes)| bytes).collect();
        assert_eq!(join(&back), Some(expected));
        let counters = &plane.memory.counters[1];
        assert_eq!(counters.packets_back.load(), 1 + 3);
    }
}

#[test]
fn a_local_destination_gets_all_parts() {
    for whole in datagrams(3000) {
        let plane = with_method(Method::DirectRoute, Destination::LOCAL);
        for part in cut(&whole, 1024, 5) {
            let (verdict, bytes) = answer(&plane, &part);
            assert_eq!((verdict, bytes), (Verdict::Pass, part));
        }
        assert_eq!(plane.counted(1).1, 3);
    }
}

#[test]
fn parts_without_their_first_pass() {
    for whole in datagrams(3000) {
        let plane = Plane::with_services();
        let parts = cut(&whole, 1024, 5);
        assert_eq!(reason(&plane, &parts[1]), Some(Reason::FragmentUnknown));
        assert_eq!(reason(&plane, &parts[0]), None);
        assert_eq!(reason(&plane, &parts[2]), None);
        // Of another datagram, and of another sender.
        let other = cut(&whole, 1024, 6);
        assert_eq!(reason(&plane, &other[1]), Some(Reason::FragmentUnknown));
        let mut other = parts[1].clone();
        let source = if other[12] == 8 { 29 } else { 37 };
        other[source] ^= 1;
        if other[12] == 8 {
            other[ETHERNET + 10..ETHERNET + 12].fill(0);
            let sum = rlvs_testing::packet::checksum(&other[ETHERNET..ETHERNET + 20]);
            other[ETHERNET + 10..ETHERNET + 12].copy_from_slice(&sum.to_be_bytes());
        }
        assert_eq!(reason(&plane, &other), Some(Reason::FragmentUnknown));
    }
}

#[test]
fn datagrams_to_no_service_pass_whole() {
    for packet in [
        Packet::udp(client(1), vip(54)),
        Packet::udp(client6(1), vip6(54)),
    ] {
        let plane = Plane::with_services();
        let whole = Packet {
            payload: 3000,
            ..packet
        }
        .build();
        let parts = cut(&whole, 1024, 5);
        assert_eq!(reason(&plane, &parts[0]), Some(Reason::NoService));
        assert_eq!(reason(&plane, &parts[1]), Some(Reason::FragmentUnknown));
        assert_eq!(reason(&plane, &parts[2]), Some(Reason::FragmentUnknown));
    }
}

#[test]
fn the_way_is_known_for_thirty_seconds() {
    for whole in datagrams(3000) {
        let plane = Plane::with_services();
        let parts = cut(&whole, 1024, 5);
        assert_eq!(reason(&plane, &parts[0]), None);
        plane.pass_ticks(LIFETIME);
        assert_eq!(reason(&plane, &parts[1]), None);
        plane.pass_ticks(1);
        assert_eq!(reason(&plane, &parts[2]), Some(Reason::FragmentUnknown));
    }
}

#[test]
fn tcp_in_parts_moves_the_state_once() {
    let plane = Plane::with_services();
    for packet in [
        Packet::tcp(client(1), vip(80), SYN),
        Packet::tcp(client6(1), vip6(80), SYN),
    ] {
        let whole = Packet {
            payload: 100,
            ..packet
        }
        .build();
        assert_eq!(send_all(&plane, &cut(&whole, 64, 3)).len(), 2);
    }
    assert_eq!(plane.entries().len(), 2);
    assert_eq!(plane.counts(1), (2, 0));
    // Its second part would be a reset, if it were looked at.
    let reset = Packet {
        payload: 100,
        ..Packet::tcp(client(1), vip(80), RST)
    };
    let parts = cut(&reset.build(), 64, 4);
    assert_eq!(reason(&plane, &parts[1]), Some(Reason::FragmentUnknown));
    assert_eq!(plane.counts(1), (2, 0));
}

#[test]
fn first_parts_without_the_whole_header_are_dropped() {
    for packet in [
        Packet::tcp(client(1), vip(80), SYN),
        Packet::tcp(client6(1), vip6(80), SYN),
    ] {
        for most in [8, 16] {
            let plane = Plane::with_services();
            let whole = Packet {
                payload: 100,
                ..packet.clone()
            }
            .build();
            let parts = cut(&whole, most, 3);
            assert_eq!(reason(&plane, &parts[0]), Some(Reason::FragmentTiny));
            // The rest of the header, too.
            assert_eq!(reason(&plane, &parts[1]), Some(Reason::FragmentTiny));
            assert_eq!(reason(&plane, &parts[3]), Some(Reason::FragmentUnknown));
            assert_eq!(plane.entries(), []);
        }
    }
    // Eight bytes are all of UDP's header.
    for whole in datagrams(64) {
        send_all(&Plane::with_services(), &cut(&whole, 8, 3));
    }
    // Nobody's are the stack's.
    let other = Packet {
        payload: 100,
        ..Packet::tcp(client(1), vip(81), SYN)
    };
    let parts = cut(&other.build(), 8, 3);
    let plane = Plane::with_services();
    assert_eq!(reason(&plane, &parts[0]), Some(Reason::NoService));
}

#[test]
fn tcp_options_must_be_whole_too() {
    let syn = Packet::tcp(client(1), vip(80), SYN);
    let upper = rlvs_testing::packet::Upper::Tcp {
        flags: SYN,
        options: 5,
    };
    let whole = Packet {
        upper,
        payload: 40,
        ..syn
    }
    .build();
    let plane = Plane::with_services();
    assert_eq!(
        reason(&plane, &cut(&whole, 32, 3)[0]),
        Some(Reason::FragmentTiny)
    );
    send_all(&plane, &cut(&whole, 40, 4));
}

#[test]
fn parts_that_overlap_the_first_are_dropped() {
    for whole in datagrams(3000) {
        let plane = Plane::with_services();
        let parts = cut(&whole, 1024, 5);
        assert_eq!(reason(&plane, &parts[0]), None);
        for part in &cut(&whole, 512, 5)[1..2] {
            assert_eq!(reason(&plane, part), Some(Reason::FragmentOverlap));
        }
        assert_eq!(reason(&plane, &parts[1]), None, "the others go on");
    }
}

#[test]
fn a_second_first_part_must_say_the_same() {
    for whole in datagrams(3000) {
        let plane = two();
        let parts = cut(&whole, 1024, 5);
        let to = send(&plane, &parts[0]).to();
        let mut other = whole.clone();
        let port = if whole[12] == 8 { 34 } else { 54 };
        other[port + 1] ^= 1;
        let other = cut(&other, 1024, 5);
        assert_eq!(reason(&plane, &other[0]), Some(Reason::FragmentOverlap));
        let shorter = cut(&whole, 512, 5);
        assert_eq!(reason(&plane, &shorter[0]), Some(Reason::FragmentOverlap));
        // The same again, as when the network doubles it.
        assert_eq!(send(&plane, &parts[0]).to(), to);
        assert_eq!(send(&plane, &parts[1]).to(), to);
        assert_eq!(send(&plane, &parts[2]).to(), to);
        // All has come by: the identification is free for another datagram.
        let to_other = send(&plane, &other[0]).to();
        assert!(to_other.is_some() && to_other != to);
        assert_eq!(send(&plane, &other[1]).to(), to_other);
    }
}

#[test]
fn parts_of_a_removed_destination_are_dropped() {
    for whole in datagrams(3000) {
        let plane = Plane::with_services();
        let parts = cut(&whole, 1024, 5);
        assert_eq!(reason(&plane, &parts[0]), None);
        plane.turn_off(1, Destination::AVAILABLE);
        assert_eq!(reason(&plane, &parts[1]), Some(Reason::DestinationGone));
    }
}

#[test]
fn atomic_fragments_are_whole_packets() {
    let fragment = Some(Fragment {
        offset: 0,
        more: false,
    });
    let packet = Packet {
        fragment,
        ..Packet::udp(client6(1), vip6(53))
    };
    let plane = Plane::with_services();
    assert_eq!(plane.send(&packet).to(), Some(1));
    assert!(plane.memory.v6.trails.all().is_empty());
}

#[test]
fn the_oldest_ways_are_forgotten_first() {
    let plane = Plane::with_services();
    let [whole, _] = datagrams(3000);
    for id in 0..1025 {
        assert_eq!(reason(&plane, &cut(&whole, 1024, id)[0]), None);
    }
    let of = |id| reason(&plane, &cut(&whole, 1024, id)[1]);
    assert_eq!((of(0), of(1)), (Some(Reason::FragmentUnknown), None));
}

proptest! {
    #[test]
    fn whatever_the_sizes_and_the_order_behind_the_first(
        ipv6 in any::<bool>(),
        payload in 100usize..6000,
        eights in 1usize..180,
        id in any::<u32>(),
        masquerades in any::<bool>(),
        order in any::<prop::sample::Index>(),
    ) {
        let plane = || match masquerades {
            true => masquerading(ipv6),
            false => two(),
        };
        let whole = datagrams(payload)[usize::from(ipv6)].clone();
        let mut parts = cut(&whole, eights * 8, id);
        if parts.len() > 2 {
            let by = order.index(parts.len() - 1);
            parts[1..].rotate_left(by);
        }
        let plane_of_parts = plane();
        let forwarded: Vec<_> = parts.iter().map(|part| send(&plane_of_parts, part).bytes).collect();
        let expected = send(&plane(), &whole).bytes;
        let got = match parts.len() {
            1 => forwarded.into_iter().next(),
            _ => join(&forwarded),
        };
        if parts.len() > 1 {
            prop_assert_eq!(got, Some(expected));
        }
    }
}

#[test]
fn the_scheduler_is_asked_once_for_all_parts() {
    let plane = Plane::new();
    plane.service(0, vip(53), UDP, Scheduler::Rr);
    plane.members(0, &[(1, 1), (1, 2)]);
    plane.service(1, vip(80), TCP, Scheduler::Rr);
    let mut to = Vec::new();
    for id in 0..4u16 {
        let packet = Packet {
            payload: 2000,
            ..Packet::udp(client(id), vip(53))
        };
        let parts = cut(&packet.build(), 800, id.into());
        to.push(
            parts
                .iter()
                .map(|part| send(&plane, part).to())
                .collect::<Vec<_>>(),
        );
    }
    for (one, next) in to.iter().zip(&to[1..]) {
        assert!(one.iter().all(|to| *to == one[0]));
        assert_ne!(one[0], next[0]);
    }
}
