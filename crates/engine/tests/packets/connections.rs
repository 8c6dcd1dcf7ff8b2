//! A connection's life: states, counts, timeouts, and ports that are used again.

use rlvs_engine::connection::State::{self, Close, Established, FinWait, SynRecv, TimeWait, Udp};
use rlvs_engine::schedule::Scheduler;
use rlvs_engine::settings::ticks;
use rlvs_engine::sysctl::Sysctl;
use rlvs_engine::table::SWEEP_GRACE;
use rlvs_engine::{Reason, Tables};
use rlvs_testing::Packet;
use rlvs_testing::packet::{ACK, FIN, PSH, RST, SYN, UDP};
use std::sync::atomic::Ordering;

use crate::plane::{Plane, client, client6, vip, vip6};

const FIN_ACK: u8 = FIN | ACK;

/// Two destinations in turn, so that one can see whether a connection began anew.
fn two() -> Plane {
    Plane::with_members(Scheduler::Rr, &[(1, 1), (1, 2)])
}

#[test]
fn states_are_walked_as_packets_come() {
    let walks: &[(&[u8], State)] = &[
        (&[SYN], SynRecv),
        (&[SYN, SYN], SynRecv),
        (&[SYN, ACK], Established),
        (&[SYN, RST], SynRecv),
        (&[SYN, FIN_ACK], TimeWait),
        (&[SYN, ACK, ACK | PSH], Established),
        (&[SYN, ACK, SYN], Established),
        (&[SYN, ACK, FIN_ACK], FinWait),
        (&[SYN, ACK, FIN_ACK, ACK], FinWait),
        (&[SYN, ACK, RST], Close),
        (&[SYN, ACK, RST | ACK], Close),
        (&[SYN, ACK, RST, ACK], Close),
        (&[SYN, ACK, 0], Close),
        (&[SYN, ACK, FIN_ACK, RST], Close),
        (&[SYN, ACK, FIN_ACK, SYN], SynRecv),
        (&[SYN, FIN_ACK, ACK], TimeWait),
    ];
    for (flags, expected) in walks {
        let plane = two();
        assert_eq!(
            plane.tcp(1, flags),
            Some(1),
            "{flags:?} stay where the first went"
        );
        assert_eq!(plane.state(1), Some(*expected), "{flags:?}");
        let counts = if expected.is_active() { (1, 0) } else { (0, 1) };
        assert_eq!(
            (plane.counts(1), plane.counts(2)),
            (counts, (0, 0)),
            "{flags:?}"
        );
    }
}

#[test]
fn counts_return_to_zero() {
    let plane = two();
    let ends: &[&[u8]] = &[
        &[SYN],
        &[SYN, ACK],
        &[SYN, ACK, FIN_ACK, ACK],
        &[SYN, ACK, RST],
        &[SYN, FIN_ACK],
        &[SYN, ACK, FIN_ACK, SYN, ACK, RST],
    ];
    for number in 0..120 {
        plane.tcp(number, ends[usize::from(number) % ends.len()]);
    }
    assert_eq!(plane.entries().len(), 120);
    let of_both = (plane.counts(1), plane.counts(2));
    let (active, inactive) = (of_both.0.0 + of_both.1.0, of_both.0.1 + of_both.1.1);
    assert_eq!((active, inactive), (40, 80));
    plane.pass_seconds(901);
    plane.pass_ticks(SWEEP_GRACE);
    assert_eq!(plane.sweep(), 120);
    plane.assert_empty();
}

#[test]
fn packets_bytes_and_connections_are_counted() {
    let plane = two();
    let sizes = [0, 100, 1400];
    let packets = [SYN, ACK, ACK]
        .into_iter()
        .zip(sizes)
        .map(|(flags, payload)| Packet {
            payload,
            padding: 9,
            ..Packet::tcp(client(1), vip(80), flags)
        });
    packets.for_each(|packet| assert_eq!(plane.send(&packet).to(), Some(1)));
    assert_eq!(plane.counted(1), (1, 3, 3 * 40 + 1500));
    assert_eq!(plane.counted(2), (0, 0, 0));
    let plane = Plane::with_services();
    plane.send(&Packet {
        payload: 10,
        ..Packet::udp(client6(1), vip6(53))
    });
    assert_eq!(plane.counted(1), (1, 1, 40 + 8 + 10));
}

/// Flags that lead to a state, and its timeout in seconds.
const TIMEOUTS: [(&[u8], State, u32); 5] = [
    (&[SYN], SynRecv, 60),
    (&[SYN, ACK], Established, 900),
    (&[SYN, ACK, FIN_ACK], FinWait, 120),
    (&[SYN, FIN_ACK], TimeWait, 120),
    (&[SYN, ACK, RST], Close, 10),
];

#[test]
fn every_state_ends_after_its_timeout() {
    for (flags, state, seconds) in TIMEOUTS {
        for later in [0, 1] {
            let plane = two();
            plane.tcp(1, flags);
            plane.pass_ticks(ticks(seconds) + later);
            let outcome = plane.send(&Packet::tcp(client(1), vip(80), ACK));
            let expected = if later == 0 {
                None
            } else {
                Some(Reason::NoConnection)
            };
            assert_eq!(outcome.reason, expected, "{state:?} and {later} ticks");
            assert_eq!(plane.entries().len(), 1 - later as usize);
        }
    }
}

#[test]
fn the_sweep_ends_what_is_over_a_while_ago() {
    for (flags, state, seconds) in TIMEOUTS {
        let plane = two();
        plane.tcp(1, flags);
        plane.pass_ticks(ticks(seconds) + SWEEP_GRACE);
        assert_eq!(plane.sweep(), 0, "{state:?}");
        plane.pass_ticks(1);
        assert_eq!(plane.sweep(), 1, "{state:?}");
        plane.assert_empty();
    }
}

