//! Persistence by Call-ID, as a kernel's master tells it.

use rlvs_control::model::Persistence;
use rlvs_control::{Change, ForwardingMethod, Protocol, Service};
use rlvs_engine::family::Endpoints;
use rlvs_engine::{Family, FamilyTables, V4, call};
use rlvs_sync::{Engine, Flags, Record};

use super::director::{Director, at, http, server, service};
use super::{CLIENT, VIP, tcp};

const CALL: &[u8] = b"4711@client.example";

/// With two real servers for SIP, by Call-ID.
fn director() -> Director {
    let key = at(Protocol::Udp, "192.0.2.1:5060");
    let of_calls = service(key, true);
    let of_calls = Service {
        persistence: of_calls
            .persistence
            .map(|it| Persistence { timeout: 300, ..it }),
        persistence_engine: Some("sip".into()),
        ..of_calls
    };
    let mut director = Director::empty();
    let mut changes = vec![
        Change::AddService(of_calls),
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
    let sip = at(Protocol::Udp, "192.0.2.1:5060");
    let number = director.number(sip, "10.0.0.1:5060");
    let service = director.tables.destinations[number as usize].service.load();
    FamilyTables::<V4>::recall(&*director.tables, &key, call, service)
}

#[test]
fn a_call_goes_on_where_it_went() {
    let mut b = director();
    assert_eq!(goes_to(&b, CALL), None);
    b.hear(template());
    assert_eq!(b.dropped(), []);
    let sip = at(Protocol::Udp, "192.0.2.1:5060");
    assert_eq!(goes_to(&b, CALL), Some(b.number(sip, "10.0.0.1:5060")));
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
