use core::time::Duration;
use std::net::IpAddr;

use crate::packet::{
    Advertisement, Carried, Datagram, Envelope, HOP_LIMIT, Key, Malformed, Outgoing, Parsed,
    Signature, Sum, Unauthentic, Version,
};
use crate::spec::{Announcements, Authentication, OldChecksum, Peer, Spec, To, Tracked};

use super::*;

mod faults;
mod properties;
mod refusals;
mod signed;

const OWN: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 5));
const LOWER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const HIGHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 9));
const VIP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 100));

const SECOND: Duration = Duration::from_secs(1);
/// With priority 128, whose skew is half an interval.
const DOWN: Duration = Duration::from_millis(3500);

fn spec() -> Spec {
    Spec {
        priority: 128,
        ..Spec::new(51, vec![VIP])
    }
}

fn version3() -> Spec {
    Spec {
        version: Version::V3,
        interval: Duration::from_millis(100),
        ..spec()
    }
}

fn started(spec: Spec) -> Machine {
    let mut machine = Machine::new(spec).unwrap();
    machine.address(Duration::ZERO, Some(OWN));
    machine.start(Duration::ZERO);
    machine
}

/// One that nobody has spoken to until it was master, and what it did then.
fn master(spec: Spec) -> (Machine, Duration, Vec<Action>) {
    let mut machine = started(spec);
    let now = machine.deadline().unwrap();
    let actions = machine.poll(now);
    assert_eq!(machine.state(), State::Master);
    (machine, now, actions)
}

/// What another router of the same virtual router says.
fn said(spec: &Spec, priority: u8, source: IpAddr) -> Outgoing {
    let (carried, authentication) = match spec.authentication {
        Authentication::None => (Carried::Nothing, None),
        Authentication::Password(key) => (Carried::Password(key), None),
        Authentication::Header(key) => (Carried::Header, Some((key, 1000))),
    };
    let destination = match &spec.to {
        To::Group(group) => *group,
        To::Peers { .. } => OWN,
    };
    let envelope = Envelope {
        source,
        destination,
        hop_limit: HOP_LIMIT,
        sum: spec.sum(),
        identification: 1,
        authentication,
        signature: None,
    };
    let advertisement = Advertisement {
        version: spec.version,
        virtual_router: spec.virtual_router,
        priority,
        interval: spec.interval,
        carried,
        addresses: spec.addresses.clone(),
    };
    Outgoing::new(&envelope, &advertisement)
}

fn hear(machine: &mut Machine, now: Duration, priority: u8, source: IpAddr) -> Vec<Action> {
    let outgoing = said(machine.spec(), priority, source);
    machine.receive(now, &Datagram::ipv4(&outgoing.bytes).unwrap())
}

/// What was sent: priorities.
fn sent(actions: &[Action]) -> Vec<u8> {
    let sent = actions.iter().filter_map(|action| match action {
        Action::Send(outgoing) => Some(outgoing),
        _ => None,
    });
    let read = |outgoing: &Outgoing| {
        let datagram = Datagram::ipv4(&outgoing.bytes).unwrap();
        Parsed::new(&datagram).unwrap().advertisement.priority
    };
    sent.map(read).collect()
}

fn announced(actions: &[Action]) -> Vec<u32> {
    let times = actions.iter().filter_map(|action| match action {
        Action::Announce { times } => Some(*times),
        _ => None,
    });
    times.collect()
}

fn events(actions: &[Action]) -> Vec<Event> {
    let events = actions.iter().filter_map(|action| match action {
        Action::Tell(event) => Some(event.clone()),
        _ => None,
    });
    events.collect()
}

fn changed(from: State, to: State, why: Why) -> Event {
    Event::State {
        from,
        to,
        why,
        priority: 128,
    }
}

#[test]
fn who_hears_nobody_becomes_master() {
    let mut machine = started(spec());
    assert_eq!(
        (machine.state(), machine.deadline()),
        (State::Backup, Some(DOWN))
    );
    assert_eq!(machine.poll(DOWN - Duration::from_nanos(1)), []);
    let actions = machine.poll(DOWN);
    assert!(matches!(
        &actions[..],
        [
            Action::Send(_),
            Action::Acquire { accept: true },
            Action::Announce { times: 5 },
            Action::Tell(event),
        ] if *event == changed(State::Backup, State::Master, Why::NoMaster)
    ));
    assert_eq!(sent(&actions), [128]);
    for seconds in 1..=4 {
        let now = DOWN + SECOND * seconds;
        assert_eq!(machine.deadline(), Some(now));
        let actions = machine.poll(now);
        assert_eq!((sent(&actions), actions.len()), (vec![128], 1));
    }
    let actions = machine.poll(DOWN + SECOND * 5);
    assert_eq!((sent(&actions), announced(&actions)), (vec![128], vec![5]));
    let actions = machine.poll(DOWN + SECOND * 6);
    assert_eq!((sent(&actions), announced(&actions)), (vec![128], vec![]));
}

