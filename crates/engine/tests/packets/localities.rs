//! lblc and lblcr: an address stays with its destinations.

use rlvs_engine::Tables;
use rlvs_engine::locality::Site;
use rlvs_engine::schedule::Scheduler;
use rlvs_engine::sysctl::Sysctl;
use rlvs_testing::packet::{ACK, SYN};

use crate::plane::Plane;

fn choices(plane: &Plane, clients: std::ops::Range<u16>) -> Vec<u32> {
    clients
        .filter_map(|number| plane.tcp(number, &[SYN, ACK]))
        .collect()
}

#[test]
fn lblc_stays_until_there_is_a_strain_and_an_idle_one() {
    let plane = Plane::with_members(Scheduler::Lblc, &[(2, 1), (2, 2)]);
    assert_eq!(choices(&plane, 0..10), [1, 1, 1, 2, 2, 2, 2, 2, 2, 2]);
}

#[test]
fn lblc_leaves_what_is_gone_or_pauses_and_minds_no_threshold() {
    let plane = Plane::with_members(Scheduler::Lblc, &[(9, 1), (9, 2)]);
    plane.destination(1).upper_threshold.store(1);
    assert_eq!(choices(&plane, 0..3), [1, 1, 1]);
    plane.members(0, &[(9, 2), (0, 1)]);
    plane.destination(1).weight.store(0);
    assert_eq!(choices(&plane, 3..5), [2, 2]);
    plane.destination(1).weight.store(9);
    plane.members(0, &[(9, 2), (9, 1)]);
    assert_eq!(choices(&plane, 5..7), [2, 2], "it is known now");
}

#[test]
fn lblcr_takes_the_lightest_of_those_that_joined() {
    let plane = Plane::with_members(Scheduler::Lblcr, &[(2, 1), (2, 2)]);
    assert_eq!(choices(&plane, 0..8), [1, 1, 1, 2, 2, 2, 2, 1]);
}

#[test]
fn lblcr_gives_up_the_busiest_after_a_while() {
    let plane = Plane::with_members(Scheduler::Lblcr, &[(2, 1), (2, 2)]);
    plane
        .memory
        .settings
        .set_sysctl(Sysctl::LblcrExpiration, 10);
    assert_eq!(choices(&plane, 0..8).last(), Some(&1));
    plane.pass_seconds(9);
    assert_eq!(
        choices(&plane, 8..9),
        [2],
        "the one that joined last, of equals"
    );
    plane.pass_seconds(2);
    assert_eq!(choices(&plane, 9..12), [1, 1, 1], "and that is the busiest");
}

#[test]
fn without_room_for_an_address_wlc_chooses() {
    for scheduler in [Scheduler::Lblc, Scheduler::Lblcr] {
        let plane = Plane::with_members(scheduler, &[(2, 1), (2, 2)]);
        let others = (1..).map(|service| Site::from_words([9, 0, service]));
        let known = |site| plane.memory.locality(&site).is_some();
        assert!(others.take(1000).any(|site| !known(site)), "it was filled");
        assert_eq!(choices(&plane, 0..6), [1, 2, 1, 2, 1, 2]);
    }
}

/// What is remembered outlives the record of a destination only as long as the daemon lets it.
#[test]
fn a_record_of_another_service_is_nobodys_place() {
    for scheduler in [Scheduler::Lblc, Scheduler::Lblcr] {
        let plane = Plane::with_members(scheduler, &[(9, 1), (9, 2)]);
        assert_eq!(choices(&plane, 0..2), [1, 1]);
        plane.destination(1).service.store(7);
        plane.members(0, &[(9, 2)]);
        assert_eq!(choices(&plane, 2..4), [2, 2], "{scheduler:?}");
    }
}
