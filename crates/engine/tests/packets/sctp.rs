//! SCTP: how its packets are read, and an association's life.

use rlvs_engine::Reason;
use rlvs_engine::connection::State::ShutdownReceived;
use rlvs_engine::connection::State::{self, Closed, CookieEchoed, Init, Init1, SctpEstablished};
use rlvs_engine::schedule::Scheduler;
use rlvs_engine::settings::ticks;
use rlvs_engine::sysctl::Sysctl;
use rlvs_testing::Packet;
use rlvs_testing::packet::chunk::{
    ABORT, COOKIE_ACK, COOKIE_ECHO, DATA, ERROR, INIT, INIT_ACK, SACK, SHUTDOWN, SHUTDOWN_ACK,
    SHUTDOWN_COMPLETE,
};
use rlvs_testing::packet::{Crc, Lie, SCTP, Upper};

use crate::plane::{Plane, client, client6, vip, vip6};

/// Two destinations in turn of a service of either IP version.
fn two() -> Plane {
    let plane = Plane::new();
    for (number, address) in [vip(9), vip6(9)].into_iter().enumerate() {
        plane.service(number as u32, address, SCTP, Scheduler::Rr);
        plane.members(number as u32, &[(1, 1), (1, 2)]);
    }
    plane
}

fn packet(kind: u8) -> Packet {
    Packet::sctp(client(1), vip(9), kind)
}

fn bundled(first: u8, second: u8) -> Packet {
    let upper = Upper::Sctp {
        chunk: first,
        second: Some(second),
        checksum: Crc::Right,
    };
    Packet {
        upper,
        ..packet(first)
    }
}

/// Sends one of each; where the last one went.
fn send(plane: &Plane, kinds: &[u8]) -> Option<u32> {
    let outcomes = kinds.iter().map(|&kind| plane.send(&packet(kind)));
    outcomes.last().and_then(|outcome| outcome.to())
}

#[test]
fn only_an_init_begins() {
    for kind in 0..=u8::MAX {
        let outcome = two().send(&packet(kind));
        let expected = (kind != INIT).then_some(Reason::NoConnection);
        assert_eq!(outcome.reason, expected, "chunk {kind}");
    }
    let six = |kind| two().send(&Packet::sctp(client6(1), vip6(9), kind)).reason;
    assert_eq!((six(INIT), six(DATA)), (None, Some(Reason::NoConnection)));
    let other = Packet::sctp(client(1), vip(80), INIT);
    assert_eq!(two().send(&other).reason, Some(Reason::NoService));
}

#[test]
fn states_are_walked_as_packets_come() {
    let walks: &[(&[u8], State)] = &[
        (&[INIT], Init1),
        (&[INIT, INIT], Init),
        (&[INIT, INIT_ACK], CookieEchoed),
        (&[INIT, COOKIE_ECHO], SctpEstablished),
        (&[INIT, COOKIE_ECHO, DATA, SACK, 192], SctpEstablished),
        (&[INIT, COOKIE_ECHO, INIT], SctpEstablished),
        (&[INIT, COOKIE_ECHO, SHUTDOWN], ShutdownReceived),
        (&[INIT, COOKIE_ECHO, SHUTDOWN, SHUTDOWN_COMPLETE], Closed),
        (&[INIT, COOKIE_ECHO, SHUTDOWN_ACK], Closed),
        (&[INIT, COOKIE_ECHO, ABORT], Closed),
        (&[INIT, INIT_ACK, COOKIE_ACK], SctpEstablished),
        (&[INIT, ERROR, ABORT, DATA], Closed),
    ];
    for (kinds, expected) in walks {
        let plane = two();
        assert_eq!(send(&plane, kinds), Some(1), "{kinds:?}");
        assert_eq!(plane.state(1), Some(*expected), "{kinds:?}");
        let counts = match expected {
            SctpEstablished => (1, 0),
            _ => (0, 1),
        };
        assert_eq!(plane.counts(1), counts, "{kinds:?}");
    }
}

#[test]
fn an_abort_behind_a_cookie_counts() {
    let rows = [
        (bundled(COOKIE_ECHO, ABORT), Closed),
        (bundled(COOKIE_ECHO, DATA), SctpEstablished),
        (bundled(DATA, ABORT), Init1),
        // The padding behind the first is not in its length.
        (
            Packet {
                payload: 5,
                ..bundled(COOKIE_ECHO, ABORT)
            },
            Closed,
        ),
        // No chunk is as short, or longer than the packet.
        (
            bundled(COOKIE_ECHO, ABORT).lying(Lie::ChunkLength(3)),
            SctpEstablished,
        ),
        (
            bundled(COOKIE_ECHO, ABORT).lying(Lie::ChunkLength(9)),
            SctpEstablished,
        ),
        (
            bundled(COOKIE_ECHO, ABORT).lying(Lie::ChunkLength(u16::MAX)),
            SctpEstablished,
        ),
    ];
    for (packet, expected) in rows {
        let plane = two();
        send(&plane, &[INIT]);
        assert_eq!(plane.send(&packet).to(), Some(1));
        assert_eq!(plane.state(1), Some(expected), "{packet:?}");
    }
}

#[test]
fn headers_must_be_there() {
    let cut = |bytes: usize| Packet {
        cut: Some(14 + 20 + bytes),
        ..packet(INIT)
    };
    // The frame as long as it says, but the packet shorter.
    let short = |by: i32| Packet {
        padding: 4,
        ..packet(INIT).lying(Lie::Length(-by))
    };
    let rows = [
        (packet(INIT), None),
        (cut(15), Some(Reason::Truncated)),
        (cut(11), Some(Reason::Truncated)),
        (short(1), Some(Reason::Truncated)),
        (short(4), Some(Reason::Truncated)),
        // What a chunk says of its length is the receiver's business.
        (packet(INIT).lying(Lie::ChunkLength(0)), None),
    ];
    for (packet, expected) in rows {
        assert_eq!(two().send(&packet).reason, expected, "{packet:?}");
    }
}

#[test]
fn every_state_ends_after_its_timeout() {
    let rows: [(&[u8], u32); 6] = [
        (&[INIT], 4),
        (&[INIT, INIT], 61),
        (&[INIT, INIT_ACK], 61),
        (&[INIT, COOKIE_ECHO], 900),
        (&[INIT, COOKIE_ECHO, SHUTDOWN], 61),
        (&[INIT, ABORT], 61),
    ];
    for (kinds, seconds) in rows {
        for later in [0, 1] {
            let plane = two();
            send(&plane, kinds);
            plane.pass_ticks(ticks(seconds) + later);
            let expected = (later == 1).then_some(Reason::NoConnection);
            assert_eq!(plane.send(&packet(DATA)).reason, expected, "{kinds:?}");
        }
    }
}

#[test]
fn a_port_is_used_again_when_the_association_is_closed() {
    let ends: [(&[u8], bool); 4] = [
        (&[INIT, COOKIE_ECHO], false),
        (&[INIT, COOKIE_ECHO, SHUTDOWN], false),
        (&[INIT, ABORT], true),
        (&[INIT, COOKIE_ECHO, SHUTDOWN, SHUTDOWN_COMPLETE], true),
    ];
    for mode in 0..4 {
        for (kinds, is_closed) in ends {
            let plane = two();
            plane.sysctl(Sysctl::ConnReuseMode, mode);
            send(&plane, kinds);
            let expected = if is_closed && mode != 0 { 2 } else { 1 };
            assert_eq!(send(&plane, &[INIT]), Some(expected), "{mode} {kinds:?}");
        }
    }
}