/// It was stopped for a minute: it says once what it would have said sixty times.
#[test]
fn what_was_missed_is_not_made_up_for() {
    let (mut machine, now, _) = master(spec());
    let later = now + SECOND * 60;
    assert_eq!(sent(&machine.poll(later)), [128]);
    assert_eq!(machine.deadline(), Some(later + SECOND));
}

#[test]
fn who_hears_a_master_waits() {
    for (priority, preempt) in [(129, true), (128, true), (255, true), (1, false)] {
        let mut machine = started(Spec { preempt, ..spec() });
        for seconds in 1..10 {
            let now = SECOND * seconds;
            machine.poll(now);
            hear(&mut machine, now, priority, LOWER);
            assert_eq!(machine.deadline(), Some(now + DOWN), "{priority} {preempt}");
        }
        assert_eq!(machine.master(), Some((LOWER, priority)));
    }
}

#[test]
fn a_lower_priority_is_taken_for_nobody() {
    let mut machine = started(spec());
    hear(&mut machine, SECOND, 127, HIGHER);
    hear(&mut machine, SECOND * 3, 127, HIGHER);
    assert_eq!(machine.deadline(), Some(DOWN));
    machine.poll(DOWN);
    assert_eq!(machine.state(), State::Master);
}

#[test]
fn a_lower_priority_is_borne_for_a_while() {
    let mut machine = started(Spec {
        preempt_delay: SECOND * 10,
        ..spec()
    });
    assert_eq!(machine.deadline(), Some(DOWN));
    let bears = Event::Bears {
        address: LOWER,
        time: SECOND * 10,
    };
    let actions = hear(&mut machine, SECOND, 100, LOWER);
    assert_eq!(events(&actions)[1..], [bears]);
    for seconds in 2..=20 {
        let actions = hear(&mut machine, SECOND * seconds, 100, LOWER);
        assert_eq!(events(&actions), []);
    }
    // The last that counted was that at 10 s; the delay ended at 11 s.
    assert_eq!(machine.deadline(), Some(SECOND * 10 + DOWN));
    // A better one ends that.
    hear(&mut machine, SECOND * 13, 200, HIGHER);
    hear(&mut machine, SECOND * 14, 100, LOWER);
    assert_eq!(machine.deadline(), Some(SECOND * 14 + DOWN));
}

#[test]
fn a_good_bye_is_the_masters() {
    let mut machine = started(spec());
    hear(&mut machine, SECOND, 200, HIGHER);
    hear(&mut machine, SECOND, 0, LOWER);
    assert_eq!(machine.deadline(), Some(SECOND + DOWN));
    hear(&mut machine, SECOND, 0, HIGHER);
    let skew = Duration::from_millis(500);
    assert_eq!(machine.deadline(), Some(SECOND + skew));
    // More of them put nothing off.
    hear(&mut machine, SECOND + skew / 2, 0, HIGHER);
    assert_eq!(machine.deadline(), Some(SECOND + skew));
    machine.poll(SECOND + skew);
    assert_eq!(machine.state(), State::Master);
}

#[test]
fn masters_agree_who_is_one() {
    let backup = |priority, source| {
        let why = Why::HigherPriority { source, priority };
        Some(changed(State::Master, State::Backup, why))
    };
    let rows = [
        (129, LOWER, backup(129, LOWER), vec![]),
        (128, HIGHER, backup(128, HIGHER), vec![]),
        (255, LOWER, backup(255, LOWER), vec![]),
        (128, LOWER, None, vec![128]),
        (127, HIGHER, None, vec![128]),
        (1, HIGHER, None, vec![128]),
        (0, HIGHER, None, vec![128]),
    ];
    for (priority, source, change, says) in rows {
        let (mut machine, now, _) = master(spec());
        let now = now + SECOND / 4;
        let actions = hear(&mut machine, now, priority, source);
        assert_eq!(sent(&actions), says, "{priority} {source}");
        let expected = if change.is_some() { DOWN } else { SECOND };
        assert_eq!(machine.deadline(), Some(now + expected));
        let state = events(&actions)
            .into_iter()
            .find(|it| matches!(it, Event::State { .. }));
        assert_eq!(actions.contains(&Action::Release), change.is_some());
        assert_eq!(state, change, "{priority} {source}");
    }
}

