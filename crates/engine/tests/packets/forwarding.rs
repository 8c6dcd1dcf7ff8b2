//! What a forwarded packet looks like.

use proptest::prelude::*;
use rlvs_engine::destination::Destination;
use rlvs_engine::{Reason, Verdict};
use rlvs_testing::Packet;
use rlvs_testing::packet::{DIRECTOR, ETHERNET, Extension, SYN, Upper, checksum};

use crate::plane::{INTERFACE, Plane, client, client6, mac, vip, vip6};

/// What direct routing makes of a frame, written down anew.
fn rewritten(frame: &[u8], destination: u32) -> Vec<u8> {
    let mut expected = frame.to_vec();
    expected[0..6].copy_from_slice(&mac(destination));
    expected[6..12].copy_from_slice(&DIRECTOR);
    if expected[12..14] == [0x86, 0xdd] {
        expected[ETHERNET + 7] -= 1;
        return expected;
    }
    expected[ETHERNET + 8] -= 1;
    let length = usize::from(expected[ETHERNET] & 15) * 4;
    expected[ETHERNET + 10..ETHERNET + 12].fill(0);
    let sum = checksum(&expected[ETHERNET..ETHERNET + length]);
    expected[ETHERNET + 10..ETHERNET + 12].copy_from_slice(&sum.to_be_bytes());
    expected
}

fn check(packet: &Packet) {
    let outcome = Plane::with_services().send(packet);
    assert_eq!(outcome.verdict, Verdict::Transmit, "{packet:?}");
    assert_eq!(outcome.bytes, rewritten(&packet.build(), 1), "{packet:?}");
}

#[test]
fn only_addresses_hops_and_checksum_change() {
    let extensions = vec![Extension::HopByHop(1), Extension::Authentication(2)];
    for packet in [
        Packet::tcp(client(1), vip(80), SYN),
        Packet {
            options: 10,
            payload: 33,
            ..Packet::udp(client(1), vip(53))
        },
        Packet {
            padding: 18,
            ..Packet::udp(client(1), vip(53))
        },
        Packet {
            payload: 1400,
            ..Packet::tcp(client(1), vip(80), SYN)
        },
        Packet {
            payload: 1400,
            ..Packet::tcp(client6(1), vip6(80), SYN)
        },
        Packet {
            extensions,
            padding: 3,
            ..Packet::udp(client6(1), vip6(53))
        },
    ] {
        check(&packet);
    }
}

#[test]
fn every_time_to_live_above_one_is_counted_down() {
    for hops in 2..=255 {
        check(&Packet {
            hops,
            ..Packet::tcp(client(1), vip(80), SYN)
        });
        check(&Packet {
            hops,
            ..Packet::tcp(client6(1), vip6(80), SYN)
        });
    }
}

proptest! {
    #[test]
    fn checksums_are_right_whatever_the_header(
        address in any::<[u8; 4]>(),
        port in 1u16..,
        hops in 2u8..,
        options in 0u8..=10,
        tcp_options in 0u8..=10,
        payload in 0usize..1000,
    ) {
        let upper = Upper::Tcp { flags: SYN, options: tcp_options };
        let syn = Packet::tcp((address, port).into(), vip(80), SYN);
        let packet = Packet { hops, options, payload, upper, ..syn };
        check(&packet);
    }
}

#[test]
fn the_last_hop_ends_here() {
    for hops in [0, 1] {
        for packet in [
            Packet::tcp(client(1), vip(80), SYN),
            Packet::udp(client(1), vip(53)),
            Packet::tcp(client6(1), vip6(80), SYN),
            Packet::udp(client6(1), vip6(53)),
        ] {
            let outcome = Plane::with_services().send(&Packet { hops, ..packet });
            assert_eq!(outcome.reason, Some(Reason::HopLimit));
        }
    }
}

#[test]
fn without_a_next_hop_nothing_leaves() {
    let plane = Plane::with_services();
    plane.turn_off(1, Destination::RESOLVED);
    for _ in 0..3 {
        let outcome = plane.send(&Packet::tcp(client(1), vip(80), SYN));
        assert_eq!(outcome.reason, Some(Reason::Unresolved));
    }
    assert_eq!(plane.memory.counted(Reason::Unresolved), 3);
    // Its connection is known, and goes on when the next hop is.
    plane.turn_on(1, Destination::RESOLVED);
    assert_eq!(plane.tcp(1, &[rlvs_testing::packet::ACK]), Some(1));
}

#[test]
fn frames_leave_by_the_destinations_interface() {
    let plane = Plane::with_services();
    let syn = Packet::tcp(client(1), vip(80), SYN);
    assert_eq!(plane.send(&syn).verdict, Verdict::Transmit);
    plane.turn_on(1, Destination::REDIRECT);
    assert_eq!(plane.send(&syn).verdict, Verdict::Redirect(INTERFACE));
    plane.turn_off(1, Destination::REDIRECT);
    plane.destination(1).interface.store(7);
    let outcome = plane.send(&syn);
    assert_eq!(outcome.verdict, Verdict::Redirect(7));
    assert_eq!(outcome.bytes, rewritten(&syn.build(), 1));
}

#[test]
fn a_next_hop_that_moves_is_followed_at_once() {
    let plane = Plane::with_services();
    assert_eq!(plane.tcp(1, &[SYN]), Some(1));
    plane
        .destination(1)
        .next_hop
        .store(rlvs_engine::tables::interface::mac(mac(77)));
    assert_eq!(plane.tcp(1, &[rlvs_testing::packet::ACK]), Some(77));
}
