use super::*;

const KEY: Key = Key(*b"secret\0\0");

fn refused(machine: &mut Machine, outgoing: &Outgoing) -> Option<Refusal> {
    let datagram = Datagram::ipv4(&outgoing.bytes).unwrap();
    let actions = machine.receive(Duration::ZERO, &datagram);
    events(&actions).into_iter().find_map(|event| match event {
        Event::Refused { refusal, source } => {
            assert_eq!(source, datagram.source);
            Some(refusal)
        }
        _ => None,
    })
}

/// Each pair of routers and why the second does not hear the first.
#[test]
fn routers_that_differ_do_not_hear_each_other() {
    let with = |change: fn(&mut Spec)| {
        let mut other = spec();
        change(&mut other);
        other
    };
    let vip: IpAddr = [192, 0, 2, 101].into();
    let group: IpAddr = [224, 0, 0, 19].into();
    let header = |spec: &mut Spec| spec.authentication = Authentication::Header(KEY);
    let password = |spec: &mut Spec| spec.authentication = Authentication::Password(KEY);
    let none = |_: &mut Spec| {};
    type Change = fn(&mut Spec);
    let rows: [(Change, Change, Option<Refusal>); 16] = [
        (none, none, None),
        (header, header, None),
        (password, password, None),
        (
            none,
            |it| it.virtual_router = 52,
            Some(Refusal::VirtualRouter(51)),
        ),
        (none, |it| it.version = Version::V3, Some(Refusal::Version)),
        (
            none,
            |it| it.interval = SECOND * 2,
            Some(Refusal::Interval(SECOND)),
        ),
        (
            none,
            |it| it.addresses.clear(),
            Some(Refusal::AddressCount(1)),
        ),
        (
            none,
            |it| it.addresses[0] = [192, 0, 2, 101].into(),
            Some(Refusal::Address(VIP)),
        ),
        (
            |it| it.addresses[0] = [192, 0, 2, 101].into(),
            none,
            Some(Refusal::Address(vip)),
        ),
        (
            |it| it.to = To::Group([224, 0, 0, 19].into()),
            none,
            Some(Refusal::Destination(group)),
        ),
        (none, password, Some(Refusal::AuthenticationType)),
        (password, none, Some(Refusal::AuthenticationType)),
        (header, none, Some(Refusal::AuthenticationType)),
        (password, header, Some(Refusal::AuthenticationType)),
        (
            password,
            |it| it.authentication = Authentication::Password(Key::new("other")),
            Some(Refusal::Password),
        ),
        (
            header,
            |it| it.authentication = Authentication::Header(Key::new("other")),
            Some(Refusal::Unauthentic(Unauthentic::Value)),
        ),
    ];
    for (number, (says, hears, refusal)) in rows.into_iter().enumerate() {
        let mut machine = started(with(hears));
        let outgoing = said(&with(says), 200, LOWER);
        assert_eq!(refused(&mut machine, &outgoing), refusal, "row {number}");
        let down = machine.spec().master_down(128, machine.spec().interval);
        assert_eq!(machine.deadline(), Some(down), "row {number}");
        assert_eq!(
            machine.master().is_some(),
            refusal.is_none(),
            "row {number}"
        );
    }
}

#[test]
fn packets_from_elsewhere_are_not_heard() {
    let mut machine = started(spec());
    let own = said(machine.spec(), 200, OWN);
    assert_eq!(refused(&mut machine, &own), Some(Refusal::Own));
    let mut forwarded = said(machine.spec(), 200, LOWER);
    forwarded.bytes[8] = 254;
    assert_eq!(
        refused(&mut machine, &forwarded),
        Some(Refusal::HopLimit(254))
    );
    let mut marred = said(machine.spec(), 200, LOWER);
    marred.bytes[22] = 201;
    let checksum = Refusal::Malformed(Malformed::Checksum);
    assert_eq!(refused(&mut machine, &marred), Some(checksum));
    assert_eq!(machine.master(), None);
}

#[test]
fn peers_are_who_was_named() {
    let stranger: IpAddr = [192, 0, 2, 77].into();
    let to = |peers, check_source| To::Peers {
        peers,
        hop_limit: 255,
        check_source,
    };
    let near = Peer {
        min_ttl: 254,
        ..Peer::new(LOWER)
    };
    let rows = [
        (vec![Peer::new(LOWER)], true, LOWER, 3, None),
        (
            vec![Peer::new(LOWER)],
            true,
            stranger,
            255,
            Some(Refusal::Stranger),
        ),
        (vec![Peer::new(LOWER)], false, stranger, 255, None),
        (vec![near], false, stranger, 255, Some(Refusal::Stranger)),
        (vec![near], false, LOWER, 254, None),
        (vec![near], false, LOWER, 253, Some(Refusal::HopLimit(253))),
    ];
    for (number, (peers, check_source, source, ttl, refusal)) in rows.into_iter().enumerate() {
        let mut machine = started(Spec {
            to: to(peers, check_source),
            ..spec()
        });
        let mut outgoing = said(machine.spec(), 200, source);
        outgoing.bytes[8] = ttl;
        assert_eq!(refused(&mut machine, &outgoing), refusal, "row {number}");
    }
    // To the group is not to this host.
    let mut machine = started(Spec {
        to: to(vec![Peer::new(LOWER)], true),
        ..spec()
    });
    let outgoing = said(&spec(), 200, LOWER);
    let group: IpAddr = [224, 0, 0, 18].into();
    assert_eq!(
        refused(&mut machine, &outgoing),
        Some(Refusal::Destination(group))
    );
}

