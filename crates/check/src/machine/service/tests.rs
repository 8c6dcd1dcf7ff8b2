use proptest::prelude::*;

use super::*;
use crate::machine::Adjust;
use crate::spec::{Percent, ServerPolicy, SorryServer};

fn standing(up: bool) -> Standing {
    Standing {
        up,
        known: true,
        ..Standing::default()
    }
}

fn server(weight: u32, inhibit: bool, up: bool) -> (Server, Option<ServerState>) {
    let policy = ServerPolicy {
        weight,
        inhibit_on_failure: inhibit,
        checks: Vec::new(),
    };
    (Server::new(&policy, vec![standing(up)]), None)
}

fn sorry(inhibit: bool) -> Option<SorryServer> {
    Some(SorryServer { inhibit })
}

fn policy(quorum: u32, hysteresis: u32, sorry_server: Option<SorryServer>) -> ServicePolicy {
    ServicePolicy {
        quorum,
        hysteresis,
        sorry_server,
        ..ServicePolicy::default()
    }
}

fn service(policy: &ServicePolicy, weights: &[u32]) -> Service {
    let servers = weights.iter().map(|weight| server(*weight, false, true));
    Service::new(policy, servers.collect(), None).0
}

#[test]
fn quorum_with_hysteresis() {
    let mut service = service(&policy(3, 1, None), &[1; 6]);
    let mut changes = Vec::new();
    for (place, up) in [0, 1, 2, 3, 4, 5, 0, 1, 2, 3]
        .iter()
        .zip([false; 6].into_iter().chain([true; 4]))
    {
        let events = service.hear(*place, 0, standing(up));
        changes.extend(events.into_iter().filter_map(|event| match event {
            Event::QuorumGained {
                weight, threshold, ..
            } => Some((true, weight, threshold)),
            Event::QuorumLost {
                weight, threshold, ..
            } => Some((false, weight, threshold)),
            _ => None,
        }));
    }
    // Lost below 3 - 1, gained at 3 + 1.
    assert_eq!(changes, [(false, 1, 2), (true, 4, 4)]);
}

#[test]
fn the_sorry_server_replaces_all_real_servers() {
    let mut service = service(&policy(2, 0, sorry(false)), &[1, 1]);
    assert_eq!(service.wanted().sorry_server, None);
    let events = service.hear(0, 0, standing(false));
    assert_eq!(
        events,
        [
            Event::ServerDown { server: 0 },
            Event::SorryServerIn,
            Event::QuorumLost {
                weight: 1,
                threshold: 2,
                start: false
            },
        ]
    );
    let wanted = service.wanted();
    assert_eq!(
        (wanted.servers, wanted.sorry_server),
        (vec![None, None], Some(1))
    );
    let events = service.hear(0, 0, standing(true));
    assert_eq!(events[1], Event::SorryServerOut);
    assert_eq!(service.wanted().servers, [Some(1), Some(1)]);
}

#[test]
fn without_sorry_server_those_that_are_up_go_on() {
    let mut service = service(&policy(2, 0, None), &[1, 1]);
    service.hear(0, 0, standing(false));
    assert!(!service.quorum());
    assert_eq!(service.wanted().servers, [None, Some(1)]);
}

#[test]
fn inhibited_is_weight_0() {
    let servers = vec![server(5, true, false), server(7, true, true)];
    let (service, _) = Service::new(&policy(100, 0, sorry(true)), servers, None);
    let wanted = service.wanted();
    assert_eq!(
        (wanted.servers, wanted.sorry_server),
        (vec![Some(0), Some(0)], Some(1))
    );
    let (service, _) = Service::new(
        &policy(1, 0, sorry(true)),
        vec![server(5, true, true)],
        None,
    );
    assert_eq!(service.wanted().sorry_server, Some(0));
}

#[test]
fn at_the_start_a_lost_quorum_is_news_only_with_a_sorry_server() {
    let down = || vec![server(1, false, false)];
    let (_, events) = Service::new(&policy(1, 0, None), down(), None);
    assert_eq!(events, []);
    let (_, events) = Service::new(&policy(1, 0, sorry(false)), down(), None);
    let lost = Event::QuorumLost {
        weight: 0,
        threshold: 1,
        start: true,
    };
    assert_eq!(events, [Event::SorryServerIn, lost]);
}

#[test]
fn a_weight_of_0_is_no_quorum() {
    let mut service = service(&policy(1, 1, None), &[2]);
    let adjust = Adjust::Set(0);
    let events = service.hear(
        0,
        0,
        Standing {
            adjust,
            ..standing(true)
        },
    );
    assert_eq!(
        events,
        [
            Event::ServerWeight {
                server: 0,
                from: 2,
                to: 0
            },
            Event::QuorumLost {
                weight: 0,
                threshold: 0,
                start: false
            },
        ]
    );
}

