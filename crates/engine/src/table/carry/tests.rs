use super::*;
use crate::connection::Key;
use crate::destination::Destination;
use crate::family::{Endpoints, Family, V4};
use crate::forward::Method;
use crate::memory::{Memory, Sizes};
use crate::service::store_octets;
use rlvs_wire::protocol;

const SEEN: u32 = 5000;

fn tables(connections: u32) -> Memory {
    let tables = Memory::new(Sizes {
        connections,
        ..Sizes::default()
    });
    tables.destinations[1].flags.store(Destination::USED);
    tables
}

fn key(client: u16) -> KeyOf<V4> {
    V4::key(&Endpoints {
        client: [10, 0, 0, 2],
        client_port: client.to_be_bytes(),
        virtual_address: [10, 0, 0, 100],
        virtual_port: [0, 80],
        protocol: protocol::TCP,
    })
}

fn carried(client: u16, state: State) -> Carried<KeyOf<V4>> {
    Carried {
        key: key(client),
        meta: Meta::new(1, state, Meta::CONTROLLED | Meta::DISPLACED),
        seen: SEEN,
        children: 0,
        before: 0,
    }
}

fn slot(tables: &Memory, seat: Option<Seat>) -> &Slot<<V4 as Family>::Key> {
    slot_at::<V4, _>(tables, seat.unwrap()).unwrap()
}

#[test]
fn all_come_and_are_counted_once() {
    let tables = tables(2000);
    for _ in 0..2 {
        for client in 1..=1000 {
            let state = match client % 2 {
                0 => State::Established,
                _ => State::TimeWait,
            };
            let seat = carry::<V4, _>(&tables, &carried(client, state));
            let slot = slot(&tables, seat);
            let meta = Meta(slot.meta.load());
            assert_eq!((meta.state(), meta.destination()), (state, 1));
            assert!(meta.has(Meta::CONTROLLED));
            assert_eq!((slot.seen.load(), slot.key.load()), (SEEN, key(client)));
        }
        assert_eq!(tables.loads[1].counts(), (500, 500));
    }
    let displaced = tables.v4.buckets.iter().flat_map(|bucket| &bucket.slots);
    let displaced = displaced.filter(|slot| Meta(slot.meta.load()).has(Meta::DISPLACED));
    let counted: u64 = tables.v4.displaced.iter().map(|it| it.load()).sum();
    assert_eq!(displaced.count() as u64, counted);
}

#[test]
fn the_later_of_both_has_the_state() {
    let tables = tables(100);
    let seat = carry::<V4, _>(&tables, &carried(1, State::SynRecv));
    let later = Carried {
        seen: SEEN + 1,
        ..carried(1, State::FinWait)
    };
    assert_eq!(carry::<V4, _>(&tables, &later), seat);
    let slot = slot(&tables, seat);
    assert_eq!(Meta(slot.meta.load()).state(), State::FinWait);
    assert_eq!(tables.loads[1].counts(), (0, 1));
    slot.seen.store(SEEN + 2);
    let earlier = Carried {
        seen: SEEN + 1,
        ..carried(1, State::Established)
    };
    carry::<V4, _>(&tables, &earlier);
    assert_eq!(Meta(slot.meta.load()).state(), State::FinWait);
    assert_eq!(slot.seen.load(), SEEN + 2);
}

#[test]
fn within_a_tick_the_further_state_counts() {
    let tables = tables(100);
    let seat = carry::<V4, _>(&tables, &carried(1, State::SynRecv));
    for (told, then) in [
        (State::Established, State::Established),
        (State::SynRecv, State::Established),
        (State::FinWait, State::FinWait),
        (State::Established, State::FinWait),
    ] {
        carry::<V4, _>(&tables, &carried(1, told));
        let meta = Meta(slot(&tables, seat).meta.load());
        assert_eq!(meta.state(), then);
    }
    assert_eq!(tables.loads[1].counts(), (0, 1));
}

#[test]
fn a_template_gets_the_children_that_came_since() {
    let tables = tables(100);
    let mut template = carried(0, State::Template);
    template.children = 3;
    let seat = carry::<V4, _>(&tables, &template);
    (template.before, template.children) = (3, 5);
    template.seen += 1;
    template.meta = template.meta.with_state(State::Assured);
    carry::<V4, _>(&tables, &template);
    let slot = slot(&tables, seat);
    assert_eq!(slot.children.load(), 5);
    assert_eq!(Meta(slot.meta.load()).state(), State::Assured);
    assert_eq!(tables.loads[1].persistent.load(), 1);
    assert_eq!(tables.loads[1].counts(), (0, 0));
}

#[test]
fn where_there_is_no_room_nothing_else_goes() {
    let tables = tables(1);
    let came = (1..=100)
        .filter(|&client| carry::<V4, _>(&tables, &carried(client, State::Established)).is_some())
        .count();
    assert!(came < 100);
    assert_eq!(tables.loads[1].counts(), (came as u32, 0));
}

