//! Connections whose destination is of the other IP version are told to peers alone.

use std::time::Instant;

use rlvs_control::model::Tunnel;
use rlvs_control::{Change, ForwardingMethod, Protocol, ServiceKey};
use rlvs_engine::connection::{Meta, State};
use rlvs_engine::family::Endpoints;
use rlvs_engine::memory::Memory as Tables;
use rlvs_engine::table::{self, Seat};
use rlvs_engine::tuple::Packet;
use rlvs_engine::{FamilyTables, Tables as _, V4, V6};

use super::super::portrait::Audience;
use super::director::{Director, at, server, service};
use super::{CLIENT, MANNER, VIP};

const OTHER: &str = "[2001:db8::b]:80";
const OTHER_VIP: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const OTHER_CLIENT: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];

fn four() -> ServiceKey {
    at(Protocol::Tcp, "192.0.2.1:80")
}

fn six() -> ServiceKey {
    at(Protocol::Tcp, "[2001:db8::1]:80")
}

/// A service of either version, each with a real server of the other.
fn director() -> Director {
    let mut director = Director::empty();
    director.change(vec![
        Change::AddService(service(four(), false)),
        server(four(), OTHER, ForwardingMethod::Tunnel(Tunnel::Ipip)),
        Change::AddService(service(six(), false)),
        server(six(), "10.0.0.1:80", ForwardingMethod::Tunnel(Tunnel::Ipip)),
    ]);
    director
}

fn ends<F: Packet>(client: F::Address, virtual_address: F::Address) -> Endpoints<F> {
    Endpoints {
        client,
        virtual_address,
        client_port: [4, 0],
        virtual_port: [0, 80],
        protocol: 6,
    }
}

/// A packet of the client's begins a connection.
fn begin<F: Packet>(director: &Director, ends: &Endpoints<F>, number: u32)
where
    Tables: FamilyTables<F>,
{
    let meta = Meta::new(number, State::Established, 0);
    let now = director.tables.now();
    table::learn::<F, _>(&*director.tables, &F::key(ends), meta, now).unwrap();
}

/// Where the connection goes.
fn goes_to<F: Packet>(director: &Director, ends: &Endpoints<F>) -> Option<u32>
where
    Tables: FamilyTables<F>,
{
    let key = F::key(ends);
    let seat = table::locate::<F, _>(&*director.tables, &key, false, Seat::NONE)?;
    let slot = table::slot_at::<F, _>(&*director.tables, seat)?;
    Some(Meta(slot.meta.load()).destination())
}

#[test]
fn a_peer_has_them_at_the_same_destination() {
    let (a, mut b) = (director(), director().hearing_peers());
    let (ends4, ends6) = (ends::<V4>(CLIENT, VIP), ends::<V6>(OTHER_CLIENT, OTHER_VIP));
    let (to6, to4) = (a.number(four(), OTHER), a.number(six(), "10.0.0.1:80"));
    begin(&a, &ends4, to6);
    begin(&a, &ends6, to4);
    assert_eq!(a.tells(), [], "the protocol has no word for them");
    let told = a.tells_to(&MANNER, Audience::Peer);
    assert_eq!(told.len(), 2);
    assert_eq!(told[0].record.destination(), OTHER.parse().unwrap());
    for due in &told {
        b.learner.hear(due.record.clone(), due.idle, Instant::now());
    }
    assert_eq!(b.dropped(), []);
    assert_eq!(goes_to(&b, &ends4), Some(b.number(four(), OTHER)));
    assert_eq!(goes_to(&b, &ends6), Some(b.number(six(), "10.0.0.1:80")));

    let mut of_group = director();
    for due in told {
        of_group.hear(due.record);
    }
    let reason = "other-ip-version".to_owned();
    assert_eq!(of_group.dropped(), [(reason, 2)]);
}

/// Without it, the address in its place must not be taken for it.
#[test]
fn it_waits_for_its_destination() {
    let (a, mut b) = (director(), Director::empty().hearing_peers());
    let ends = ends::<V4>(CLIENT, VIP);
    begin(&a, &ends, a.number(four(), OTHER));
    b.change(vec![
        Change::AddService(service(four(), false)),
        server(
            four(),
            "10.0.0.1:80",
            ForwardingMethod::Tunnel(Tunnel::Ipip),
        ),
    ]);
    for due in a.tells_to(&MANNER, Audience::Peer) {
        b.learner.hear(due.record, due.idle, Instant::now());
    }
    assert_eq!((goes_to(&b, &ends), b.counts.waiting.get()), (None, 1));
    b.change(vec![server(
        four(),
        OTHER,
        ForwardingMethod::Tunnel(Tunnel::Ipip),
    )]);
    b.learner.follow(Instant::now());
    assert_eq!(goes_to(&b, &ends), Some(b.number(four(), OTHER)));
}
