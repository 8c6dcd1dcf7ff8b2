//! Destinations that take no connections, are removed, come back.

use rlvs_engine::Reason;
use rlvs_engine::connection::State;
use rlvs_engine::destination::Destination;
use rlvs_engine::schedule::Scheduler;
use rlvs_engine::settings::ticks;
use rlvs_engine::table::SWEEP_GRACE;
use rlvs_testing::Packet;
use rlvs_testing::packet::{ACK, FIN, RST, SYN};

use crate::plane::{Plane, client, vip};

fn reason(plane: &Plane, number: u16, flags: u8) -> Option<Reason> {
    plane
        .send(&Packet::tcp(client(number), vip(80), flags))
        .reason
}

#[test]
fn without_destinations_new_connections_are_dropped() {
    for scheduler in Scheduler::ALL {
        for members in [&[][..], &[(0, 1)], &[(0, 1), (0, 2), (0, 3)]] {
            let plane = Plane::with_members(scheduler, members);
            assert_eq!(
                reason(&plane, 1, SYN),
                Some(Reason::NoDestination),
                "{scheduler:?}"
            );
            assert_eq!(plane.entries(), []);
        }
    }
}

/// Those that always find a destination that takes connections, if there is one.
const FINDING: [Scheduler; 8] = [
    Scheduler::Rr,
    Scheduler::Wrr,
    Scheduler::Lc,
    Scheduler::Wlc,
    Scheduler::Sed,
    Scheduler::Nq,
    Scheduler::Fo,
    Scheduler::Twos,
];

#[test]
fn weight_0_keeps_connections_and_gets_no_new_ones() {
    for scheduler in FINDING {
        let plane = Plane::with_members(scheduler, &[(1, 1)]);
        assert_eq!(plane.tcp(1, &[SYN, ACK]), Some(1));
        plane.members(0, &[(1, 2), (0, 1)]);
        assert_eq!(plane.tcp(1, &[ACK]), Some(1));
        for number in 2..10 {
            assert_eq!(plane.tcp(number, &[SYN]), Some(2), "{scheduler:?}");
        }
        assert_eq!(plane.tcp(1, &[ACK | FIN]), Some(1));
    }
}

#[test]
fn connections_of_a_removed_destination_are_dropped_and_come_back() {
    let plane = Plane::with_members(Scheduler::Rr, &[(1, 1)]);
    plane.tcp(1, &[SYN, ACK]);
    plane.turn_off(1, Destination::AVAILABLE);
    plane.members(0, &[(1, 2)]);
    for flags in [ACK, SYN, FIN | ACK, RST] {
        assert_eq!(reason(&plane, 1, flags), Some(Reason::DestinationGone));
        assert_eq!(
            plane.state(1),
            Some(State::Established),
            "nothing of it counts"
        );
    }
    assert_eq!(plane.counted(1), (1, 2, 80));
    assert_eq!(plane.tcp(2, &[SYN]), Some(2));
    plane.members(0, &[(1, 1), (1, 2)]);
    assert_eq!(plane.tcp(1, &[ACK]), Some(1));
    assert_eq!(plane.counts(1), (1, 0));
}

#[test]
fn a_closed_connection_of_a_removed_destination_gives_its_port_back() {
    let plane = Plane::with_members(Scheduler::Rr, &[(1, 1)]);
    plane.tcp(1, &[SYN, ACK, RST]);
    plane.turn_off(1, Destination::AVAILABLE);
    plane.members(0, &[(1, 2)]);
    assert_eq!(plane.tcp(1, &[SYN]), Some(2));
    assert_eq!((plane.counts(1), plane.counts(2)), ((0, 0), (1, 0)));
}

#[test]
fn a_removed_service_keeps_its_connections_until_their_destinations_go() {
    let plane = Plane::with_members(Scheduler::Rr, &[(1, 1)]);
    plane.tcp(1, &[SYN, ACK]);
    let key = rlvs_engine::service::ServiceKey::new([192, 0, 2, 80], 80u16.to_be_bytes(), 6);
    plane.memory.v4.set_service(key, None);
    assert_eq!(reason(&plane, 2, SYN), Some(Reason::NoService));
    plane.turn_off(1, Destination::AVAILABLE);
    assert_eq!(reason(&plane, 1, ACK), Some(Reason::DestinationGone));
}

#[test]
fn at_its_upper_threshold_a_destination_is_passed_over() {
    for scheduler in FINDING {
        let plane = Plane::with_members(scheduler, &[(1, 1), (1, 2)]);
        plane.destination(1).upper_threshold.store(2);
        for number in 0..8 {
            plane.tcp(number, &[SYN, ACK]);
        }
        assert_eq!(
            (plane.counts(1).0, plane.counts(2).0),
            (2, 6),
            "{scheduler:?}"
        );
        plane.destination(2).upper_threshold.store(7);
        plane.tcp(8, &[SYN]);
        assert_eq!(
            reason(&plane, 9, SYN),
            Some(Reason::NoDestination),
            "{scheduler:?}"
        );
        // Those it has go on.
        (0..9).for_each(|number| assert!(plane.tcp(number, &[ACK]).is_some()));
    }
}

#[test]
fn a_relieved_destination_takes_connections_again() {
    // Upper and lower threshold, and how many must be left: below the lower one, or 3/4 of the
    // upper one.
    for (upper, lower, left) in [(8, 0, 5), (8, 3, 2), (1, 0, 0), (2, 1, 0), (3, 2, 1)] {
        let plane = Plane::with_members(Scheduler::Rr, &[(1, 1)]);
        let record = plane.destination(1);
        record.upper_threshold.store(upper);
        record.lower_threshold.store(lower);
        plane.memory.settings.set_timeout(State::Close, ticks(1000));
        for number in 0..upper as u16 {
            plane.pass_seconds(1);
            assert_eq!(plane.tcp(number, &[SYN, ACK, RST]), Some(1));
        }
        plane.pass_seconds(1000 - upper);
        plane.pass_ticks(SWEEP_GRACE);
        let mut ended = 0;
        while reason(&plane, 100, SYN) == Some(Reason::NoDestination) {
            plane.pass_seconds(1);
            ended += plane.sweep() as u32;
            assert!(
                ended < upper || plane.counts(1) == (0, 0),
                "{upper} and {lower}"
            );
        }
        assert_eq!(upper - ended, left, "{upper} and {lower}");
    }
}