/// Live entries, and how many connections destinations 1 and 2 have.
fn census(tables: &Memory) -> (usize, [(u32, u32); 2]) {
    let slots = tables.v4.buckets.iter().flat_map(|bucket| &bucket.slots);
    let live = slots.filter(|slot| Meta(slot.meta.load()).is_live());
    (live.count(), [1, 2].map(|it| tables.loads[it].counts()))
}

#[test]
fn a_port_that_came_again_is_another_connection() {
    let tables = tables(100);
    tables.destinations[2].flags.store(Destination::USED);
    carry::<V4, _>(&tables, &carried(1, State::TimeWait));
    let mut again = carried(1, State::Established);
    again.meta = Meta::new(2, State::Established, 0);
    // Packets here were later: they have made of it what it is.
    again.seen = SEEN - 1;
    carry::<V4, _>(&tables, &again);
    assert_eq!(census(&tables), (1, [(0, 1), (0, 0)]));
    again.seen = SEEN + 1;
    for _ in 0..2 {
        let seat = carry::<V4, _>(&tables, &again);
        let meta = Meta(slot(&tables, seat).meta.load());
        assert_eq!((meta.destination(), meta.state()), (2, State::Established));
        assert_eq!(census(&tables), (1, [(0, 0), (1, 0)]));
    }
}

#[test]
fn a_template_of_another_destination_has_its_own_connections() {
    let tables = tables(100);
    tables.destinations[2].flags.store(Destination::USED);
    let mut template = carried(0, State::Template);
    template.children = 3;
    carry::<V4, _>(&tables, &template);
    template.meta = Meta::new(2, State::Template, 0);
    template.seen += 1;
    (template.before, template.children) = (3, 1);
    let seat = carry::<V4, _>(&tables, &template);
    assert_eq!(slot(&tables, seat).children.load(), 1);
    assert_eq!([1, 2].map(|it| tables.loads[it].persistent.load()), [0, 1]);
}

const LOCAL: [u8; 4] = [10, 0, 0, 5];
const REAL: [u8; 4] = [10, 0, 1, 11];

/// A connection by full NAT with its local port, and the way of its answers.
fn full_nat(tables: &Memory, client: u16, port: u16, seen: u32) -> (Seat, Seat) {
    let lease = Lease::new(3, port);
    let connection = Carried {
        seen,
        children: lease.0,
        ..carried(client, State::Established)
    };
    let seat = carry::<V4, _>(tables, &connection).unwrap();
    let way = Carried {
        key: V4::key(&Endpoints {
            client: LOCAL,
            client_port: port.to_be_bytes(),
            virtual_address: REAL,
            virtual_port: [0, 80],
            protocol: protocol::TCP,
        }),
        meta: Meta::new(1, State::Reverse, 0),
        seen: u32::from(client),
        children: seat.0,
        before: 0,
    };
    (seat, carry::<V4, _>(tables, &way).unwrap())
}

fn tables_of_full_nat() -> Memory {
    let tables = tables(100);
    let record = &tables.destinations[1];
    let flags = Destination::with_method(Method::FullNat);
    record.flags.store(Destination::USED | flags);
    store_octets(&record.address, V4::octets(REAL));
    record.port.store(80);
    store_octets(&tables.locals[3].address, V4::octets(LOCAL));
    tables
}

/// Whether the answers' way leads to the connection, and no other does.
fn leads(tables: &Memory, (seat, way): (Seat, Seat)) -> bool {
    let way = slot_at::<V4, _>(tables, way).unwrap();
    let client = client_of::<V4, _>(tables, way, 1).unwrap();
    std::ptr::eq(client, slot_at::<V4, _>(tables, seat).unwrap())
}

#[test]
fn a_port_that_came_again_has_another_local_end() {
    let tables = tables_of_full_nat();
    let before = full_nat(&tables, 1, 5000, SEEN);
    assert!(leads(&tables, before));
    assert_eq!(census(&tables), (2, [(1, 0), (0, 0)]));
    let after = full_nat(&tables, 1, 5001, SEEN + 1);
    assert!(leads(&tables, after));
    assert_eq!(census(&tables), (2, [(1, 0), (0, 0)]));
}

#[test]
fn a_local_end_that_another_client_has_is_taken_from_the_first() {
    let tables = tables_of_full_nat();
    full_nat(&tables, 1, 5000, SEEN);
    for _ in 0..2 {
        let after = full_nat(&tables, 2, 5000, SEEN + 1);
        assert!(leads(&tables, after));
        assert_eq!(census(&tables), (2, [(1, 0), (0, 0)]));
        assert_eq!(slot(&tables, Some(after.1)).seen.load(), 2);
    }
}
