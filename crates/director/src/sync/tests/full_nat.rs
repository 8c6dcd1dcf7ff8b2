//! Connections by full NAT are told to peers with their local ends.

use std::time::Instant;

use rlvs_control::{Change, ForwardingMethod, Protocol, ServiceKey};
use rlvs_engine::connection::{Meta, State};
use rlvs_engine::lease::{Beginning, Lease};
use rlvs_engine::table::{self, Seat, slot_at};
use rlvs_engine::{FamilyTables, Tables as _, V4};
use rlvs_sync::{LocalEnd, Record};

use super::super::portrait::Audience;
use super::director::{Director, at, key, server, service};
use super::{MANNER, tcp};

const BEGINS: u32 = 0xffff_fff0;

fn https() -> ServiceKey {
    at(Protocol::Tcp, "192.0.2.1:80")
}

fn local(address: &str) -> Change {
    Change::AddLocalAddress {
        service: https(),
        address: address.parse().unwrap(),
    }
}

/// Who hears peers, with these local addresses, in this order.
fn director(locals: &[&str]) -> Director {
    director_of_group(locals).hearing_peers()
}

/// Who hears the group.
fn director_of_group(locals: &[&str]) -> Director {
    let mut director = Director::empty();
    let mut changes = vec![Change::AddService(service(https(), false))];
    changes.extend(locals.iter().map(|it| local(it)));
    changes.push(server(https(), "10.0.0.1:8080", ForwardingMethod::FullNat));
    director.change(changes);
    director
}

/// A packet of the client's begins a connection by full NAT.
fn begin(director: &Director, client_port: u16) -> Seat {
    begin_at(director, client_port, BEGINS)
}

/// With this sequence number.
fn begin_at(director: &Director, client_port: u16, begins: u32) -> Seat {
    let seat = director.begin(client_port, State::Established);
    let (tables, key, number) = (&*director.tables, key(client_port), director.http());
    let taken = FamilyTables::<V4>::take(tables, &key, number);
    let lease = FamilyTables::<V4>::bind(tables, &key, taken);
    assert!(!lease.is_none());
    FamilyTables::<V4>::beginning(tables, &key, (number, lease), Beginning::new(begins));
    seat
}

fn lease(director: &Director, client_port: u16) -> Lease {
    let slot = slot_at::<V4, _>(&*director.tables, director.seat(client_port).unwrap());
    Lease(slot.unwrap().children.load())
}

/// What stands for the client, as others know it.
fn local_end(director: &Director, client_port: u16) -> Option<LocalEnd> {
    director.memory.forget(|_| true);
    let told = director.tells_to(&MANNER, Audience::Peer);
    let mut records = told.into_iter().map(|due| due.record);
    let record = records.find(|it| it.ports.client == client_port)?;
    record.local
}

fn hear_all(from: &Director, to: &mut Director) {
    from.memory.forget(|_| true);
    for due in from.tells_to(&MANNER, Audience::Peer) {
        to.learner.hear(due.record, due.idle, Instant::now());
    }
}

#[test]
fn a_peer_has_the_same_local_end() {
    let a = director(&["10.0.0.200", "10.0.0.201"]);
    let mut b = director(&["10.0.0.201", "10.0.0.200"]);
    for port in 1..=50 {
        begin(&a, port);
    }
    let told = slot_at::<V4, _>(&*a.tables, a.seat(7).unwrap()).unwrap();
    told.meta.store(Meta(told.meta.load()).with(Meta::TOLD).0);
    hear_all(&a, &mut b);
    assert_eq!(b.dropped(), []);
    assert_eq!(b.loads(b.http()), (50, 0, 0));
    for port in 1..=50 {
        let there = local_end(&a, port).unwrap();
        assert_eq!(local_end(&b, port), Some(there));
        assert_eq!((there.begins, there.is_told), (BEGINS, port == 7));
    }
    // The real server's answers find their connections.
    let reverse = b.tables.v4.buckets.iter().flat_map(|it| &it.slots);
    let reverse: Vec<_> = reverse
        .filter(|it| Meta(it.meta.load()).state() == State::Reverse)
        .collect();
    assert_eq!(reverse.len(), 50);
    for slot in reverse {
        let client = rlvs_engine::lease::client_of::<V4, _>(&*b.tables, slot, b.http());
        assert!(client.is_some());
    }
}

