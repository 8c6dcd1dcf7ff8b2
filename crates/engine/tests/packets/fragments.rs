//! Datagrams in parts: all go where the first one goes, or nowhere.

mod answers;
mod first;
mod trail;

use proptest::prelude::*;
use rlvs_engine::destination::{Destination, Tunnel};
use rlvs_engine::forward::Method;
use rlvs_engine::schedule::Scheduler;
use rlvs_engine::service::{filter, store_octets};
use rlvs_engine::{Reason, V4, V6};
use rlvs_testing::Packet;
use rlvs_testing::fragments::{cut, is_summed, join, summed};
use rlvs_testing::packet::{ETHERNET, TCP, UDP};

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
