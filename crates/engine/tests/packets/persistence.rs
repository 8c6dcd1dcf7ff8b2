//! Clients that stay with their destination.

use std::net::{IpAddr, SocketAddr};

use rlvs_engine::Family;
use rlvs_engine::connection::{Key, Meta, State};
use rlvs_engine::destination::Destination;
use rlvs_engine::schedule::Scheduler;
use rlvs_engine::table::SWEEP_GRACE;
use rlvs_testing::Packet;
use rlvs_testing::packet::{ACK, FIN, RST, SYN, TCP, UDP};

use crate::plane::{Plane, client, vip, vip6};

const WHOLE: [u8; 16] = [255; 16];

/// Four destinations in turn; a client stays with one for 360 s.
fn persistent(mask: [u8; 16]) -> Plane {
    let plane = Plane::with_members(Scheduler::Rr, &[(1, 1), (1, 2), (1, 3), (1, 4)]);
    plane.persistent(0, 360, mask);
    plane
}

fn from(last: u8, port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::from([198, 51, 100, last]), port)
}

fn syn(plane: &Plane, client: SocketAddr) -> Option<u32> {
    plane.send(&Packet::tcp(client, vip(80), SYN)).to()
}

fn templates(plane: &Plane) -> usize {
    plane
        .entries()
        .iter()
        .filter(|(.., state)| state.is_template())
        .count()
}

#[test]
fn a_clients_connections_go_where_its_first_went() {
    let plane = persistent(WHOLE);
    for port in 1000..1020 {
        assert_eq!(syn(&plane, from(1, port)), Some(1));
        assert_eq!(syn(&plane, from(2, port)), Some(2));
    }
    assert_eq!((plane.counts(1), plane.counts(2)), ((20, 0), (20, 0)));
    assert_eq!(templates(&plane), 2);
    assert_eq!(plane.memory.loads[1].persistent.load(), 1);
    assert_eq!(
        plane.counted(1),
        (20, 20, 800),
        "a template is no connection"
    );
}

/// Two CPUs may begin the same one at one moment.
#[test]
fn a_template_that_another_hides_is_let_go() {
    let plane = persistent(WHOLE);
    assert_eq!(syn(&plane, from(1, 1000)), Some(1));
    let slots = || plane.memory.v4.buckets.iter().flat_map(|it| &it.slots);
    let (found, spare) = (
        slots().find(|slot| Meta(slot.meta.load()).state().is_template()),
        slots()
            .filter(|slot| Meta(slot.meta.load()).is_free())
            .last(),
    );
    let (found, spare) = (found.expect("it is there"), spare.expect("there is room"));
    spare.key.store(&found.key.load());
    spare.children.store(1);
    spare.seen.store(found.seen.load());
    spare.meta.store(found.meta.load());
    plane.memory.loads[1].persistent.add(1);
    assert_eq!(
        (templates(&plane), plane.sweep(), templates(&plane)),
        (2, 1, 1)
    );
    assert!(Meta(found.meta.load()).is_live());
    assert_eq!(plane.memory.loads[1].persistent.load(), 1);
    assert_eq!(syn(&plane, from(1, 1001)), Some(1));
}

#[test]
fn the_mask_says_which_clients_are_one() {
    let mut mask = [0; 16];
    mask[..3].fill(255);
    let plane = persistent(mask);
    for last in 1..50 {
        assert_eq!(syn(&plane, from(last, 1000)), Some(1));
    }
    let elsewhere = SocketAddr::new(IpAddr::from([198, 51, 101, 1]), 1000);
    assert_eq!(syn(&plane, elsewhere), Some(2));
    assert_eq!(templates(&plane), 2);
}

#[test]
fn ipv6_clients_have_a_prefix() {
    let plane = Plane::new();
    plane.service(0, vip6(80), TCP, Scheduler::Rr);
    plane.members(0, &[(1, 1), (1, 2)]);
    let mut mask = [0; 16];
    mask[..8].fill(255);
    plane.persistent(0, 360, mask);
    let send = |subnet: u16, host: u16| {
        let client = IpAddr::from([0x2001, 0xdb8, 0, subnet, 1, 2, 3, host]);
        plane
            .send(&Packet::tcp((client, 999).into(), vip6(80), SYN))
            .to()
    };
    assert_eq!(
        [send(1, 1), send(1, 2), send(2, 1), send(1, 3)],
        [1, 1, 2, 1].map(Some)
    );
}

