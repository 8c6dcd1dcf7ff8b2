use super::*;

fn tracked(weight: i32) -> Tracked {
    Tracked {
        weight,
        reverse: false,
    }
}

#[test]
fn a_fault_is_said_and_left() {
    let (mut machine, now, _) = master(spec());
    let actions = machine.interface(now, false);
    let fault = Why::Obstacle(Obstacle::Interface);
    let change = changed(State::Master, State::Fault, fault);
    assert_eq!(sent(&actions), [0]);
    assert_eq!(actions[1..], [Action::Release, Action::Tell(change)]);
    assert_eq!(machine.deadline(), None);
    assert_eq!(machine.obstacle(), Some(Obstacle::Interface));
    assert_eq!(machine.poll(now + SECOND * 9), []);
    let actions = machine.interface(now + SECOND * 10, true);
    let change = changed(State::Fault, State::Backup, Why::Recovered);
    assert_eq!(actions, [Action::Tell(change)]);
    assert_eq!(machine.deadline(), Some(now + SECOND * 10 + DOWN));
}

#[test]
fn who_is_in_fault_knows_no_master() {
    let mut machine = started(spec());
    hear(&mut machine, SECOND, 200, HIGHER);
    machine.interface(SECOND, false);
    hear(&mut machine, SECOND, 200, HIGHER);
    assert_eq!(machine.master(), None);
}

#[test]
fn its_own_interface_need_not_count() {
    let (mut machine, now, _) = master(Spec {
        track_primary: false,
        ..spec()
    });
    assert_eq!(machine.interface(now, false), []);
    assert_eq!(machine.state(), State::Master);
}

#[test]
fn without_address_there_is_nothing_to_say() {
    let (mut machine, now, _) = master(spec());
    let actions = machine.address(now, None);
    assert_eq!(sent(&actions), [0]);
    assert_eq!(machine.obstacle(), Some(Obstacle::NoAddress));
    // One of the other family is none.
    machine.address(now, Some("2001:db8::1".parse().unwrap()));
    assert_eq!(machine.state(), State::Fault);
    machine.address(now, Some(OWN));
    assert_eq!(machine.state(), State::Backup);
    // Another one is taken as it is.
    assert_eq!(machine.address(now, Some(HIGHER)), []);
    let actions = machine.poll(now + DOWN);
    assert!(matches!(&actions[0], Action::Send(sent) if sent.source == HIGHER));
}

#[test]
fn without_peers_there_is_nobody_to_speak_to() {
    let machine = started(Spec {
        to: To::Peers {
            peers: Vec::new(),
            hop_limit: 255,
            check_source: true,
        },
        ..spec()
    });
    assert_eq!(machine.state(), State::Fault);
    assert_eq!(machine.obstacle(), Some(Obstacle::NoPeer));
}

#[test]
fn what_is_tracked_brings_faults() {
    let mut machine = started(Spec {
        track: vec![tracked(0), tracked(0)],
        ..spec()
    });
    // Nothing is known of it yet.
    assert_eq!(
        (machine.state(), machine.deadline()),
        (State::Initialize, None)
    );
    machine.track(SECOND, 0, Reading::Up);
    assert_eq!(machine.state(), State::Initialize);
    machine.track(SECOND * 2, 1, Reading::Up);
    assert_eq!(
        (machine.state(), machine.deadline()),
        (State::Backup, Some(SECOND * 2 + DOWN))
    );
    machine.track(SECOND * 3, 1, Reading::Down);
    machine.track(SECOND * 3, 0, Reading::Down);
    assert_eq!(machine.obstacle(), Some(Obstacle::Tracked(0)));
    machine.track(SECOND * 4, 0, Reading::Up);
    assert_eq!(
        (machine.state(), machine.obstacle()),
        (State::Fault, Some(Obstacle::Tracked(1)))
    );
    machine.track(SECOND * 4, 1, Reading::Up);
    assert_eq!(machine.state(), State::Backup);
    // A fault is one before the rest is known.
    let mut machine = started(Spec {
        track: vec![tracked(0), tracked(0)],
        ..spec()
    });
    machine.track(SECOND, 1, Reading::Down);
    assert_eq!(machine.state(), State::Fault);
    machine.track(SECOND, 1, Reading::Up);
    assert_eq!(machine.state(), State::Fault);
    machine.track(SECOND, 0, Reading::Up);
    assert_eq!(machine.state(), State::Backup);
}

#[test]
fn what_is_tracked_changes_the_priority() {
    let (mut machine, now, _) = master(Spec {
        track: vec![tracked(-28), tracked(10)],
        ..spec()
    });
    let actions = machine.track(now, 0, Reading::Down);
    assert_eq!(events(&actions), [Event::Priority { from: 128, to: 100 }]);
    assert_eq!(sent(&machine.poll(now + SECOND)), [100]);
    machine.track(now, 1, Reading::Up);
    assert_eq!(machine.priority(), 110);
    // So another one is the better master now.
    hear(&mut machine, now + SECOND, 120, LOWER);
    assert_eq!(machine.state(), State::Backup);
    machine.track(now + SECOND, 0, Reading::Up);
    assert_eq!(machine.priority(), 138);
}

#[test]
fn the_start_may_wait() {
    let mut machine = started(Spec {
        startup_delay: SECOND * 5,
        ..spec()
    });
    assert_eq!(
        (machine.state(), machine.deadline()),
        (State::Initialize, Some(SECOND * 5))
    );
    machine.interface(SECOND, false);
    assert_eq!((machine.state(), machine.deadline()), (State::Fault, None));
    machine.interface(SECOND * 2, true);
    assert_eq!(machine.deadline(), Some(SECOND * 5));
    machine.poll(SECOND * 5);
    assert_eq!(
        (machine.state(), machine.deadline()),
        (State::Backup, Some(SECOND * 5 + DOWN))
    );
}
