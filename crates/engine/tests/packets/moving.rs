//! While entries come from other tables.

use rlvs_engine::Reason;
use rlvs_engine::schedule::Scheduler;
use rlvs_testing::Packet;
use rlvs_testing::packet::{ACK, FIN, SYN};

use crate::plane::{Plane, client, vip};

/// One destination, and a client's port that has been used.
fn moving(flags: &[u8]) -> Plane {
    let plane = Plane::with_members(Scheduler::Rr, &[(1, 1), (1, 2)]);
    assert_eq!(plane.tcp(1, flags), plane.tcp(1, &[ACK]));
    plane.memory.settings.moving.store(1);
    plane
}

fn sent(plane: &Plane, number: u16, flags: u8) -> Result<u32, Option<Reason>> {
    let outcome = plane.send(&Packet::tcp(client(number), vip(80), flags));
    outcome.to().ok_or(outcome.reason)
}

#[test]
fn what_is_open_goes_on() {
    let plane = moving(&[SYN, ACK]);
    let to = sent(&plane, 1, ACK);
    assert!(to.is_ok());
    assert_eq!(sent(&plane, 1, FIN | ACK), to);
}

/// It may be a new connection's by now, which is not here yet.
#[test]
fn what_was_closing_waits() {
    let plane = moving(&[SYN, ACK, FIN | ACK]);
    assert_eq!(sent(&plane, 1, ACK), Err(Some(Reason::Moving)));
    assert_eq!(sent(&plane, 1, FIN | ACK), Err(Some(Reason::Moving)));
    plane.memory.settings.moving.store(0);
    assert!(sent(&plane, 1, ACK).is_ok());
}

#[test]
fn strangers_wait_and_new_ones_begin() {
    let plane = moving(&[SYN, ACK]);
    assert_eq!(sent(&plane, 2, ACK), Err(Some(Reason::Moving)));
    assert!(sent(&plane, 2, SYN).is_ok());
    assert!(sent(&plane, 2, ACK).is_ok());
}

/// While there may be flows without an entry, a later packet may be of one; or of a connection that is not
/// here yet.
#[test]
fn strangers_wait_where_flows_have_no_entry_too() {
    let plane = moving(&[SYN, ACK]);
    plane.memory.settings.ever_stateless.store(1);
    assert_eq!(sent(&plane, 2, ACK), Err(Some(Reason::Moving)));
    plane.memory.settings.moving.store(0);
    assert!(sent(&plane, 2, ACK).is_ok());
}
