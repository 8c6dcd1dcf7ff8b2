//! Persistence by Call-ID, as a kernel's master tells it, and as this director does.

use rlvs_control::model::{Family as IpVersion, Persistence};
use rlvs_control::{Change, ForwardingMethod, Protocol, Service, ServiceKey};
use rlvs_engine::family::Endpoints;
use rlvs_engine::memory::{Bytes, Memory};
use rlvs_engine::tuple::Packet;
use rlvs_engine::{Family, FamilyTables, V4, V6, call};
use rlvs_sync::{Addresses, Ends, Engine, Flags, Record};

use super::super::portrait::Audience;
use super::director::{Director, at, http, server, service};
use super::{CLIENT, MANNER, MARK, VIP, tcp};

const CALL: &[u8] = b"4711@client.example";

fn sip() -> ServiceKey {
    at(Protocol::Udp, "192.0.2.1:5060")
}

/// A service by Call-ID.
fn of_calls(key: ServiceKey) -> Change {
    let of_calls = service(key, true);
    Change::AddService(Service {
        persistence: of_calls
            .persistence
            .map(|it| Persistence { timeout: 300, ..it }),
        persistence_engine: Some("sip".into()),
        ..of_calls
    })
}

/// With two real servers for SIP, by Call-ID.
fn director() -> Director {
    let key = sip();
    let mut director = Director::empty();
    let mut changes = vec![
        of_calls(key),
        server(key, "10.0.0.1:5060", ForwardingMethod::Masquerade),
        server(key, "10.0.0.2:5060", ForwardingMethod::Masquerade),
    ];
    changes.extend(http());
    director.change(changes);
    director
}

/// The template of a call at the first real server.
fn template() -> Record {
    let mut record = tcp(0);
    record.protocol = 17;
    record.flags = Flags::TEMPLATE;
    record.timeout = 300;
    record.ports.virtual_port = 5060;
    record.ports.destination = 5060;
    record.engine = Engine::new(b"sip", CALL);
    record
}

/// Where a packet with this Call-ID goes, whoever sends it.
fn goes_to(director: &Director, call: &[u8]) -> Option<u32> {
    let key = V4::key(&Endpoints {
        client: [198, 51, 100, 9],
        virtual_address: VIP,
        client_port: [19, 196],
        virtual_port: 5060u16.to_be_bytes(),
        protocol: 17,
    });
    let call = call::told(&*director.tables, call);
    let number = director.number(sip(), "10.0.0.1:5060");
    let service = director.tables.destinations[number as usize].service.load();
    FamilyTables::<V4>::recall(&*director.tables, &key, call, service)
}

/// A client's packet begins a call at a real server.
fn begin<F: Packet>(director: &Director, ends: &Endpoints<F>, id: &[u8], destination: u32)
where
    Memory: FamilyTables<F>,
{
    let tables = &*director.tables;
    let mut message = b"INVITE sip:a SIP/2.0\r\nCall-ID: ".to_vec();
    message.extend(id);
    message.extend(b"\r\n\r\n");
    let call = call::call(&Bytes::received(message, 1), tables, 0);
    let service = tables.destinations[destination as usize].service.load();
    let begun = tables.remember(&F::key(ends), call, service, destination);
    assert_eq!(begun, Some(destination));
    tables.keep_call(&F::key(ends), call, service);
}

/// A client's packet to the virtual address.
fn ends() -> Endpoints<V4> {
    Endpoints {
        client: CLIENT,
        virtual_address: VIP,
        client_port: [19, 196],
        virtual_port: 5060u16.to_be_bytes(),
        protocol: 17,
    }
}

/// The same from the client's network, as the service's mask makes it.
fn of_network(record: Record, virtual_address: [u8; 4]) -> Record {
    Record {
        addresses: Addresses::V4(Ends {
            client: [203, 0, 113, 0].into(),
            virtual_address: virtual_address.into(),
            destination: [10, 0, 0, 1].into(),
        }),
        ..record
    }
}

fn records(director: &Director, audience: Audience) -> Vec<Record> {
    let told = director.tells_to(&MANNER, audience).into_iter();
    told.map(|due| due.record).collect()
}

#[test]
fn a_call_goes_on_where_it_went() {
    let mut b = director();
    assert_eq!(goes_to(&b, CALL), None);
    b.hear(template());
    assert_eq!(b.dropped(), []);
    assert_eq!(goes_to(&b, CALL), Some(b.number(sip(), "10.0.0.1:5060")));
    assert_eq!(goes_to(&b, b"another@client.example"), None);
    assert_ne!(CLIENT, [198, 51, 100, 9], "it is another client's");
}

#[test]
fn what_is_no_template_of_calls_is_not_taken() {
    let mut b = director();
    let mut connection = template();
    connection.flags = Flags(0);
    connection.state = 0;
    b.hear(connection);
    let mut elsewhere = tcp(0);
    elsewhere.flags = Flags::TEMPLATE;
    elsewhere.state = 0;
    elsewhere.engine = Engine::new(b"sip", CALL);
    b.hear(elsewhere);
    assert_eq!(b.dropped(), [("persistence-engine".to_owned(), 2)]);
}

