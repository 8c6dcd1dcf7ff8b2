//! How long it is known where the parts of a datagram go, and which parts do not know it.

use rlvs_engine::Reason;
use rlvs_engine::destination::Destination;
use rlvs_engine::fragment::LIFETIME;
use rlvs_testing::Packet;
use rlvs_testing::fragments::cut;
use rlvs_testing::packet::{ETHERNET, Fragment};

use super::{datagrams, reason};
use crate::plane::{Plane, client, client6, vip, vip6};

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
fn the_oldest_ways_are_forgotten_first() {
    let plane = Plane::with_services();
    let [whole, _] = datagrams(3000);
    for id in 0..1025 {
        assert_eq!(reason(&plane, &cut(&whole, 1024, id)[0]), None);
    }
    let of = |id| reason(&plane, &cut(&whole, 1024, id)[1]);
    assert_eq!((of(0), of(1)), (Some(Reason::FragmentUnknown), None));
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
