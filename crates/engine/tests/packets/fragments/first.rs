//! What a first part must have, so that the others follow it: a whole header, that none rewrites.

use rlvs_engine::Reason;
use rlvs_testing::Packet;
use rlvs_testing::fragments::cut;
use rlvs_testing::packet::{RST, SYN, Upper};

use super::{datagrams, reason, send, send_all, two};
use crate::plane::{Plane, client, client6, vip, vip6};

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
    let upper = Upper::Tcp {
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
