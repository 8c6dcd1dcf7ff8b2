use super::*;
use crate::machine::{Event, Obstacle, Why};

const SECOND: Duration = Duration::from_secs(1);

fn spec(member: u8) -> Spec {
    Spec {
        priority: 128,
        ..Spec::new(member, vec![[192, 0, 2, 100 + member].into()])
    }
}

fn addressed(group: &GroupSpec, specs: Vec<Spec>) -> Group {
    let mut group = Group::new(group, specs).unwrap();
    for member in 0..group.members().len() {
        let address = [192, 0, 2, member as u8 + 1].into();
        group.address(Duration::ZERO, member, Some(address));
    }
    group
}

fn started() -> Group {
    let mut group = addressed(&GroupSpec::default(), vec![spec(1), spec(2)]);
    group.start(Duration::ZERO);
    group
}

fn master() -> (Group, Duration) {
    let mut group = started();
    let now = group.deadline().unwrap();
    group.poll(now);
    assert_eq!(group.state(), State::Master);
    (group, now)
}

fn states(group: &Group) -> Vec<State> {
    group.members().iter().map(Machine::state).collect()
}

fn releases(actions: &[GroupAction]) -> Vec<usize> {
    let member = actions.iter().filter_map(|action| match action {
        GroupAction::Member(member, Action::Release) => Some(*member),
        _ => None,
    });
    member.collect()
}

#[test]
fn all_become_master_at_once() {
    let mut group = started();
    let now = Duration::from_millis(3500);
    let actions = group.poll(now);
    let agrees = |action: &&GroupAction| {
        let GroupAction::Member(_, Action::Tell(Event::State { why, .. })) = action else {
            return false;
        };
        *why == Why::GroupAgrees
    };
    assert_eq!(actions.iter().filter(agrees).count(), 2);
    let state = GroupAction::State {
        from: State::Backup,
        to: State::Master,
    };
    assert_eq!(actions.last(), Some(&state));
}

#[test]
fn one_that_is_not_known_holds_all() {
    let mut tracking = spec(2);
    tracking.track.push(Tracked::default());
    let mut group = addressed(&GroupSpec::default(), vec![spec(1), tracking]);
    group.start(Duration::ZERO);
    assert_eq!(states(&group), [State::Initialize; 2]);
    assert_eq!(group.deadline(), None);
    group.track_of(SECOND, 1, 0, Reading::Up);
    assert_eq!(states(&group), [State::Backup; 2]);
    group.track_of(SECOND, 1, 0, Reading::Down);
    assert_eq!(states(&group), [State::Fault; 2]);
    assert_eq!(group.members()[0].obstacle(), Some(Obstacle::Group));
    assert_eq!(group.members()[1].obstacle(), Some(Obstacle::Tracked(0)));
}

#[test]
fn one_that_is_not_ready_holds_all() {
    let mut group = started();
    group.ready(Duration::ZERO, &Err("not yet".into()));
    group.poll(SECOND * 9);
    assert_eq!(states(&group), [State::Backup; 2]);
    group.ready(SECOND * 9, &Ok(()));
    assert_eq!(states(&group), [State::Master; 2]);
}

#[test]
fn all_leave_together() {
    let (mut group, now) = master();
    assert_eq!(releases(&group.resign(now)), [0, 1]);
    assert_eq!(states(&group), [State::Backup; 2]);
    let (mut group, now) = master();
    assert_eq!(releases(&group.stop(now)), [0, 1]);
    assert_eq!(states(&group), [State::Initialize; 2]);
    let (mut group, now) = master();
    assert_eq!(releases(&group.interface(now, 1, false)), [1, 0]);
    assert_eq!(states(&group), [State::Fault; 2]);
    group.interface(now, 1, true);
    assert_eq!(states(&group), [State::Backup; 2]);
}

#[test]
fn a_new_daemon_goes_on_with_all_or_none() {
    let memory = |master| Memory {
        master,
        ..Memory::default()
    };
    let rows = [
        (vec![true, true], State::Master),
        (vec![true, false], State::Backup),
        (vec![true], State::Backup),
    ];
    for (masters, state) in rows {
        let mut group = addressed(&GroupSpec::default(), vec![spec(1), spec(2)]);
        let memories: Vec<_> = masters.into_iter().map(memory).collect();
        group.resume(SECOND, &memories);
        assert_eq!(states(&group), [state; 2]);
    }
    let mut group = addressed(&GroupSpec::default(), vec![spec(1), spec(2)]);
    group.interface(SECOND, 0, false);
    let actions = group.resume(SECOND, &[memory(true), memory(true)]);
    assert_eq!(states(&group), [State::Fault; 2]);
    assert_eq!(releases(&actions), [0, 1]);
}

#[test]
fn a_reload_may_change_what_is_tracked() {
    let (mut group, now) = master();
    let tracking = GroupSpec {
        track: vec![Tracked {
            weight: -20,
            reverse: false,
        }],
        tracking_weight: false,
    };
    for member in 0..2 {
        let mut spec = spec(member as u8 + 1);
        spec.track.push(Tracked::default());
        group
            .reconfigure(now, member, &tracking, spec, vec![Reading::Up])
            .unwrap();
    }
    group.track(now, 0, Reading::Down);
    let priorities: Vec<_> = group.members().iter().map(Machine::priority).collect();
    assert_eq!(priorities, [108, 108]);
    assert_eq!(group.state(), State::Master);
    group.track_of(now, 0, 0, Reading::Down);
    assert_eq!(states(&group), [State::Fault; 2]);
}

#[test]
fn who_cannot_be_is_named() {
    let mut wrong = spec(2);
    wrong.priority = 0;
    let group = Group::new(&GroupSpec::default(), vec![spec(1), wrong]);
    assert_eq!(group.err(), Some((1, Wrong::Priority)));
}
