//! Advertisements that are signed.

use crate::packet::{Sequence, SigningKey};
use crate::signing::{Freshness, Mode, Signing, WrongSigning};
use crate::spec::Wrong;

use super::*;

/// The time of day when the tests begin.
const TODAY: Duration = Duration::from_secs(1_800_000_000);
const WINDOW: Duration = Duration::from_secs(5);

fn key(id: u8) -> SigningKey {
    SigningKey {
        id,
        bytes: vec![id; 32],
    }
}

fn signing(mode: Mode) -> Signing {
    Signing {
        keys: vec![key(1), key(2)],
        active: 2,
        freshness: Freshness::Window(WINDOW),
        mode,
    }
}

fn with(signing: Option<Signing>) -> Machine {
    let mut machine = Machine::new(Spec {
        signing,
        ..version3()
    })
    .unwrap();
    machine.clock(TODAY);
    machine.address(Duration::ZERO, Some(OWN));
    machine.start(Duration::ZERO);
    machine
}

/// What another says, signed at that time of day.
fn signed(key: &SigningKey, at: Duration) -> Vec<u8> {
    let spec = version3();
    let To::Group(destination) = spec.to else {
        panic!("a group");
    };
    let envelope = Envelope {
        source: HIGHER,
        destination,
        hop_limit: HOP_LIMIT,
        sum: spec.sum(),
        identification: 1,
        authentication: None,
        signature: Some(Signature {
            key,
            sequence: Sequence::at(at),
        }),
    };
    let advertisement = Advertisement {
        version: spec.version,
        virtual_router: spec.virtual_router,
        priority: 200,
        interval: spec.interval,
        carried: Carried::Nothing,
        addresses: spec.addresses,
    };
    Outgoing::new(&envelope, &advertisement).bytes
}

fn refused(machine: &mut Machine, bytes: &[u8]) -> Option<Unsigned> {
    refused_at(machine, Duration::ZERO, bytes)
}

fn refused_at(machine: &mut Machine, now: Duration, bytes: &[u8]) -> Option<Unsigned> {
    let actions = machine.receive(now, &Datagram::ipv4(bytes).unwrap());
    actions.iter().find_map(|action| match action {
        Action::Tell(Event::Refused {
            refusal: Refusal::Unsigned(unsigned),
            ..
        }) => Some(*unsigned),
        _ => None,
    })
}

#[test]
fn who_has_no_key_is_not_heard() {
    let second = SECOND;
    let mut machine = with(Some(signing(Mode::Enforce)));
    let plain = said(&version3(), 200, HIGHER).bytes;
    assert_eq!(refused(&mut machine, &plain), Some(Unsigned::Missing));
    let other = SigningKey {
        bytes: vec![7; 32],
        ..key(1)
    };
    let rows = [
        (signed(&key(3), TODAY), Some(Unsigned::Key(3))),
        (signed(&other, TODAY), Some(Unsigned::Value)),
        (
            signed(&key(1), TODAY - 6 * second),
            Some(Unsigned::Stale(6)),
        ),
        (
            signed(&key(1), TODAY + 6 * second),
            Some(Unsigned::Stale(-6)),
        ),
        (signed(&key(1), TODAY - 5 * second), None),
        // The other key, later.
        (signed(&key(2), TODAY), None),
        (signed(&key(2), TODAY), Some(Unsigned::Replayed)),
        (signed(&key(1), TODAY - second), Some(Unsigned::Replayed)),
    ];
    for (number, (bytes, expected)) in rows.iter().enumerate() {
        assert_eq!(refused(&mut machine, bytes), *expected, "row {number}");
    }
    assert_eq!(machine.master(), Some((HIGHER, 200)));
    let mut reserved = signed(&key(2), TODAY + second);
    let place = reserved.len() - 28 + 2;
    reserved[place] = 1;
    assert_eq!(refused(&mut machine, &reserved), Some(Unsigned::Form));

    let mut none = with(None);
    let bytes = signed(&key(1), TODAY);
    assert_eq!(refused(&mut none, &bytes), Some(Unsigned::Unexpected));
}

#[test]
fn the_next_daemon_hears_nothing_again() {
    for freshness in [Freshness::Window(WINDOW), Freshness::Growing] {
        let signing = Signing {
            freshness,
            ..signing(Mode::Enforce)
        };
        let mut machine = with(Some(signing.clone()));
        for second in 1..4 {
            let bytes = signed(&key(1), TODAY + SECOND * second);
            assert_eq!(refused(&mut machine, &bytes), None);
        }
        assert_eq!(machine.signed_heard(), 3);
        let memory = machine.memory();
        let mut next = Machine::new(machine.spec().clone()).unwrap();
        next.clock(TODAY);
        next.address(Duration::ZERO, Some(OWN));
        next.resume(Duration::ZERO, memory);
        for second in 1..4 {
            let bytes = signed(&key(1), TODAY + SECOND * second);
            assert_eq!(refused(&mut next, &bytes), Some(Unsigned::Replayed));
        }
        let bytes = signed(&key(1), TODAY + SECOND * 4);
        assert_eq!(refused(&mut next, &bytes), None);
    }
}

