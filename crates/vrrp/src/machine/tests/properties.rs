//! Whatever happens, in whatever order.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Happening {
    Poll,
    Hear(u8, IpAddr),
    Interface(bool),
    Address(bool),
    Track(usize, Reading),
    Ready(bool),
    Priority(u8),
    Stop,
    Start,
    Resign,
    Noise(Vec<u8>),
}

fn happening() -> impl Strategy<Value = Happening> {
    let source = prop_oneof![Just(LOWER), Just(HIGHER), Just(OWN)];
    let reading = prop_oneof![
        Just(Reading::Up),
        Just(Reading::Down),
        any::<i64>().prop_map(Reading::Number),
    ];
    prop_oneof![
        8 => Just(Happening::Poll),
        6 => (any::<u8>(), source).prop_map(|(priority, source)| Happening::Hear(priority, source)),
        1 => any::<bool>().prop_map(Happening::Interface),
        1 => any::<bool>().prop_map(Happening::Address),
        2 => (0usize..2, reading).prop_map(|(place, reading)| Happening::Track(place, reading)),
        1 => any::<bool>().prop_map(Happening::Ready),
        1 => any::<u8>().prop_map(Happening::Priority),
        1 => Just(Happening::Stop),
        3 => Just(Happening::Start),
        1 => Just(Happening::Resign),
        1 => prop::collection::vec(any::<u8>(), 0..60).prop_map(Happening::Noise),
    ]
}

fn any_spec() -> impl Strategy<Value = Spec> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (1u8..=255, flags, -260i32..260, 0u64..3, any::<bool>()).prop_map(
        |(priority, (preempt, begins, lower, higher), weight, delay, v3)| Spec {
            priority,
            preempt,
            begins_as_master: begins,
            lower_prio_no_advert: lower,
            higher_prio_send_advert: higher,
            preempt_delay: SECOND * delay as u32,
            track: vec![
                Tracked::default(),
                Tracked {
                    weight,
                    reverse: lower,
                },
            ],
            ..if v3 { version3() } else { spec() }
        },
    )
}

fn happens(machine: &mut Machine, now: Duration, happening: &Happening) -> Vec<Action> {
    match happening {
        Happening::Poll => machine.poll(now),
        Happening::Hear(priority, source) => hear(machine, now, *priority, *source),
        Happening::Interface(up) => machine.interface(now, *up),
        Happening::Address(there) => machine.address(now, there.then_some(OWN)),
        Happening::Track(place, reading) => machine.track(now, *place, *reading),
        Happening::Ready(ready) => machine.ready(now, ready.then_some(()).ok_or("no".into())),
        Happening::Priority(priority) => machine.set_priority(*priority).unwrap_or_default(),
        Happening::Stop => machine.stop(now),
        Happening::Start => match machine.state() {
            State::Initialize => machine.start(now),
            _ => Vec::new(),
        },
        Happening::Resign => machine.resign(now),
        Happening::Noise(bytes) => {
            Datagram::ipv4(bytes).map_or(Vec::new(), |datagram| machine.receive(now, &datagram))
        }
    }
}

proptest! {
    #[test]
    fn addresses_are_the_masters(
        spec in any_spec(),
        course in prop::collection::vec((0u64..2000, happening()), 1..80),
    ) {
        let mut machine = Machine::new(spec).unwrap();
        let mut now = Duration::ZERO;
        let (mut has, mut state) = (false, State::Initialize);
        for (later, happening) in course {
            // A timer is never passed by.
            let until = now + Duration::from_millis(later);
            let mut steps = vec![];
            while let Some(due) = machine.deadline().filter(|due| *due <= until) {
                prop_assert!(due >= now || machine.state() != State::Master);
                now = due.max(now);
                let before = machine.deadline();
                steps.extend(machine.poll(now));
                prop_assert!(machine.deadline() != before, "{machine:?}");
            }
            now = until;
            steps.extend(happens(&mut machine, now, &happening));
            for action in &steps {
                match action {
                    Action::Acquire { .. } => has = true,
                    Action::Release => has = false,
                    Action::Announce { times } => prop_assert!(has && *times > 0),
                    Action::Send(sent) => prop_assert_eq!(sent.source, OWN),
                    Action::Tell(Event::State { from, to, .. }) => {
                        prop_assert_eq!(*from, state);
                        prop_assert_ne!(*from, *to);
                        state = *to;
                    }
                    Action::Tell(_) => {}
                }
            }
            prop_assert_eq!(machine.state(), state);
            prop_assert_eq!(has, state == State::Master, "after {:?}", happening);
            prop_assert!((1..=255).contains(&machine.priority()));
            prop_assert_eq!(machine.priority() == 255, machine.spec().priority == 255);
            match state {
                State::Master => prop_assert!(machine.deadline().is_some()),
                State::Backup => {
                    prop_assert!(machine.deadline().is_some() || machine.held().is_some());
                    prop_assert_eq!(machine.obstacle(), None);
                }
                State::Fault => prop_assert!(machine.deadline().is_none() || machine.obstacle().is_none()),
                State::Initialize => {}
            }
        }
    }
}