#[test]
fn a_lower_priority_is_answered_as_it_was_set() {
    let (mut machine, now, _) = master(spec());
    let actions = hear(&mut machine, now + SECOND / 2, 100, HIGHER);
    assert_eq!((sent(&actions), announced(&actions)), (vec![128], vec![5]));
    let told = Event::LowerPriority {
        source: HIGHER,
        priority: 100,
    };
    assert_eq!(events(&actions), std::slice::from_ref(&told));
    // Many of them bring no more announcements.
    let actions = hear(&mut machine, now + SECOND, 100, HIGHER);
    assert_eq!((sent(&actions), announced(&actions)), (vec![128], vec![]));
    // Both second rounds.
    let actions = machine.poll(now + SECOND * 6);
    assert_eq!(announced(&actions), [10]);

    let quiet = Spec {
        lower_prio_no_advert: true,
        announcements: Announcements {
            lower_prio_repeat: Some(2),
            lower_prio_delay: Some(SECOND * 2),
            ..Announcements::min()
        },
        ..spec()
    };
    let (mut machine, now, _) = master(quiet);
    let actions = hear(&mut machine, now, 100, HIGHER);
    assert_eq!((sent(&actions), announced(&actions)), (vec![], vec![2]));
    assert_eq!(events(&actions), [told]);
    assert_eq!(announced(&machine.poll(now + SECOND)), []);
    assert_eq!(announced(&machine.poll(now + SECOND * 2)), [2]);
    assert_eq!(announced(&machine.poll(now + SECOND * 100)), []);
}

#[test]
fn a_higher_priority_is_answered_if_that_was_set() {
    let (mut machine, now, _) = master(Spec {
        higher_prio_send_advert: true,
        ..spec()
    });
    let actions = hear(&mut machine, now, 200, LOWER);
    assert_eq!(sent(&actions), [128]);
    assert_eq!(machine.state(), State::Backup);
}

#[test]
fn announcements_are_refreshed() {
    let (mut machine, now, actions) = master(Spec {
        announcements: Announcements {
            master_refresh: SECOND * 60,
            master_refresh_repeat: 2,
            ..Announcements::min()
        },
        ..spec()
    });
    assert_eq!(announced(&actions), [1]);
    let mut rounds = Vec::new();
    while machine.deadline().unwrap() <= now + SECOND * 150 {
        let due = machine.deadline().unwrap();
        let times = announced(&machine.poll(due));
        rounds.extend(times.into_iter().map(|times| (due - now, times)));
    }
    assert_eq!(rounds, [(SECOND * 60, 2), (SECOND * 120, 2)]);
    // A backup announces nothing.
    hear(&mut machine, now + SECOND * 150, 200, LOWER);
    assert_eq!(machine.deadline(), Some(now + SECOND * 150 + DOWN));
}

#[test]
fn version_3_learns_the_masters_interval() {
    let mut machine = started(version3());
    assert_eq!(machine.deadline(), Some(Duration::from_millis(350)));
    let slow = Spec {
        interval: SECOND,
        ..version3()
    };
    let outgoing = said(&slow, 200, HIGHER);
    let now = Duration::from_millis(100);
    let actions = machine.receive(now, &Datagram::ipv4(&outgoing.bytes).unwrap());
    let learnt = Event::Interval {
        from: Duration::from_millis(100),
        to: SECOND,
    };
    assert!(events(&actions).contains(&learnt));
    assert_eq!(machine.deadline(), Some(now + DOWN));
    // As master it has its own again.
    let now = now + DOWN;
    machine.poll(now);
    assert_eq!(machine.deadline(), Some(now + Duration::from_millis(100)));
    machine.resign(now);
    assert_eq!(machine.deadline(), Some(now + Duration::from_millis(350)));
}

#[test]
fn ten_milliseconds_are_an_interval() {
    let fast = Spec {
        interval: Duration::from_millis(10),
        ..version3()
    };
    let (_, now, _) = master(fast);
    assert_eq!(now, Duration::from_millis(35));
}