#[test]
fn packets_keep_a_connection_alive() {
    let plane = two();
    plane.tcp(1, &[SYN, ACK]);
    for _ in 0..10 {
        plane.pass_seconds(899);
        assert_eq!(plane.sweep(), 0);
        assert_eq!(plane.tcp(1, &[ACK]), Some(1));
    }
    assert_eq!(plane.counted(1).0, 1);
}

#[test]
fn udp_lives_as_long_as_packets_come() {
    let plane = Plane::new();
    plane.service(0, vip(53), UDP, Scheduler::Rr);
    plane.members(0, &[(1, 1), (1, 2)]);
    let query = Packet::udp(client(1), vip(53));
    assert_eq!(plane.send(&query).to(), Some(1));
    assert_eq!((plane.state(1), plane.counts(1)), (Some(Udp), (0, 1)));
    plane.pass_seconds(300);
    assert_eq!(plane.send(&query).to(), Some(1));
    plane.pass_ticks(ticks(300) + 1);
    assert_eq!(plane.send(&query).to(), Some(2), "begun anew");
    assert_eq!((plane.counts(1), plane.counts(2)), ((0, 0), (0, 1)));
}

#[test]
fn new_timeouts_hold_for_live_connections() {
    let plane = two();
    plane.tcp(1, &[SYN, ACK]);
    plane.tcp(2, &[SYN, ACK]);
    plane.pass_seconds(100);
    plane.memory.settings.set_timeout(Established, ticks(50));
    assert_eq!(plane.tcp(1, &[ACK]), None);
    plane.memory.settings.set_timeout(Established, ticks(5000));
    plane.pass_seconds(4000);
    assert_eq!(plane.tcp(2, &[ACK]), Some(2));
}

/// Where a SYN goes after these flags, of two destinations in turn: 1 if it is the old
/// connection's, 2 if it began anew.
fn after_a_syn(mode: u32, flags: &[u8]) -> (Option<u32>, Option<State>) {
    let plane = two();
    plane.sysctl(Sysctl::ConnReuseMode, mode);
    plane.tcp(1, flags);
    let to = plane.tcp(1, &[SYN]);
    assert_eq!(plane.entries().len(), 1);
    let (one, two) = (plane.counts(1), plane.counts(2));
    assert_eq!(one.0 + one.1 + two.0 + two.1, 1, "mode {mode}, {flags:?}");
    (to, plane.state(1))
}

#[test]
fn a_port_is_used_again_as_the_mode_says() {
    let open: [&[u8]; 2] = [&[SYN], &[SYN, ACK]];
    let closed: [&[u8]; 2] = [&[SYN, FIN_ACK], &[SYN, ACK, RST]];
    let closing: [&[u8]; 1] = [&[SYN, ACK, FIN_ACK]];
    for mode in 0..4 {
        for flags in open {
            assert_eq!(after_a_syn(mode, flags).0, Some(1));
        }
        for flags in closed {
            let expected = if mode == 0 { 1 } else { 2 };
            assert_eq!(after_a_syn(mode, flags), (Some(expected), Some(SynRecv)));
        }
        for flags in closing {
            let expected = if mode & 2 == 0 { 1 } else { 2 };
            assert_eq!(after_a_syn(mode, flags), (Some(expected), Some(SynRecv)));
        }
    }
}

#[test]
fn an_expired_connection_begins_anew_with_a_syn_only() {
    let plane = two();
    plane.tcp(1, &[SYN, ACK]);
    plane.pass_seconds(901);
    assert_eq!(plane.tcp(1, &[SYN]), Some(2));
    assert_eq!((plane.counts(1), plane.counts(2)), ((0, 0), (1, 0)));
    assert_eq!((plane.counted(1).0, plane.counted(2).0), (1, 1));
}

#[test]
fn connections_are_told_apart_by_all_of_both_ends() {
    let plane = Plane::new();
    for (number, address) in [vip(80), vip(81), "192.0.2.81:80".parse().unwrap()]
        .iter()
        .enumerate()
    {
        plane.service(number as u32, *address, 6, Scheduler::Rr);
        plane.members(number as u32, &[(1, number as u32 + 1)]);
        let outcome = plane.send(&Packet::tcp(client(1), *address, SYN));
        assert_eq!(outcome.to(), Some(number as u32 + 1));
    }
    plane.service(3, vip(80), UDP, Scheduler::Rr);
    plane.members(3, &[(1, 4)]);
    assert_eq!(plane.send(&Packet::udp(client(1), vip(80))).to(), Some(4));
    let other = "198.51.100.2:1025".parse().unwrap();
    assert_eq!(plane.send(&Packet::tcp(other, vip(80), ACK)).to(), None);
    assert_eq!(plane.entries().len(), 4);
}

#[test]
fn the_clock_may_wrap() {
    let plane = two();
    plane
        .memory
        .clock
        .store(u32::MAX - ticks(30), Ordering::Relaxed);
    plane.tcp(1, &[SYN]);
    plane.pass_seconds(60);
    assert!(plane.now() < ticks(60));
    assert_eq!(plane.sweep(), 0);
    assert_eq!(plane.tcp(1, &[ACK]), Some(1));
}

#[test]
fn a_clock_that_lags_behind_ends_nothing() {
    let plane = two();
    plane.memory.clock.store(1000, Ordering::Relaxed);
    plane.tcp(1, &[SYN]);
    plane.memory.clock.store(990, Ordering::Relaxed);
    assert_eq!(plane.sweep(), 0);
    assert_eq!(plane.tcp(1, &[ACK]), Some(1));
    assert_eq!(plane.memory.now(), 990);
}
