//! What a kernel's master sends is read, and built again byte for byte; what a kernel's backup takes of
//! wrong datagrams is taken. `kernel/record.py` and `kernel/judge.py` record it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use rlvs_sync::message::{Builder, Message};
use rlvs_sync::receiver::Entry;
use rlvs_sync::{Flags, Forwarding, Receiver, Record, Sctp, State, Tcp};

const MESSAGES: &str = include_str!("kernel/messages.txt");
const JUDGED: &str = include_str!("kernel/judged.txt");
const ID: u8 = 42;
const MASTER: [u8; 4] = [10, 8, 0, 1];

/// The datagrams of each step.
fn steps() -> BTreeMap<&'static str, Vec<Vec<u8>>> {
    let steps = MESSAGES.lines().map(|line| {
        let mut words = line.split(' ');
        let name = words.next().expect("a line has a name");
        (name, words.map(bytes).collect())
    });
    steps.collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let places = (0..hex.len()).step_by(2);
    let digits = places.map(|place| &hex[place..place + 2]);
    digits
        .map(|two| u8::from_str_radix(two, 16).unwrap())
        .collect()
}

fn records(step: &str) -> Vec<Record> {
    let datagrams = &steps()[step];
    let records = datagrams.iter().flat_map(|datagram| read(datagram));
    records.collect()
}

fn read(datagram: &[u8]) -> Vec<Record> {
    let message = Message::read(datagram).expect("its head is right");
    assert_eq!(message.id, ID);
    let records: Result<_, _> = message.records.collect();
    records.expect("the kernel sends what is right")
}

/// What backups make of the only record of a step.
fn only(step: &str) -> Entry {
    let records = records(step);
    let [record] = records.as_slice() else {
        panic!("{step}: {records:?}");
    };
    Entry::try_from(record.clone()).unwrap()
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn what_is_built_is_what_the_kernel_builds() {
    for (step, datagrams) in steps() {
        for datagram in datagrams.iter().filter(|_| step != "old") {
            let mut builder = Builder::new(ID, datagram.len());
            let records = read(datagram);
            assert!(records.iter().all(|record| builder.push(record)));
            assert_eq!(&builder.finish(), datagram, "{step}");
        }
    }
}

#[test]
fn a_connection_of_tcp_is_told_from_its_third_segment_to_its_end() {
    assert_eq!(steps()["tcp-syn"], [[]; 0]);
    let established = only("tcp-established");
    let record = established.record();
    assert_eq!(record.client(), address("203.0.113.7:1001"));
    assert_eq!(record.virtual_address(), address("192.0.2.1:80"));
    assert_eq!(record.destination(), address("10.0.0.1:8080"));
    assert_eq!(record.flags, Flags(0).forwarded(Forwarding::Masquerade));
    assert_eq!((record.mark, record.timeout), (0, 900));
    assert!(established.is_active());
    let states = ["tcp-established", "tcp-fin", "tcp-closed"].map(|step| only(step).state());
    let expected = [Tcp::Established, Tcp::CloseWait, Tcp::Close];
    assert_eq!(states, expected.map(State::Tcp));
    assert!(!only("tcp-closed").is_active());
}

#[test]
fn udp_is_inactive_and_forwarded_as_its_flags_say() {
    let udp = only("udp");
    assert_eq!((udp.state(), udp.is_active()), (State::Udp, false));
    assert_eq!(udp.forwarding(), Some(Forwarding::DirectRoute));
    assert!(udp.record().flags.has(Flags::NO_OUTPUT));
}

#[test]
fn connections_fill_datagrams() {
    let datagrams = &steps()["several"];
    let counts: Vec<_> = datagrams.iter().map(|it| read(it).len()).collect();
    assert_eq!(counts, [40, 10]);
    let ports: Vec<_> = records("several")
        .iter()
        .map(|it| it.ports.client)
        .collect();
    assert_eq!(ports, (2000..2050).collect::<Vec<_>>());
}

#[test]
fn a_template_follows_its_connection() {
    for (step, client) in [("template", "203.0.113.7:0"), ("ipv6", "[2001:db8:7::7]:0")] {
        let entries = records(step).into_iter().map(Entry::try_from);
        let entries: Vec<_> = entries.collect::<Result<_, _>>().unwrap();
        let states: Vec<_> = entries.iter().map(Entry::state).collect();
        let open = State::Tcp(Tcp::Established);
        assert_eq!(states, [State::Template, open, State::Assured], "{step}");
        assert_eq!(entries[0].record().client(), address(client));
        assert_eq!(entries[0].record().timeout, 100);
    }
}

#[test]
fn a_mark_is_its_templates_virtual_address() {
    let [connection, template] = records("mark").try_into().unwrap();
    assert_eq!((connection.mark, template.mark), (7, 7));
    assert_eq!(connection.virtual_address(), address("192.0.2.1:9999"));
    assert_eq!(template.virtual_address(), address("0.0.0.7:0"));
    assert_eq!(
        (template.protocol, template.destination()),
        (0, address("10.0.0.1:0"))
    );
}

#[test]
fn a_template_has_its_call() {
    let [connection, template] = records("sip").try_into().unwrap();
    assert_eq!(connection.engine, None);
    let engine = template.engine.as_ref().unwrap();
    assert_eq!(engine.name(), b"sip");
    assert_eq!(engine.data(), b"4711@client.example");
    Entry::try_from(template).unwrap();
}

#[test]
fn sequence_numbers_are_in_both_versions() {
    let new = records("sequences").remove(0).sequences.unwrap();
    let numbers = [new.inward, new.outward].map(|it| [it.initial, it.delta, it.previous_delta]);
    assert_eq!(numbers, [[1, 2, 3], [4, 5, 6]]);
    // It was recorded on a machine of little-endian order.
    if cfg!(target_endian = "little") {
        let old = records("old").into_iter().find_map(|it| it.sequences);
        assert_eq!(old, Some(new));
    }
}

#[test]
fn sctp_has_states_of_its_own() {
    let states: Vec<_> = records("sctp")
        .iter()
        .map(|it| it.state().unwrap())
        .collect();
    let expected = [Sctp::Established, Sctp::Established, Sctp::ShutdownReceived];
    assert_eq!(states, expected.map(State::Sctp));
}

#[test]
fn version_0_has_neither_timeout_nor_mark() {
    let records = records("old");
    assert!(records.iter().all(|it| (it.timeout, it.mark) == (0, 0)));
    let open = State::Tcp(Tcp::Established);
    let expected = [open, open, State::Assured, open, State::Udp];
    let states: Vec<_> = records.iter().map(|it| it.state().unwrap()).collect();
    assert_eq!(states, expected);
    assert_eq!(records[2].flags, Flags(0x1182));
}

#[test]
fn of_wrong_datagrams_is_taken_what_the_kernel_takes() {
    let receiver = Receiver {
        id: 43,
        ..Receiver::default()
    };
    assert_eq!(JUDGED.lines().count(), 63);
    for line in JUDGED.lines() {
        let mut words = line.split(' ');
        let name = words.next().unwrap();
        let datagram = bytes(words.next().expect("a case has a datagram"));
        let expected: BTreeSet<u16> = words.map(|word| word.parse().unwrap()).collect();
        let records = receiver.read(MASTER.into(), &datagram);
        let records = records.into_iter().flatten().flatten();
        let entries = records.filter_map(|record| Entry::try_from(record).ok());
        let taken: BTreeSet<_> = entries.map(|it| it.record().ports.client).collect();
        assert_eq!(taken, expected, "{name}");
    }
}