#[test]
fn not_all_are_taken_out() {
    let guarded = ServicePolicy {
        max_down: Some(Percent::try_from(50).unwrap()),
        ..policy(1, 0, None)
    };
    let mut service = service(&guarded, &[1; 4]);
    let down: Vec<_> = (0..4)
        .flat_map(|place| service.hear(place, 0, standing(false)))
        .collect();
    assert_eq!(
        down,
        [
            Event::ServerDown { server: 0 },
            Event::ServerDown { server: 1 },
            Event::ServerKept { server: 2 },
            Event::ServerKept { server: 3 },
        ]
    );
    // One comes back: there is room for the next.
    assert_eq!(
        service.hear(1, 0, standing(true)),
        [
            Event::ServerUp { server: 1 },
            Event::ServerDown { server: 2 }
        ]
    );
    assert_eq!(service.hear(3, 0, standing(true)), []);
    assert!(!service.servers()[3].kept());
}

#[test]
fn with_alpha_the_first_failure_is_news() {
    let policy_of_server = ServerPolicy {
        weight: 1,
        inhibit_on_failure: false,
        checks: Vec::new(),
    };
    let unknown = Server::new(&policy_of_server, vec![Standing::default()]);
    let (mut service, _) = Service::new(&policy(1, 0, None), vec![(unknown, None)], None);
    assert_eq!(
        service.hear(0, 0, standing(false)),
        [Event::ServerDown { server: 0 }]
    );
    assert_eq!(service.hear(0, 0, standing(false)), []);
}

#[test]
fn omega_tells_of_all_that_were_up() {
    let omega = ServicePolicy {
        omega: true,
        ..policy(1, 0, None)
    };
    let mut service = service(&omega, &[1; 3]);
    service.hear(1, 0, standing(false));
    assert_eq!(
        service.stop(),
        [Event::Stopped {
            servers: vec![0, 2]
        }]
    );
}

#[test]
fn a_restart_is_no_news() {
    let before = policy(2, 0, sorry(false));
    let mut first = service(&before, &[1, 1]);
    first.hear(0, 0, standing(false));
    let servers = first
        .servers()
        .iter()
        .map(|server| (server.clone(), Some(server.state())));
    let (again, events) = Service::new(&before, servers.collect(), Some(first.state()));
    assert_eq!(events, []);
    assert_eq!(again.wanted(), first.wanted());
}

/// The rules, on all that is known at once.
#[derive(Debug)]
struct Plain {
    up: Vec<bool>,
    quorum: bool,
}

impl Plain {
    fn follow(&mut self, policy: &ServicePolicy, weights: &[u32]) {
        let weight: i64 = self
            .up
            .iter()
            .zip(weights)
            .filter(|(up, _)| **up)
            .map(|(_, w)| i64::from(*w))
            .sum();
        let (quorum, hysteresis) = (i64::from(policy.quorum), i64::from(policy.hysteresis));
        self.quorum = match self.quorum {
            true => weight > 0 && weight >= quorum - hysteresis,
            false => weight >= quorum + hysteresis,
        };
    }
}

proptest! {
    #[test]
    fn any_history_follows_the_rules(
        weights in prop::collection::vec(0u32..5, 1..6),
        history in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..60),
        quorum in 1u32..8,
        hysteresis in 0u32..4,
        sorry_server in prop::option::of(any::<bool>().prop_map(|inhibit| SorryServer { inhibit })),
    ) {
        let policy = policy(quorum, hysteresis, sorry_server);
        let mut service = service(&policy, &weights);
        let mut plain = Plain { up: vec![true; weights.len()], quorum: false };
        plain.follow(&policy, &weights);
        for (place, up) in history {
            let place = place.index(weights.len());
            let before = (plain.up[place], plain.quorum);
            let events = service.hear(place, 0, standing(up));
            plain.up[place] = up;
            plain.follow(&policy, &weights);
            prop_assert_eq!(service.quorum(), plain.quorum);
            prop_assert_eq!(service.sorry(), sorry_server.is_some() && !plain.quorum);
            prop_assert_eq!(events.contains(&Event::ServerUp { server: place }), up && !before.0);
            prop_assert_eq!(events.contains(&Event::ServerDown { server: place }), !up && before.0);
            let gained = events.iter().any(|event| matches!(event, Event::QuorumGained { .. }));
            prop_assert_eq!(gained, plain.quorum && !before.1);
            let wanted = service.wanted();
            for (place, want) in wanted.servers.iter().enumerate() {
                let serves = plain.up[place] && !service.sorry();
                prop_assert_eq!(*want, serves.then_some(weights[place]));
            }
        }
    }

    #[test]
    fn no_more_are_down_than_allowed(
        history in prop::collection::vec((0usize..7, any::<bool>()), 0..60),
        percent in 0u8..=100,
    ) {
        let part = Percent::try_from(percent).unwrap();
        let policy = ServicePolicy { max_down: Some(part), ..policy(1, 0, None) };
        let mut service = service(&policy, &[1; 7]);
        let mut well = [true; 7];
        for (place, up) in history {
            well[place] = up;
            service.hear(place, 0, standing(up));
            let ill = well.iter().filter(|well| !**well).count();
            let down = service.servers().iter().filter(|server| !server.up()).count();
            prop_assert_eq!(down, ill.min(part.of(7)));
            for (server, well) in service.servers().iter().zip(well) {
                prop_assert!(!well || server.up());
            }
        }
    }
}
