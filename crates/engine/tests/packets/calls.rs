//! Calls of SIP that stay with their destination, whoever sends their packets.

use std::net::SocketAddr;

use rlvs_engine::call_id::{CallId, from_words};
use rlvs_engine::destination::Destination;
use rlvs_engine::schedule::Scheduler;
use rlvs_engine::service::Service;
use rlvs_engine::table::SWEEP_GRACE;
use rlvs_engine::{Reason, Verdict};
use rlvs_testing::Packet;
use rlvs_testing::packet::UDP;

use crate::plane::{Plane, client, vip};

const FIRST: &str = "INVITE sip:a SIP/2.0\r\nCall-ID: first@c\r\n\r\n";
const SECOND: &str = "INVITE sip:a SIP/2.0\r\nCall-ID: second@c\r\n\r\n";
const NONE: &str = "INVITE sip:a SIP/2.0\r\n\r\n";

/// Two destinations in turn; each packet is a connection of its own.
fn plane(mode: u32) -> Plane {
    let plane = Plane::new();
    plane.service(0, vip(5060), UDP, Scheduler::Rr);
    plane.members(0, &[(1, 1), (1, 2)]);
    plane.persistent(0, 60, [255; 16]);
    let service = &plane.memory.services[0];
    service
        .mode
        .store(service.mode.load() | Service::BY_CALL | mode);
    plane.memory.settings.calls.store(1);
    plane
}

fn send(plane: &Plane, from: SocketAddr, message: &'static str) -> Option<u32> {
    let mut packet = Packet::udp(from, vip(5060));
    (packet.payload, packet.message) = (message.len(), message);
    plane.send(&packet).to()
}

#[test]
fn a_call_stays_whoever_sends() {
    let plane = plane(Service::ONE_PACKET);
    for (number, message, to) in [(1, FIRST, 1), (2, SECOND, 2), (3, FIRST, 1), (1, SECOND, 2)] {
        assert_eq!(send(&plane, client(number), message), Some(to));
    }
    let mut packet = Packet::udp(client(1), vip(5060));
    (packet.payload, packet.message) = (NONE.len(), NONE);
    let outcome = plane.send(&packet);
    assert_eq!(
        (outcome.verdict, outcome.reason),
        (Verdict::Drop, Some(Reason::NoCall))
    );
}

/// What is kept for other directors is what was read.
#[test]
fn the_call_ids_of_templates_are_kept() {
    let plane = plane(Service::ONE_PACKET);
    let longest: &str = "x".repeat(CallId::LONGEST as usize).leak();
    let ids = ["first@c", "second@c", "8-bytes.", longest];
    for (number, id) in (1..).zip(ids) {
        for header in ["Call-ID: ", "i:", "CALL-ID \t:\t "] {
            let message = format!("INVITE sip:a SIP/2.0\r\n{header}{id} \r\n\r\n");
            assert!(send(&plane, client(number), message.leak()).is_some());
        }
    }
    let kept = plane.memory.call_ids.all();
    let kept: Vec<_> = kept.iter().map(|(_, words)| from_words(words)).collect();
    let mut sender = [0; 16];
    sender[..4].copy_from_slice(&[198, 51, 100, 1]);
    let expected = ids.map(|id| (id.as_bytes().to_vec(), sender));
    assert_eq!(kept, expected, "each once");

    let longer = format!("INVITE sip:a SIP/2.0\r\ni: {longest}x\r\n\r\n");
    let mut packet = Packet::udp(client(9), vip(5060));
    (packet.payload, packet.message) = (longer.len(), longer.leak());
    assert_eq!(plane.send(&packet).reason, Some(Reason::NoCall));
    assert_eq!(plane.memory.call_ids.all().len(), ids.len());
}

/// A client's connection is followed as any other's; the call's next one finds its destination.
#[test]
fn connections_carry_many_calls() {
    let plane = plane(0);
    assert_eq!(send(&plane, client(1), FIRST), Some(1));
    assert_eq!(send(&plane, client(1), SECOND), Some(1), "of a connection");
    assert_eq!(send(&plane, client(2), SECOND), Some(2));
    assert_eq!(send(&plane, client(3), FIRST), Some(1));
}

#[test]
fn it_is_remembered_for_its_time_and_as_long_as_the_destination_serves() {
    let plane = plane(Service::ONE_PACKET);
    assert_eq!(send(&plane, client(1), FIRST), Some(1));
    plane.pass_seconds(59);
    assert_eq!(send(&plane, client(2), FIRST), Some(1));
    plane.pass_seconds(59);
    assert_eq!(send(&plane, client(3), FIRST), Some(1), "refreshed");
    plane.pass_seconds(61);
    plane.pass_ticks(SWEEP_GRACE);
    assert_eq!(plane.sweep(), 1);
    assert_eq!(send(&plane, client(3), FIRST), Some(2));
    plane.turn_off(2, Destination::AVAILABLE);
    assert_ne!(send(&plane, client(3), FIRST), Some(2));
}