#[test]
fn a_master_may_miss_more() {
    let patient = Spec {
        down_timer_adverts: 7,
        ..spec()
    };
    assert_eq!(started(patient).deadline(), Some(DOWN + SECOND * 4));
}

#[test]
fn an_owner_may_begin_as_master() {
    let rows = [
        (255, true, Duration::ZERO),
        (255, false, SECOND * 3 + SECOND / 256),
        (128, true, DOWN),
        (128, false, DOWN),
    ];
    for (priority, begins_as_master, when) in rows {
        let mut machine = Machine::new(Spec {
            priority,
            begins_as_master,
            ..spec()
        })
        .unwrap();
        machine.address(Duration::ZERO, Some(OWN));
        machine.start(Duration::ZERO);
        while machine.state() != State::Master {
            let now = machine.deadline().unwrap();
            machine.poll(now);
            assert_eq!(now, when, "{priority} {begins_as_master}");
        }
        assert_eq!(machine.deadline(), Some(when + SECOND));
    }
}

#[test]
fn who_is_not_ready_is_held() {
    let mut machine = started(spec());
    machine.ready(
        Duration::ZERO,
        Err("2 of 7 services have been checked".into()),
    );
    let actions = machine.poll(DOWN);
    let held = Event::Held {
        reason: "2 of 7 services have been checked".into(),
    };
    assert_eq!(actions, [Action::Tell(held)]);
    assert_eq!((machine.state(), machine.deadline()), (State::Backup, None));
    assert_eq!(machine.held(), Some("2 of 7 services have been checked"));
    let other = Err("6 of 7 services have been checked".into());
    assert_eq!(machine.ready(DOWN + SECOND, other), []);
    let actions = machine.ready(DOWN + SECOND * 2, Ok(()));
    assert_eq!(sent(&actions), [128]);
    assert_eq!((machine.state(), machine.held()), (State::Master, None));
    // It stays master, whatever becomes of that.
    machine.ready(DOWN + SECOND * 2, Err("no more".into()));
    assert_eq!(machine.state(), State::Master);
}

#[test]
fn who_is_held_hears_masters_all_the_same() {
    for (priority, state) in [(200, State::Backup), (100, State::Master)] {
        let mut machine = started(spec());
        machine.ready(Duration::ZERO, Err("not yet".into()));
        machine.poll(DOWN);
        hear(&mut machine, SECOND * 4, priority, HIGHER);
        machine.ready(SECOND * 5, Ok(()));
        assert_eq!(machine.state(), state);
    }
}

#[test]
fn a_stop_is_said() {
    let (mut machine, now, _) = master(spec());
    let actions = machine.stop(now);
    assert_eq!(sent(&actions), [0]);
    let stopped = changed(State::Master, State::Initialize, Why::Stopped);
    assert_eq!(actions[1..], [Action::Release, Action::Tell(stopped)]);
    assert_eq!(machine.deadline(), None);
    hear(&mut machine, now, 100, LOWER);
    assert_eq!(
        (machine.poll(now + SECOND * 9), machine.state()),
        (vec![], State::Initialize)
    );
    machine.start(now + SECOND * 10);
    assert_eq!(machine.deadline(), Some(now + SECOND * 10 + DOWN));
}

#[test]
fn a_hand_over_is_said() {
    let (mut machine, now, _) = master(spec());
    machine.ready(now, Err("handed over".into()));
    let actions = machine.resign(now);
    assert_eq!(sent(&actions), [0]);
    assert_eq!(machine.state(), State::Backup);
    hear(&mut machine, now + SECOND, 100, LOWER);
    machine.poll(now + DOWN);
    assert_eq!(machine.state(), State::Backup);
    machine.ready(now + DOWN, Ok(()));
    assert_eq!(machine.state(), State::Master);
}

#[test]
fn a_new_daemon_goes_on() {
    let (before, _, _) = master(Spec {
        authentication: Authentication::Header(Key::new("secret")),
        ..spec()
    });
    let memory = before.memory();
    assert_eq!((memory.master, memory.sequence), (true, 1));
    let mut machine = Machine::new(before.spec().clone()).unwrap();
    machine.address(Duration::ZERO, Some(OWN));
    let actions = machine.resume(Duration::ZERO, memory.clone());
    let resumed = changed(State::Initialize, State::Master, Why::Resumed);
    assert_eq!(sent(&actions), [128]);
    assert_eq!(
        actions[1..],
        [Action::Acquire { accept: true }, Action::Tell(resumed)]
    );
    assert_eq!(machine.memory().sequence, 2);
    // With something in its way it does not, and leaves nothing behind.
    let mut machine = Machine::new(before.spec().clone()).unwrap();
    let actions = machine.resume(Duration::ZERO, memory);
    assert_eq!(
        (actions[0].clone(), machine.state()),
        (Action::Release, State::Fault)
    );
}

