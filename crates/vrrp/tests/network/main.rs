//! Several directors, joined by a network that loses, delays and divides, in a time that is counted
//! rather than waited for.
//!
//! A case that fails is printed with all that makes it up: what the directors are, what happens to
//! them, and the seed of the network's whims.

mod simulator;

use core::time::Duration;

use proptest::prelude::*;
use rlvs_vrrp::spec::{Spec, Tracked};
use rlvs_vrrp::{GroupSpec, State, Version};

use simulator::{Director, Happening, Simulator};

const INTERVAL: Duration = Duration::from_millis(100);
/// Of packets, at most.
const DELAY: Duration = Duration::from_millis(20);

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Virtual routers 1 to `members`, the same of all.
fn director(priority: u8, preempt: bool, members: u8) -> Director {
    let spec = |member| Spec {
        version: Version::V3,
        interval: INTERVAL,
        priority,
        preempt,
        ..Spec::new(member, vec![[192, 0, 2, 100 + member].into()])
    };
    Director {
        specs: (1..=members).map(spec).collect(),
        group: GroupSpec::default(),
    }
}

/// By then the backup with most right to it is master, and any other master has heard of it. Who
/// bears another first has to hear it, and afterwards waits anew.
fn bound(directors: &[Director]) -> Duration {
    let specs = directors.iter().flat_map(|it| &it.specs);
    let delay = specs.map(|spec| spec.preempt_delay).max();
    let bears = delay.filter(|delay| !delay.is_zero());
    INTERVAL * 5 + DELAY * 4 + bears.map_or(Duration::ZERO, |delay| delay + INTERVAL * 4)
}

fn directors(members: u8) -> impl Strategy<Value = Vec<Director>> {
    let one = (1u8..255, any::<bool>(), 0u32..5).prop_map(move |(priority, preempt, delay)| {
        let mut director = director(priority, preempt, members);
        for spec in &mut director.specs {
            spec.preempt_delay = INTERVAL * 10 * delay.saturating_sub(3);
        }
        director
    });
    prop::collection::vec(one, 2..5)
}

fn happenings(members: u8) -> impl Strategy<Value = Vec<(u64, Happening)>> {
    let director = 0usize..4;
    let member = 0usize..members.into();
    let one = prop_oneof![
        2 => (director.clone(), director.clone(), member.clone(), any::<bool>())
            .prop_map(|(a, b, member, joined)| Happening::Link { a, b, member, joined }),
        1 => (director.clone(), director.clone(), any::<bool>())
            .prop_map(|(a, b, joined)| Happening::OneWay { from: a, to: b, joined }),
        2 => (director.clone(), member, any::<bool>())
            .prop_map(|(director, member, up)| Happening::Interface { director, member, up }),
        1 => director.clone().prop_map(Happening::Kill),
        1 => director.clone().prop_map(Happening::Stop),
        3 => director.clone().prop_map(Happening::Start),
        1 => (director.clone(), any::<bool>())
            .prop_map(|(director, ready)| Happening::Ready { director, ready }),
        1 => (director, 0u64..3000).prop_map(|(director, milliseconds)| Happening::Freeze {
            director,
            time: Duration::from_millis(milliseconds),
        }),
    ];
    prop::collection::vec((0u64..1500, one), 0..25)
}

/// Whatever has happened: when the network is whole and all are well, one is master, and stays so.
fn one_master_in_the_end(
    directors: Vec<Director>,
    happenings: Vec<(u64, Happening)>,
    loss: u32,
    seed: u64,
) -> Result<(), TestCaseError> {
    let bound = bound(&directors);
    let mut simulator = Simulator::new(directors.clone(), DELAY, loss, seed);
    for (later, happening) in happenings {
        simulator.run_for(Duration::from_millis(later));
        simulator.happens(&happening);
    }
    simulator.heal();
    simulator.run_for(bound);
    let masters = simulator.masters();
    prop_assert_eq!(masters.len(), 1, "{:?}", simulator);
    let changes = simulator.changes();
    simulator.run_for(INTERVAL * 50);
    prop_assert_eq!(simulator.changes(), changes, "{:?}", simulator);

    // Nobody who would take over from it has more right.
    let right = |director: &Director| director.specs[0].priority;
    let master = right(&directors[masters[0]]);
    let better = directors
        .iter()
        .filter(|it| it.specs[0].preempt && right(it) > master);
    prop_assert_eq!(better.count(), 0, "{:?}", simulator);
    Ok(())
}

proptest! {
    #![proptest_config(config(128))]

    #[test]
    fn virtual_routers_agree(
        directors in directors(1),
        happenings in happenings(1),
        loss in 0u32..60,
        seed: u64,
    ) {
        one_master_in_the_end(directors, happenings, loss, seed)?;
    }

    /// The simulator looks after each step at whether all of a group are master or none.
    #[test]
    fn groups_agree(
        directors in directors(3),
        happenings in happenings(3),
        loss in 0u32..60,
        seed: u64,
    ) {
        one_master_in_the_end(directors, happenings, loss, seed)?;
    }
}