#[test]
fn udp_can_be_persistent_too() {
    let plane = Plane::new();
    plane.service(0, vip(53), UDP, Scheduler::Rr);
    plane.members(0, &[(1, 1), (1, 2)]);
    plane.persistent(0, 360, WHOLE);
    for port in 1000..1010 {
        assert_eq!(
            plane.send(&Packet::udp(from(1, port), vip(53))).to(),
            Some(1)
        );
    }
}

#[test]
fn a_template_ends_after_its_timeout() {
    let plane = persistent(WHOLE);
    assert_eq!(plane.tcp(1, &[SYN, ACK, RST]), Some(1));
    plane.pass_seconds(11);
    plane.pass_ticks(SWEEP_GRACE);
    assert_eq!(plane.sweep(), 1, "the connection");
    plane.pass_seconds(300);
    assert_eq!(
        plane.tcp(2, &[SYN, ACK, RST]),
        Some(1),
        "and begins its time again"
    );
    plane.pass_seconds(355);
    assert_eq!(plane.sweep(), 1, "the second connection");
    plane.pass_seconds(10);
    assert_eq!(plane.tcp(3, &[SYN]), Some(2));
    assert_eq!(templates(&plane), 1);
    assert_eq!(plane.memory.loads[1].persistent.load(), 0);
}

#[test]
fn a_template_outlives_its_timeout_while_a_connection_lives() {
    let plane = persistent(WHOLE);
    plane.tcp(1, &[SYN, ACK]);
    for _ in 0..5 {
        plane.pass_seconds(800);
        assert_eq!(plane.sweep(), 0);
        assert_eq!(plane.tcp(1, &[ACK]), Some(1));
    }
    assert_eq!(plane.tcp(2, &[SYN, ACK]), Some(1));
    plane.tcp(1, &[FIN | ACK]);
    plane.tcp(2, &[RST]);
    plane.pass_seconds(122);
    assert_eq!(plane.sweep(), 2, "the connections; the template is young");
    plane.pass_seconds(300);
    assert_eq!(plane.sweep(), 1);
    plane.assert_empty();
}

#[test]
fn every_way_a_connection_ends_is_told_to_its_template() {
    let plane = persistent(WHOLE);
    plane.tcp(1, &[SYN, ACK, RST]);
    plane.pass_seconds(11);
    assert_eq!(plane.tcp(1, &[SYN, ACK]), Some(1), "expired and begun anew");
    plane.pass_seconds(901);
    assert_eq!(plane.tcp(1, &[ACK]), None, "expired and not begun");
    plane.pass_ticks(SWEEP_GRACE);
    assert_eq!(plane.sweep(), 1, "no connection is left that would hold it");
    plane.assert_empty();
}

/// As in IPVS: what a template controls is not scheduled anew (`is_new_conn_expected`).
#[test]
fn a_port_used_again_stays_with_its_template() {
    let plane = persistent(WHOLE);
    plane.tcp(1, &[SYN, FIN]);
    plane.tcp(1, &[SYN, ACK, RST]);
    assert_eq!(plane.tcp(1, &[SYN]), Some(1));
    assert_eq!(plane.state(1), Some(State::SynRecv));
    assert_eq!(plane.counted(1).0, 1);
}

#[test]
fn a_quiesced_destination_keeps_its_clients() {
    let plane = persistent(WHOLE);
    assert_eq!(syn(&plane, from(1, 1000)), Some(1));
    plane.members(0, &[(0, 1), (1, 2)]);
    assert_eq!(syn(&plane, from(1, 1001)), Some(1));
    assert_eq!(syn(&plane, from(2, 1001)), Some(2));
}

#[test]
fn a_removed_destinations_clients_are_sent_elsewhere() {
    let plane = persistent(WHOLE);
    assert_eq!(syn(&plane, from(1, 1000)), Some(1));
    plane.turn_off(1, Destination::AVAILABLE);
    plane.members(0, &[(1, 2), (1, 3)]);
    let to = syn(&plane, from(1, 1001));
    assert!(matches!(to, Some(2 | 3)), "{to:?}");
    assert_eq!(syn(&plane, from(1, 1002)), to);
    assert_eq!(templates(&plane), 1);
}

#[test]
fn masks_are_those_of_addresses() {
    assert_eq!(
        rlvs_engine::V4::masked([198, 51, 100, 7], &WHOLE),
        [198, 51, 100, 7]
    );
    assert_eq!(client(1).ip(), IpAddr::from([198, 51, 100, 1]));
}