#[test]
fn what_others_have_is_not_given_out() {
    let a = director(&["10.0.0.200"]);
    let mut b = director(&["10.0.0.200"]);
    begin(&a, 1001);
    hear_all(&a, &mut b);
    let number = lease(&b, 1001);
    let reverse = |lease| {
        FamilyTables::<V4>::beginning(&*b.tables, &key(2), (b.http(), lease), Beginning::NONE)
    };
    assert_ne!(reverse(number), Beginning::NONE, "it is taken");
    // Another connection is told with the same: the first one has it.
    let Some(end) = local_end(&a, 1001) else {
        panic!("it is told");
    };
    let other = Record {
        local: Some(end),
        ..tcp(1002)
    };
    b.hear(other.clone());
    assert_eq!(b.dropped(), [("local-end-taken".to_owned(), 1)]);
    assert_eq!(b.found(1002), None);
    // When that is over, it is free.
    let context = rlvs_engine::tables::Context::new(&*b.tables).unwrap();
    let slot = slot_at::<V4, _>(&*b.tables, b.seat(1001).unwrap()).unwrap();
    b.pass(1000);
    let context = rlvs_engine::tables::Context {
        now: b.tables.now(),
        ..context
    };
    assert!(table::sweep::<V4, _>(context, slot));
    b.hear(other);
    assert_eq!(local_end(&b, 1002), Some(end));
}

/// Both have begun the same connection: the real server knows that of the later one.
#[test]
fn the_later_director_s_end_counts() {
    let a = director(&["10.0.0.200"]);
    let mut b = director(&["10.0.0.201", "10.0.0.200"]);
    begin(&b, 1001);
    b.pass(100);
    begin(&a, 1001);
    hear_all(&a, &mut b);
    assert_eq!(b.dropped(), []);
    assert_eq!(local_end(&b, 1001), local_end(&a, 1001));
    assert_eq!(b.loads(b.http()), (1, 0, 0));
}

/// The client has its port again, and the real server is told of it anew.
#[test]
fn a_later_connection_of_the_same_port_begins_elsewhere() {
    let a = director(&["10.0.0.200"]);
    let mut b = director(&["10.0.0.200"]);
    let seat = begin(&a, 1001);
    let told = slot_at::<V4, _>(&*a.tables, seat).unwrap();
    told.meta.store(Meta(told.meta.load()).with(Meta::TOLD).0);
    hear_all(&a, &mut b);
    assert!(local_end(&b, 1001).unwrap().is_told);
    let first = lease(&b, 1001);
    FamilyTables::<V4>::end(&*a.tables, &key(1001));
    a.pass(3);
    b.pass(3);
    begin_at(&a, 1001, 5_000);
    hear_all(&a, &mut b);
    assert_eq!(b.dropped(), []);
    let end = local_end(&b, 1001).unwrap();
    assert_eq!((end.begins, end.is_told), (5_000, false));
    assert_eq!(lease(&b, 1001), first);
    assert_eq!(b.loads(b.http()), (1, 0, 0));
}

/// Whoever reaches the group could take all local ends.
#[test]
fn a_group_is_not_believed() {
    let a = director(&["10.0.0.200"]);
    begin(&a, 1001);
    let mut b = director_of_group(&["10.0.0.200"]);
    hear_all(&a, &mut b);
    assert_eq!(b.dropped(), [("other-method".to_owned(), 1)]);
    let end = local_end(&a, 1001).unwrap();
    let mut c = director(&["10.0.0.200"]);
    for (address, port) in [("10.0.0.200", 80), ("fd00::200", 2000)] {
        let local = LocalEnd {
            address: address.parse().unwrap(),
            port,
            ..end
        };
        let record = Record {
            local: Some(local),
            ..tcp(1002)
        };
        c.learner.hear(record, 0, Instant::now());
    }
    assert_eq!(c.dropped(), [("local-end-unfit".to_owned(), 2)]);
    assert_eq!(c.found(1002), None);
}

#[test]
fn without_the_local_address_it_waits() {
    let a = director(&["10.0.0.200"]);
    let mut b = director(&["10.0.0.201"]);
    begin(&a, 1001);
    hear_all(&a, &mut b);
    assert_eq!((b.found(1001), b.counts.waiting.get()), (None, 1));
    b.change(vec![local("10.0.0.200")]);
    b.learner.follow(Instant::now());
    assert_eq!(b.counts.waiting.get(), 0);
    assert_eq!(local_end(&b, 1001), local_end(&a, 1001));
}

#[test]
fn kernels_are_not_told_and_other_methods_are_not_taken() {
    let a = director(&["10.0.0.200"]);
    begin(&a, 1001);
    assert_eq!(a.tells(), []);
    let mut b = Director::new();
    hear_all(&a, &mut b);
    let mut c = director(&["10.0.0.200"]);
    c.hear(tcp(1001));
    for it in [&b, &c] {
        assert_eq!(it.found(1001), None);
        assert_eq!(it.dropped(), [("other-method".to_owned(), 1)]);
    }
}
