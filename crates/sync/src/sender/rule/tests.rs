use proptest::prelude::*;

use super::*;
use crate::state::{Sctp, Tcp};

const NOW: Duration = Duration::from_secs(1000);

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn seen(state: State, packets: u32) -> Seen {
    Seen {
        state,
        packets,
        timeout: seconds(900),
        is_controlled: false,
    }
}

/// Which packets of so many tell a connection that stays as it is.
fn telling(state: State, rules: &Rules, packets: u32) -> Vec<u32> {
    let mut told = Told::nothing(NOW);
    let mut telling = Vec::new();
    for number in 1..=packets {
        if let Some(after) = told.after(&seen(state, number), rules, NOW) {
            told = after;
            telling.push(number);
        }
    }
    telling
}

#[test]
fn open_connections_are_told_by_count() {
    let rules = Rules::default();
    for state in [
        State::Udp,
        State::Tcp(Tcp::Established),
        State::Sctp(Sctp::Established),
    ] {
        assert_eq!(telling(state, &rules, 110), [3, 53, 103], "{state:?}");
    }
    let once = Rules { period: 0, ..rules };
    assert_eq!(telling(State::Udp, &once, 110), [3]);
    assert_eq!(telling(State::Template, &once, 110), [3]);
}

#[test]
fn templates_are_told_each_time() {
    let all: Vec<_> = (1..=7).collect();
    for state in [State::Template, State::Assured] {
        assert_eq!(telling(state, &Rules::default(), 7), all);
    }
}

#[test]
fn closing_connections_are_told_at_once_and_opening_ones_never() {
    let rules = Rules::default();
    let states = Tcp::ALL.iter().map(|&state| State::Tcp(state));
    let all = states.chain(Sctp::ALL.iter().map(|&state| State::Sctp(state)));
    let mut at_once = Vec::new();
    for state in all.filter(|state| !state.is_open()) {
        let known = Told::learned(State::Tcp(Tcp::Established), NOW);
        let told = known.after(&seen(state, 7), &rules, NOW);
        assert_eq!(told.is_some(), state.is_closing(), "{state:?}");
        if let Some(told) = told {
            assert_eq!(told.after(&seen(state, 8), &rules, NOW), None);
            assert!(told.after(&seen(state, 53), &rules, NOW).is_some());
            at_once.push(state);
        }
    }
    use crate::state::{Sctp as S, Tcp as T};
    let tcp = [T::FinWait, T::TimeWait, T::Close, T::CloseWait].map(State::Tcp);
    let sctp = [
        S::ShutdownSent,
        S::ShutdownReceived,
        S::ShutdownAckSent,
        S::Closed,
    ];
    assert_eq!(at_once, [tcp, sctp.map(State::Sctp)].concat());
}

#[test]
fn what_was_told_by_another_master_is_known() {
    let state = State::Tcp(Tcp::FinWait);
    let known = Told::learned(state, NOW);
    assert_eq!(known.after(&seen(state, 7), &Rules::default(), NOW), None);
}

#[test]
fn templates_do_for_their_connections() {
    let rules = Rules {
        persist_mode: true,
        ..Rules::default()
    };
    let told = Told::nothing(NOW);
    for state in [State::Tcp(Tcp::Established), State::Tcp(Tcp::Close)] {
        let mut seen = seen(state, 3);
        assert!(told.after(&seen, &rules, NOW).is_some());
        seen.is_controlled = true;
        assert_eq!(told.after(&seen, &rules, NOW), None);
        assert!(told.after(&seen, &Rules::default(), NOW).is_some());
    }
    assert!(told.after(&seen(State::Template, 1), &rules, NOW).is_some());
}

/// The seconds in which a connection with a packet each second is told.
fn seconds_of(timeout: u64, rules: &Rules, last: u64) -> Vec<u64> {
    let mut told = Told::nothing(NOW);
    let mut of = Vec::new();
    for second in 0..last {
        let seen = Seen {
            timeout: seconds(timeout),
            ..seen(State::Udp, second as u32)
        };
        if let Some(after) = told.after(&seen, rules, NOW + seconds(second)) {
            told = after;
            of.push(second);
        }
    }
    of
}

#[test]
fn time_alone_decides_without_a_period() {
    let rules = |refresh, retries| Rules {
        period: 0,
        refresh_period: seconds(refresh),
        retries,
        ..Rules::default()
    };
    assert_eq!(seconds_of(300, &rules(40, 0), 100), [0, 40, 80]);
    // So does Linux 6.1.
    assert_eq!(seconds_of(300, &rules(8, 2), 20), [0, 1, 2, 10, 11, 12]);
    // An eighth is five seconds.
    let retried = [0, 5, 10, 50, 55, 60];
    assert_eq!(seconds_of(300, &rules(40, 2), 90), retried);
    // Half a timeout, and at least ten seconds.
    assert_eq!(seconds_of(60, &rules(3600, 0), 70), [0, 30, 60]);
    assert_eq!(seconds_of(6, &rules(3600, 0), 25), [4, 14, 24]);
}

#[test]
fn time_holds_back_what_the_count_wants() {
    let rules = Rules {
        threshold: 0,
        period: 5,
        refresh_period: seconds(12),
        ..Rules::default()
    };
    assert_eq!(seconds_of(300, &rules, 50), [0, 15, 30, 45]);
    assert_eq!(telling(State::Template, &rules, 5), [1]);
}

proptest! {
    /// Backups know the state of what is closing, and never hear twice of a time that has not moved,
    /// but for the retries.
    #[test]
    fn nothing_is_told_for_nothing(
        steps in prop::collection::vec((0..11_usize, 0..5000_u64), 1..60),
        retries in 0..=3_u8,
    ) {
        let rules = Rules { period: 0, refresh_period: seconds(4), retries, ..Rules::default() };
        let mut told = Told::nothing(NOW);
        let (mut now, mut since, mut known) = (NOW, 0, None);
        for (packet, (state, later)) in steps.into_iter().enumerate() {
            now += Duration::from_millis(later);
            let seen = seen(State::Tcp(Tcp::ALL[state]), packet as u32);
            let moved = (now + seen.timeout).abs_diff(told.ends) >= rules.refresh_period;
            let changed = seen.state.is_closing() && known != Some(seen.state);
            match told.after(&seen, &rules, now) {
                Some(after) => {
                    since = if moved || changed { 0 } else { since + 1 };
                    prop_assert!(since <= retries);
                    (told, known) = (after, Some(seen.state));
                }
                None => prop_assert!(!changed && (!moved || !seen.state.is_open() && !seen.state.is_closing())),
            }
        }
    }
}
