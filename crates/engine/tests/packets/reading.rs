//! Which packets are taken, and why the others are not.

mod broken;
mod elsewhere;
mod fragments;
mod headers;

use rlvs_engine::Reason::{self, Internal};
use rlvs_engine::Verdict;
use rlvs_testing::Packet;
use rlvs_testing::packet::SYN;

use crate::plane::{Plane, client, client6, vip, vip6};

type Row = (&'static str, Packet, Option<Reason>);

/// Sends each packet to a data plane of its own.
fn check(rows: impl IntoIterator<Item = Row>) {
    for (what, packet, expected) in rows {
        let outcome = Plane::with_services().send(&packet);
        assert_eq!(outcome.reason, expected, "{what}: {packet:?}");
    }
}

fn syn() -> Packet {
    Packet::tcp(client(1), vip(80), SYN)
}

fn syn6() -> Packet {
    Packet::tcp(client6(1), vip6(80), SYN)
}

fn query() -> Packet {
    Packet {
        payload: 12,
        ..Packet::udp(client(1), vip(53))
    }
}

fn query6() -> Packet {
    Packet {
        payload: 12,
        ..Packet::udp(client6(1), vip6(53))
    }
}

/// All four, named.
fn plain() -> [(&'static str, Packet); 4] {
    [
        ("TCP/IPv4", syn()),
        ("TCP/IPv6", syn6()),
        ("UDP/IPv4", query()),
        ("UDP/IPv6", query6()),
    ]
}

#[test]
fn plain_packets_are_forwarded() {
    check(plain().map(|(what, packet)| (what, packet, None)));
}

#[test]
fn tables_that_contradict_themselves_are_reported() {
    let plane = Plane::with_services();
    plane.service(0, vip(80), 6, rlvs_engine::schedule::Scheduler::Rr);
    let key = rlvs_engine::service::ServiceKey::new([192, 0, 2, 80], 80u16.to_be_bytes(), 6);
    plane.memory.v4.set_service(key, Some(9999));
    let outcome = plane.send(&syn());
    assert_eq!(
        (outcome.verdict, outcome.reason),
        (Verdict::Drop, Some(Internal))
    );
}

#[test]
fn names_and_verdicts_are_told_apart() {
    let names: std::collections::HashSet<_> = Reason::ALL.iter().map(|it| it.name()).collect();
    assert_eq!(names.len(), Reason::ALL.len());
    for (place, &reason) in Reason::ALL.iter().enumerate() {
        assert_eq!(Reason::from_bits(place as u8), reason);
        assert!(!reason.meaning().is_empty());
        assert!(matches!(reason.verdict(), Verdict::Pass | Verdict::Drop));
    }
}