#[test]
fn a_site_comes_to_be_signed_step_by_step() {
    let plain = said(&version3(), 200, HIGHER).bytes;
    for (mode, signs, takes) in [
        (Mode::ReceiveOnly, false, true),
        (Mode::Permissive, true, true),
        (Mode::Enforce, true, false),
    ] {
        let mut machine = with(Some(signing(mode)));
        assert_eq!(refused(&mut machine, &plain).is_none(), takes, "{mode:?}");
        assert_eq!(refused(&mut machine, &signed(&key(1), TODAY)), None);
        let now = machine.deadline().unwrap();
        let sent = machine.poll(now);
        let Some(Action::Send(outgoing)) = sent.first() else {
            panic!("{sent:?}");
        };
        let datagram = Datagram::ipv4(&outgoing.bytes).unwrap();
        let trailer = Parsed::new(&datagram).unwrap().trailer;
        assert_eq!(trailer.is_some(), signs, "{mode:?}");
        if let Some(trailer) = trailer {
            assert!(datagram.is_signed_with(&trailer, &key(2)));
            assert_eq!(trailer.sequence(), Sequence::at(TODAY + now));
        }
    }
}

#[test]
fn clocks_may_be_set() {
    let sequences = |machine: &mut Machine| {
        let now = machine.deadline().unwrap();
        let sent = machine.poll(now);
        let Some(Action::Send(outgoing)) = sent.first() else {
            panic!("{sent:?}");
        };
        let datagram = Datagram::ipv4(&outgoing.bytes).unwrap();
        (
            now,
            Parsed::new(&datagram).unwrap().trailer.unwrap().sequence(),
        )
    };
    let mut machine = with(Some(signing(Mode::Enforce)));
    let (_, first) = sequences(&mut machine);
    // Back by less than the window: they go on.
    machine.clock(TODAY - SECOND);
    assert_eq!(sequences(&mut machine).1, first.next());
    // Further: nobody would hear them.
    let earlier = TODAY - SECOND * 3600;
    machine.clock(earlier);
    let (now, third) = sequences(&mut machine);
    assert_eq!(third, Sequence::at(earlier + now));
    // Nor is one held to what it said before its clock was set back.
    let mut hearer = with(Some(signing(Mode::Enforce)));
    assert_eq!(refused(&mut hearer, &signed(&key(1), TODAY)), None);
    hearer.clock(earlier);
    assert_eq!(refused(&mut hearer, &signed(&key(1), earlier)), None);
    // Without a window it is.
    let growing = Signing {
        freshness: Freshness::Growing,
        ..signing(Mode::Enforce)
    };
    let mut hearer = with(Some(growing));
    assert_eq!(refused(&mut hearer, &signed(&key(1), TODAY)), None);
    let old = signed(&key(1), earlier);
    let replayed = Some(Unsigned::Replayed);
    assert_eq!(refused_at(&mut hearer, SECOND * 9, &old), replayed);
}

#[test]
fn keys_that_cannot_be_are_refused() {
    let of = |keys: Vec<SigningKey>, active| Signing {
        keys,
        active,
        ..signing(Mode::Enforce)
    };
    let short = SigningKey {
        bytes: vec![1; 31],
        ..key(1)
    };
    let rows = [
        (of(vec![key(0)], 0), WrongSigning::Id(0)),
        (of(vec![key(1), key(1)], 1), WrongSigning::Id(1)),
        (of(vec![short], 1), WrongSigning::Length(1, 31)),
        (of(vec![key(1)], 2), WrongSigning::Active(2)),
        (of(Vec::new(), 1), WrongSigning::Active(1)),
    ];
    for (signing, wrong) in rows {
        let spec = Spec {
            signing: Some(signing),
            ..version3()
        };
        assert_eq!(spec.check(), Err(Wrong::Signing(wrong)));
    }
    let both = Spec {
        signing: Some(signing(Mode::Enforce)),
        authentication: Authentication::Password(Key::new("secret")),
        ..spec()
    };
    assert_eq!(both.check(), Err(Wrong::TwoAuthentications));
    let text = format!("{:?}", key(7));
    assert_eq!(text, "SigningKey(7)", "what it is stays secret");
}
