//! What each scheduler chooses. The kernel's own choices are compared in `vm_choices`.

use rlvs_engine::family::Endpoints;
use rlvs_engine::schedule::{Flags, Scheduler};
use rlvs_engine::{Family, FamilyTables, V4};
use rlvs_testing::packet::{ACK, FIN, SYN, TCP};

use crate::plane::Plane;

/// Where the first `count` clients go, one after another.
fn choices(plane: &Plane, count: u16) -> Vec<u32> {
    let chosen = |number| plane.tcp(number, &[SYN, ACK]);
    (0..count).filter_map(chosen).collect()
}

fn counted(choices: &[u32], destination: u32) -> usize {
    choices.iter().filter(|&&it| it == destination).count()
}

#[test]
fn sed_fills_by_expected_delay() {
    let plane = Plane::with_members(Scheduler::Sed, &[(1, 1), (3, 2)]);
    assert_eq!(choices(&plane, 8), [2, 2, 1, 2, 2, 2, 1, 2]);
}

#[test]
fn nq_takes_idle_ones_first() {
    let plane = Plane::with_members(Scheduler::Nq, &[(1, 1), (100, 2), (0, 3), (1, 4)]);
    assert_eq!(choices(&plane, 5), [1, 2, 4, 2, 2]);
    plane.tcp(0, &[FIN | ACK]);
    assert_eq!(plane.tcp(9, &[SYN]), Some(1), "it has no active one");
}

#[test]
fn fo_takes_the_heaviest_that_has_room() {
    let plane = Plane::with_members(Scheduler::Fo, &[(5, 1), (9, 2), (9, 3), (0, 4)]);
    plane.destination(2).upper_threshold.store(2);
    plane.destination(3).upper_threshold.store(1);
    plane.destination(1).upper_threshold.store(1);
    assert_eq!(choices(&plane, 6), [2, 2, 3, 1]);
}

#[test]
fn ovf_takes_the_heaviest_that_does_not_overflow() {
    let plane = Plane::with_members(Scheduler::Ovf, &[(1, 1), (2, 2), (0, 3)]);
    assert_eq!(choices(&plane, 9), [2, 2, 2, 1, 1], "weight + 1 each");
}

#[test]
fn dh_asks_the_virtual_address_alone() {
    let members = [(1, 1), (0, 2), (7, 3)];
    let plane = Plane::with_members(Scheduler::Dh, &members);
    let all = choices(&plane, 20);
    assert!(all.iter().all(|it| *it == all[0]), "{all:?}");
    // 192.0.2.80: bucket 101, whose turn is that of the third.
    assert_eq!(all, vec![3; 20]);
    plane.members(0, &[(1, 1), (7, 3), (0, 2)]);
    assert_eq!(plane.tcp(99, &[SYN]), None, "whose turn it is refuses");
}

#[test]
fn sh_and_mh_ask_the_client_and_by_a_flag_its_port() {
    for scheduler in [Scheduler::Sh, Scheduler::Mh] {
        let plane = Plane::with_members(scheduler, &[(1, 1), (1, 2), (1, 3)]);
        let all = choices(&plane, 20);
        assert_eq!(counted(&all, all[0]), 20, "{scheduler:?}");
        plane.flags(0, Flags::PORT);
        let all = choices(&with_port(scheduler, 0), 300);
        for destination in 1..=3 {
            let share = counted(&all, destination);
            assert!((60..=140).contains(&share), "{scheduler:?}: {share}");
        }
    }
}

fn with_port(scheduler: Scheduler, others: u32) -> Plane {
    let plane = Plane::with_members(scheduler, &[(1, 1), (1, 2), (1, 3)]);
    plane.flags(0, Flags::PORT | others);
    plane
}