/// As a kernel's master does: a kernel's backup compares the client's network, too.
#[test]
fn a_call_is_told_and_told_on() {
    for audience in [Audience::Group, Audience::Peer] {
        let (a, mut b, mut c) = (director(), director(), director());
        let number = a.number(sip(), "10.0.0.1:5060");
        begin(&a, &ends(), CALL, number);
        let told = records(&a, audience);
        let mut expected = of_network(template(), VIP);
        expected.flags = Flags::TEMPLATE.with(Flags::INACTIVE);
        expected.state = 0;
        assert_eq!(told, [expected]);
        assert_eq!(records(&a, audience), []);
        b.hear(told[0].clone());
        assert_eq!(goes_to(&b, CALL), Some(number));
        assert_eq!(goes_to(&b, b"another@client.example"), None);
        // Its packets come there now, and another is new.
        b.memory.forget(|_| true);
        let told_on = records(&b, audience);
        assert_eq!(told_on, told);
        c.hear(told_on[0].clone());
        assert_eq!(goes_to(&c, CALL), Some(number));
        for director in [&a, &b, &c] {
            assert_eq!(director.dropped(), []);
        }
    }
}

#[test]
fn a_call_by_a_mark_is_told() {
    let key = ServiceKey::Mark {
        family: IpVersion::Ipv4,
        mark: MARK,
    };
    let directors = || {
        let mut director = Director::empty();
        director.change(vec![
            of_calls(key),
            server(key, "10.0.0.1:0", ForwardingMethod::Masquerade),
            server(key, "10.0.0.2:0", ForwardingMethod::Masquerade),
        ]);
        director
    };
    let (a, mut b) = (directors(), directors());
    begin(&a, &ends(), CALL, a.number(key, "10.0.0.1:0"));
    let told = records(&a, Audience::Group);
    assert_eq!(told.len(), 1);
    let mut expected = of_network(template(), [0, 0, 0, MARK as u8]);
    (expected.flags, expected.state) = (told[0].flags, 0);
    (expected.protocol, expected.mark) = (0, MARK);
    (expected.ports.virtual_port, expected.ports.destination) = (0, 0);
    assert_eq!(told[0], expected);
    b.hear(told[0].clone());
    assert_eq!(b.dropped(), []);
    b.memory.forget(|_| true);
    assert_eq!(records(&b, Audience::Group), told);
}

#[test]
fn a_call_by_ipv6_is_told() {
    let key = at(Protocol::Udp, "[2001:db8::1]:5060");
    let directors = || {
        let mut director = Director::empty();
        let real = server(key, "[2001:db8::b]:5060", ForwardingMethod::Route);
        director.change(vec![of_calls(key), real]);
        director
    };
    let (a, mut b) = (directors(), directors());
    let vip: std::net::Ipv6Addr = "2001:db8::1".parse().unwrap();
    let ends = Endpoints::<V6> {
        client: [7; 16],
        virtual_address: vip.octets(),
        client_port: [19, 196],
        virtual_port: 5060u16.to_be_bytes(),
        protocol: 17,
    };
    begin(&a, &ends, CALL, a.number(key, "[2001:db8::b]:5060"));
    let told = records(&a, Audience::Group);
    let [record] = told.as_slice() else {
        panic!("{told:?}");
    };
    assert_eq!(record.client(), "[707:707:707:707::]:0".parse().unwrap());
    assert_eq!(record.engine, Engine::new(b"sip", CALL));
    b.hear(record.clone());
    assert_eq!(b.dropped(), []);
    b.memory.forget(|_| true);
    assert_eq!(records(&b, Audience::Group), told);
}

#[test]
fn a_call_that_is_forgotten_is_not_told() {
    let a = director();
    begin(&a, &ends(), CALL, a.number(sip(), "10.0.0.1:5060"));
    a.tables.call_ids.clear();
    assert_eq!(a.tells(), []);
    assert_eq!(a.dropped(), [], "it may be a moment too early");
    for _ in 0..2 {
        a.pass(2);
        assert_eq!(a.tells(), []);
        assert_eq!(a.dropped(), [("call-id-forgotten".to_owned(), 1)]);
    }
}

/// Nothing but their Call-IDs tells them apart.
#[test]
fn calls_wait_for_their_real_servers() {
    let mut b = Director::empty();
    let calls: [&[u8]; 2] = [CALL, b"4712@client.example"];
    for call in calls {
        let mut record = of_network(template(), VIP);
        record.engine = Engine::new(b"sip", call);
        b.hear(record);
    }
    assert_eq!(b.counts.waiting.get(), 2);
    let first = server(sip(), "10.0.0.1:5060", ForwardingMethod::Masquerade);
    b.change(vec![of_calls(sip()), first]);
    b.learner.follow(std::time::Instant::now());
    for call in calls {
        assert_eq!(goes_to(&b, call), Some(b.number(sip(), "10.0.0.1:5060")));
    }
}
