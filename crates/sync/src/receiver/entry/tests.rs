use proptest::prelude::*;

use super::*;
use crate::examples::{any_record, tcp, template};
use crate::record::Engine;
use crate::state::Tcp;

const LONGEST: Duration = Duration::from_secs(1000);

fn entry(change: impl FnOnce(&mut Record)) -> Entry {
    let mut record = tcp();
    change(&mut record);
    Entry::try_from(record).unwrap()
}

fn refused(change: impl FnOnce(&mut Record)) -> Reason {
    let mut record = tcp();
    change(&mut record);
    Entry::try_from(record).unwrap_err()
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn what_means_nothing_here_is_refused() {
    assert_eq!(refused(|it| it.state = 11), Reason::State(11));
    assert_eq!(refused(|it| it.protocol = 51), Reason::Protocol(51));
    let other = Engine::new(b"sips", b"1");
    assert_eq!(refused(|it| it.engine = other), Reason::UnknownEngine);
    entry(|it| it.engine = Engine::new(b"sip", b"1"));
    assert_eq!(
        refused(|it| it.flags = Flags::ONE_PACKET),
        Reason::OnePacket
    );
    let template = |it: &mut Record| {
        it.flags = Flags::TEMPLATE;
        it.protocol = 0;
    };
    assert_eq!(entry(template).state(), State::Assured);
    let beyond = refused(|it| {
        template(it);
        it.state = 2;
    });
    assert_eq!(beyond, Reason::State(2));
}

#[test]
fn flags_are_those_that_a_backup_takes() {
    let entry = entry(|it| it.flags = Flags(0xffff_c1fb));
    assert_eq!(entry.record().flags, Flags(0x0183));
    assert_eq!(entry.forwarding(), Some(Forwarding::DirectRoute));
    assert!(!entry.is_active());
}

#[test]
fn one_that_goes_elsewhere_replaces_unless_it_ends() {
    let (here, there) = (address("10.0.0.1:8080"), address("10.0.0.2:8080"));
    let inactive = |it: &mut Record| it.flags = Flags::INACTIVE;
    let cases = [
        (
            entry(|_| ()),
            [Action::Begin, Action::Update, Action::Replace],
        ),
        (
            entry(inactive),
            [Action::Begin, Action::Update, Action::Ignore],
        ),
        (
            Entry::try_from(template()).unwrap(),
            [Action::Begin, Action::Update, Action::Update],
        ),
    ];
    for (entry, expected) in cases {
        let held = [None, Some(here), Some(there)];
        let held = held.map(|it| it.map(|destination| Held { destination }));
        let found = held.map(|held| entry.meets(held.as_ref()));
        assert_eq!(found, expected, "{entry:?}");
    }
    let port = Held {
        destination: address("10.0.0.1:80"),
    };
    assert_eq!(entry(|_| ()).meets(Some(&port)), Action::Replace);
}

#[test]
fn it_lasts_as_the_message_says_or_by_its_state() {
    let by_state = |state| {
        assert_eq!(state, State::Tcp(Tcp::Established));
        Duration::from_secs(7)
    };
    let lasts = |entry: &Entry| entry.lasts(by_state, LONGEST).as_secs();
    assert_eq!(lasts(&entry(|_| ())), 900);
    assert_eq!(lasts(&entry(|it| it.timeout = u32::MAX)), 1000);
    assert_eq!(lasts(&entry(|it| it.timeout = 0)), 7);
    let template = Record {
        timeout: 0,
        ..template()
    };
    assert_eq!(lasts(&Entry::try_from(template).unwrap()), 180);
}

#[test]
fn its_service_is_looked_for_by_mark_then_port_then_all_ports() {
    let ports = |change: fn(&mut Record)| -> Vec<_> {
        let entry = entry(change);
        let places = entry.services().map(|it| match it {
            Service::Mark(mark) => -i64::from(mark),
            Service::Address { protocol, address } => {
                assert_eq!(protocol, entry.record().protocol);
                assert_eq!(address.ip(), entry.record().virtual_address().ip());
                address.port().into()
            }
        });
        places.collect()
    };
    assert_eq!(ports(|_| ()), [80, 0]);
    assert_eq!(ports(|it| it.mark = 7), [-7, 80, 0]);
    assert_eq!(ports(|it| it.ports.virtual_port = 20), [20, 21, 0]);
    assert_eq!(ports(|it| it.ports.virtual_port = 1024), [1024, 21, 0]);
    let udp = |it: &mut Record| {
        it.protocol = 17;
        it.state = 0;
        it.ports.virtual_port = 1024;
    };
    assert_eq!(ports(udp), [1024, 0]);
}

#[test]
fn its_destination_is_looked_for_by_port_then_without() {
    let ports = |mark, by| {
        let entry = entry(|it| {
            it.mark = mark;
            it.flags = Flags(0).forwarded(by);
        });
        entry.destination_ports()
    };
    assert_eq!(ports(0, Forwarding::DirectRoute), [8080, 0]);
    assert_eq!(ports(7, Forwarding::Masquerade), [8080, 0]);
    assert_eq!(ports(7, Forwarding::Tunnel), [0, 8080]);
}

proptest! {
    #[test]
    fn a_record_is_refused_or_decided(
        any in any_record(),
        protocol in prop::sample::select(vec![6, 17, 132]),
        state in 0..16_u16,
    ) {
        let engine = any.engine.and_then(|it| Engine::new(b"sip", it.data()));
        let record = Record { protocol, state, engine, ..any };
        let destination = record.destination();
        let Ok(entry) = Entry::try_from(record) else {
            return Ok(());
        };
        prop_assert_eq!(entry.record().flags.taken(), entry.record().flags);
        prop_assert_eq!(entry.meets(None), Action::Begin);
        prop_assert_eq!(entry.meets(Some(&Held { destination })), Action::Update);
        prop_assert!(entry.lasts(|_| LONGEST * 2, LONGEST) <= LONGEST);
        prop_assert!(entry.destination_ports().contains(&destination.port()));
        prop_assert!((2..=4).contains(&entry.services().count()));
    }
}