#[test]
fn a_pausing_destination_of_sh_or_mh_refuses_or_leaves_its_clients_to_others() {
    for scheduler in [Scheduler::Sh, Scheduler::Mh] {
        let all = choices(&with_port(scheduler, 0), 200);
        for (flag, fewer) in [(0, counted(&all, 2)), (Flags::FALLBACK, 0)] {
            let plane = with_port(scheduler, flag);
            plane.destination(2).upper_threshold.store(1);
            let first = (0..200).find(|&number| all[usize::from(number)] == 2);
            assert_eq!(plane.tcp(first.unwrap(), &[SYN, ACK]), Some(2));
            let served: Vec<_> = (200..400)
                .map(|number| plane.tcp(number - 200, &[SYN]))
                .collect();
            let (mut refused, mut moved) = (0, 0);
            for (before, now) in all.iter().zip(&served) {
                match now {
                    None => refused += 1,
                    Some(now) => moved += usize::from(now != before),
                }
            }
            // The first of its clients is served as before.
            assert_eq!(refused, fewer.saturating_sub(1), "{scheduler:?} {flag}");
            let others = counted(&all, 2) - 1;
            assert_eq!(moved, if flag == 0 { 0 } else { others }, "{scheduler:?}");
        }
    }
}

#[test]
fn twos_prefers_the_lighter_of_two() {
    let plane = Plane::with_members(Scheduler::Twos, &[(1, 1), (2, 2), (1, 3), (0, 4)]);
    let all = choices(&plane, 4000);
    assert_eq!(all.len(), 4000);
    for (destination, share) in [(1, 1000), (2, 2000), (3, 1000), (4, 0)] {
        let count = counted(&all, destination);
        assert!(count.abs_diff(share) <= 100, "{destination}: {count}");
    }
}

/// The draws alone: with all loads equal nobody is preferred.
#[test]
fn twos_draws_by_weight() {
    let weights = [(3, 1), (1, 2), (4, 3), (2, 4)];
    let plane = Plane::with_members(Scheduler::Twos, &weights);
    const DRAWS: u16 = 10_000;
    let mut counts = [0f64; 4];
    for number in 0..DRAWS {
        let to = plane.tcp(number, &[SYN]).unwrap();
        counts[to as usize - 1] += 1.0;
        plane.pass_seconds(100_000);
        plane.sweep();
    }
    // Between equals the first draw counts. It is from 0 to the sum of the weights, both included,
    // so that the first has one part more than its weight.
    let parts = [4.0, 1.0, 4.0, 2.0];
    let expected = parts.map(|part| f64::from(DRAWS) * part / 11.0);
    let deviations = counts.iter().zip(expected);
    let chi: f64 = deviations
        .map(|(count, expected)| (count - expected).powi(2) / expected)
        .sum();
    // Three degrees of freedom; 0.01 % are above.
    assert!(chi < 21.1, "{counts:?}: {chi}");
}

#[test]
fn none_chooses_nobody() {
    let plane = Plane::with_members(Scheduler::None, &[(1, 1)]);
    assert!(choices(&plane, 3).is_empty());
}

/// What serves flows without an entry does not change their destination when another one comes.
#[test]
fn few_flows_without_an_entry_move_when_a_destination_goes() {
    let members: Vec<_> = (1..=10).map(|number| (1, number)).collect();
    let to =
        |plane: &Plane| -> Vec<_> { (0..500).map(|number| stateless(plane, number)).collect() };
    let plane = Plane::with_members(Scheduler::Rr, &members);
    let with = to(&plane);
    plane.members(0, &members[..9]);
    let without = to(&plane);
    let stayed = with
        .iter()
        .zip(&without)
        .filter(|(with, _)| **with != Some(10));
    let moved = stayed
        .clone()
        .filter(|(with, without)| with != without)
        .count();
    assert!(with.iter().all(Option::is_some) && without.iter().all(Option::is_some));
    assert!(moved * 10 < stayed.count(), "{moved}");
}

fn stateless(plane: &Plane, number: u16) -> Option<u32> {
    let key = V4::key(&Endpoints {
        client: [198, 51, 100, 1],
        virtual_address: [192, 0, 2, 80],
        client_port: number.to_be_bytes(),
        virtual_port: 80u16.to_be_bytes(),
        protocol: TCP,
    });
    FamilyTables::<V4>::pick_stateless(&plane.memory, &key, 0)
}