fn simulator(directors: Vec<Director>) -> Simulator {
    let mut simulator = Simulator::new(directors, DELAY, 0, 1);
    for number in 0..simulator.directors() {
        simulator.happens(&Happening::Start(number));
    }
    simulator.run_for(INTERVAL * 5);
    simulator
}

#[test]
fn who_dies_is_followed_after_three_intervals_and_a_bit() {
    let mut simulator = simulator(vec![director(200, true, 1), director(100, true, 1)]);
    assert_eq!(simulator.masters(), [0]);
    simulator.happens(&Happening::Kill(0));
    let died = simulator.now();
    while simulator.masters() != [1] {
        simulator.run_for(Duration::from_millis(1));
    }
    let skew = INTERVAL * 156 / 256;
    assert!(simulator.now() - died <= INTERVAL * 3 + skew + DELAY * 2);
}

#[test]
fn who_stops_is_followed_within_an_interval() {
    let mut simulator = simulator(vec![director(200, true, 1), director(100, true, 1)]);
    simulator.happens(&Happening::Stop(0));
    simulator.run_for(INTERVAL * 156 / 256 + DELAY * 2);
    assert_eq!(simulator.masters(), [1]);
}

#[test]
fn who_comes_back_preempts_or_does_not() {
    for preempt in [true, false] {
        let directors = vec![director(200, preempt, 1), director(100, true, 1)];
        let mut simulator = simulator(directors);
        simulator.happens(&Happening::Kill(0));
        simulator.run_for(INTERVAL * 6);
        simulator.happens(&Happening::Start(0));
        simulator.run_for(INTERVAL * 50);
        let master = if preempt { 0 } else { 1 };
        assert_eq!(simulator.masters(), [master]);
    }
}

/// Two that were parted are both master, and know within an interval when they meet again.
#[test]
fn parted_masters_meet() {
    for (first, second) in [(100, 100), (100, 101), (101, 100)] {
        let mut simulator = simulator(vec![director(first, false, 1), director(second, false, 1)]);
        let link = |joined| Happening::Link {
            a: 0,
            b: 1,
            member: 0,
            joined,
        };
        simulator.happens(&link(false));
        simulator.run_for(INTERVAL * 10);
        assert_eq!(simulator.masters(), [0, 1]);
        simulator.happens(&link(true));
        simulator.run_for(INTERVAL + DELAY * 2);
        // The second has the higher address.
        assert_eq!(simulator.masters(), [usize::from(second >= first)]);
    }
}

/// One of two wires is cut: nobody is master of a half.
#[test]
fn a_cut_wire_does_not_part_a_group() {
    let mut simulator = simulator(vec![director(200, true, 2), director(100, true, 2)]);
    simulator.happens(&Happening::Link {
        a: 0,
        b: 1,
        member: 1,
        joined: false,
    });
    simulator.run_for(INTERVAL * 50);
    assert_eq!(simulator.masters(), [0]);
    // It is the master's interface that has failed: the other is master of all.
    simulator.happens(&Happening::Interface {
        director: 0,
        member: 1,
        up: false,
    });
    assert_eq!(simulator.state(0), State::Fault);
    simulator.run_for(INTERVAL * 5);
    assert_eq!(simulator.masters(), [1]);
    assert_eq!(simulator.state(1), State::Master);
}

/// Weights of a member would part it from its group, and count only if that is asked for.
#[test]
fn what_a_group_tracks_counts_for_all() {
    let weighty = Tracked {
        weight: -50,
        reverse: false,
    };
    let with = |group| {
        let mut director = director(100, true, 2);
        director.specs[1].track = vec![weighty];
        director.group = group;
        director
    };
    for (tracking_weight, expected) in [(false, State::Fault), (true, State::Master)] {
        let group = GroupSpec {
            track: vec![weighty],
            tracking_weight,
        };
        let mut simulator = simulator(vec![with(group)]);
        // The member's own is not known yet, which matters only if it can be a fault.
        let before = simulator.state(0);
        assert_eq!(before == State::Initialize, !tracking_weight);
        simulator.tracks(0, |group, now| {
            let mut actions = group.track(now, 0, rlvs_vrrp::Reading::Down);
            actions.extend(group.track_of(now, 1, 0, rlvs_vrrp::Reading::Down));
            actions
        });
        assert_eq!(simulator.state(0), expected);
        let own = if tracking_weight { 1 } else { 50 };
        assert_eq!(simulator.priorities(0), [50, own]);
    }
}