#[test]
fn a_reload_changes_what_has_changed() {
    let (mut machine, now, _) = master(spec());
    let same = machine.reconfigure(now, spec(), Vec::new()).unwrap();
    assert_eq!(same, []);
    let mut other = spec();
    other.addresses.push([192, 0, 2, 101].into());
    other.interval = SECOND * 2;
    other.priority = 130;
    let actions = machine.reconfigure(now, other.clone(), Vec::new()).unwrap();
    assert!(actions.contains(&Action::Acquire { accept: true }));
    assert_eq!(events(&actions), [Event::Priority { from: 128, to: 130 }]);
    assert_eq!(machine.deadline(), Some(now + SECOND * 2));

    let mut machine = started(spec());
    machine
        .reconfigure(SECOND, other.clone(), Vec::new())
        .unwrap();
    let skew = SECOND * 126 / 256;
    assert_eq!(machine.deadline(), Some(SECOND * 6 + skew));
    other.virtual_router = 0;
    assert!(machine.reconfigure(SECOND, other, Vec::new()).is_err());
    assert_eq!(machine.spec().priority, 130);
}

#[test]
fn another_priority_is_another_time_to_wait() {
    let mut machine = started(spec());
    let actions = machine.set_priority(192).unwrap();
    assert_eq!(events(&actions), [Event::Priority { from: 128, to: 192 }]);
    assert_eq!(machine.deadline(), Some(SECOND * 3 + SECOND / 4));
    machine.set_priority(64).unwrap();
    assert_eq!(machine.deadline(), Some(SECOND * 3 + SECOND * 3 / 4));
    assert!(machine.set_priority(0).is_err());
    assert_eq!(machine.priority(), 64);
}

/// keepalived up to 1.3.6 as peer.
#[test]
fn old_checksums_are_answered_in_kind() {
    let to = To::Peers {
        peers: vec![Peer::new(LOWER), Peer::new(HIGHER)],
        hop_limit: 64,
        check_source: true,
    };
    let rows = [
        (OldChecksum::Auto, Sum::PseudoHeader, Sum::PseudoHeader),
        (
            OldChecksum::Auto,
            Sum::GroupsPseudoHeader,
            Sum::GroupsPseudoHeader,
        ),
        (OldChecksum::On, Sum::PseudoHeader, Sum::GroupsPseudoHeader),
        (OldChecksum::Never, Sum::PseudoHeader, Sum::PseudoHeader),
    ];
    for (old_unicast_checksum, hears, says) in rows {
        let spec = Spec {
            to: to.clone(),
            old_unicast_checksum,
            ..version3()
        };
        let (mut machine, now, _) = master(spec.clone());
        let other = Spec {
            old_unicast_checksum: match hears {
                Sum::GroupsPseudoHeader => OldChecksum::On,
                _ => OldChecksum::Never,
            },
            ..spec
        };
        let outgoing = said(&other, 1, LOWER);
        let actions = machine.receive(now, &Datagram::ipv4(&outgoing.bytes).unwrap());
        let sums = actions.iter().filter_map(|action| match action {
            Action::Send(outgoing) => Datagram::ipv4(&outgoing.bytes).ok(),
            _ => None,
        });
        let sums: Vec<_> = sums
            .map(|it| (it.destination, it.hop_limit, Parsed::new(&it).unwrap().sum))
            .collect();
        assert_eq!(sums, [(LOWER, 64, says), (HIGHER, 64, says)]);
        // Another setting holds at once.
        let never = Spec {
            old_unicast_checksum: OldChecksum::Never,
            ..machine.spec().clone()
        };
        machine.reconfigure(now, never, Vec::new()).unwrap();
        let actions = machine.stop(now);
        let Action::Send(outgoing) = &actions[0] else {
            panic!("{actions:?}");
        };
        let datagram = Datagram::ipv4(&outgoing.bytes).unwrap();
        assert_eq!(Parsed::new(&datagram).unwrap().sum, Sum::PseudoHeader);
    }
}