#[test]
fn checksums_are_as_was_agreed() {
    let as_v2 = Spec {
        checksum_as_v2: true,
        ..version3()
    };
    let rows = [
        (version3(), version3(), None),
        (as_v2.clone(), as_v2.clone(), None),
        (as_v2.clone(), version3(), Some(Refusal::OldChecksum)),
        (version3(), as_v2, Some(Refusal::OldChecksum)),
    ];
    for (says, hears, refusal) in rows {
        let mut machine = started(hears);
        assert_eq!(refused(&mut machine, &said(&says, 200, LOWER)), refusal);
    }
    let to = To::Peers {
        peers: vec![Peer::new(LOWER)],
        hop_limit: 255,
        check_source: true,
    };
    let unicast = |old_unicast_checksum| Spec {
        to: to.clone(),
        old_unicast_checksum,
        ..version3()
    };
    let old = said(&unicast(OldChecksum::On), 200, LOWER);
    for (setting, refusal) in [
        (OldChecksum::Auto, None),
        (OldChecksum::On, None),
        (OldChecksum::Never, Some(Refusal::OldChecksum)),
    ] {
        let mut machine = started(unicast(setting));
        assert_eq!(refused(&mut machine, &old), refusal);
    }
}

#[test]
fn nothing_is_heard_twice() {
    let mut machine = started(Spec {
        authentication: Authentication::Header(KEY),
        ..spec()
    });
    let numbered = |sequence| {
        let advertisement = Advertisement {
            version: Version::V2,
            virtual_router: 51,
            priority: 200,
            interval: SECOND,
            carried: Carried::Header,
            addresses: vec![VIP],
        };
        let envelope = Envelope {
            source: HIGHER,
            destination: [224, 0, 0, 18].into(),
            hop_limit: HOP_LIMIT,
            sum: Sum::Message,
            identification: 1,
            authentication: Some((KEY, sequence)),
            signature: None,
        };
        Outgoing::new(&envelope, &advertisement)
    };
    assert_eq!(refused(&mut machine, &numbered(7)), None);
    let replayed = Refusal::Replayed {
        sequence: 6,
        expected: 7,
    };
    assert_eq!(refused(&mut machine, &numbered(6)), Some(replayed));
    // What it says itself goes on from there.
    let actions = machine.poll(DOWN);
    let Action::Send(outgoing) = &actions[0] else {
        panic!("{actions:?}");
    };
    let datagram = Datagram::ipv4(&outgoing.bytes).unwrap();
    assert_eq!(datagram.authenticated(KEY), Ok(8));
    // There is nothing behind the last number.
    refused(&mut machine, &numbered(u32::MAX));
    assert_eq!(machine.state(), State::Backup);
    machine.poll(DOWN * 2);
    assert_eq!(machine.memory().sequence, u32::MAX);
}

#[test]
fn addresses_may_be_compared_once() {
    let mut machine = started(Spec {
        skip_check_adv_addr: true,
        ..spec()
    });
    let other = Spec {
        addresses: vec![[192, 0, 2, 101].into()],
        ..spec()
    };
    let wrong = said(&other, 200, LOWER);
    assert!(refused(&mut machine, &wrong).is_some());
    assert_eq!(refused(&mut machine, &said(&spec(), 200, LOWER)), None);
    assert_eq!(refused(&mut machine, &wrong), None);
    assert!(refused(&mut machine, &said(&other, 200, HIGHER)).is_some());
}

#[test]
fn specs_that_cannot_be_are_refused() {
    use crate::spec::Wrong;
    type Change = fn(&mut Spec);
    let v6: IpAddr = "2001:db8::1".parse().unwrap();
    let rows: [(Change, Wrong); 13] = [
        (|it| it.virtual_router = 0, Wrong::VirtualRouter),
        (|it| it.priority = 0, Wrong::Priority),
        (|it| it.interval = SECOND / 2, Wrong::Seconds(SECOND / 2)),
        (
            |it| it.interval = SECOND * 256,
            Wrong::Seconds(SECOND * 256),
        ),
        (
            |it| it.interval = Duration::ZERO,
            Wrong::Seconds(Duration::ZERO),
        ),
        (
            |it| {
                it.version = Version::V3;
                it.interval = SECOND / 1000;
            },
            Wrong::Hundredths(SECOND / 1000),
        ),
        (
            |it| {
                it.version = Version::V3;
                it.interval = SECOND * 41;
            },
            Wrong::Hundredths(SECOND * 41),
        ),
        (
            |it| {
                it.version = Version::V3;
                it.authentication = Authentication::Header(KEY);
            },
            Wrong::Authentication,
        ),
        (|it| it.down_timer_adverts = 0, Wrong::DownTimer(0)),
        (|it| it.addresses = vec![VIP; 256], Wrong::Addresses(256)),
        (|it| it.to = To::Group(OWN), Wrong::Group(OWN)),
        (
            |it| it.addresses.push("2001:db8::1".parse().unwrap()),
            Wrong::Family(v6),
        ),
        (
            |it| {
                *it = Spec {
                    version: Version::V2,
                    ..Spec::new(1, vec!["2001:db8::1".parse().unwrap()])
                }
            },
            Wrong::VersionOfFamily,
        ),
    ];
    for (change, wrong) in rows {
        let mut other = spec();
        change(&mut other);
        assert_eq!(other.check(), Err(wrong));
        assert!(wrong.to_string().len() > 20);
    }
    assert_eq!(spec().check(), Ok(()));
    assert_eq!(version3().check(), Ok(()));
    assert_eq!(Spec::new(1, vec![v6]).check(), Ok(()));
}
