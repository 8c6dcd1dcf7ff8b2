//! What real servers answer in parts, and what goes to and comes from this host itself.

use std::net::SocketAddr;

use rlvs_engine::answers::answers;
use rlvs_engine::destination::Destination;
use rlvs_engine::forward::Method;
use rlvs_engine::frame::{Route, RouteKind, Way};
use rlvs_engine::memory::Bytes;
use rlvs_engine::process::process;
use rlvs_engine::tables::interface;
use rlvs_engine::{Reason, Verdict};
use rlvs_testing::Packet;
use rlvs_testing::fragments::{cut, is_summed, join, summed};

use super::{REAL4, REAL6, datagrams, masquerading, reason, with_method};
use crate::plane::{INTERFACE, Plane, client, client6};

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
fn answers_of_masqueraded_real_servers_are_translated_back() {
    for (question, reply) in datagrams(10).into_iter().zip(replies(4000)) {
        let plane = masquerading(question[12] != 8);
        assert_eq!(reason(&plane, &question), None);
        let (verdict, expected) = answer(&plane, &reply);
        assert_eq!(verdict, Verdict::Redirect(7));
        assert!(is_summed(&expected));
        let parts = cut(&reply, 1480, 77);
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
fn an_answer_whose_hops_end_here_is_left_to_the_stack() {
    let answers = [
        Packet::udp(SocketAddr::from((REAL4, 5353)), client(1)),
        Packet::udp(SocketAddr::from((REAL6, 5353)), client6(1)),
    ];
    for (question, reply) in datagrams(10).into_iter().zip(answers) {
        let plane = masquerading(question[12] != 8);
        assert_eq!(reason(&plane, &question), None);
        for hops in [0, 1] {
            let frame = summed(
                Packet {
                    hops,
                    ..reply.clone()
                }
                .build(),
            );
            let (verdict, left) = answer(&plane, &frame);
            assert_eq!((verdict, left), (Verdict::Pass, frame));
        }
        assert_eq!(plane.memory.counted(Reason::AnswerHopLimit), 2);
    }
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
