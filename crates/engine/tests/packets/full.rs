//! A connection table without room: what goes, what stays, and who is served without an entry.

use std::sync::OnceLock;

use rlvs_engine::connection::{Meta, State, WAYS};
use rlvs_engine::family::{Endpoints, Family};
use rlvs_engine::memory::Sizes;
use rlvs_engine::reason::Event;
use rlvs_engine::schedule::Scheduler;
use rlvs_engine::table::{CHOICES, Inserted, SWEEP_GRACE, add_if_room};
use rlvs_engine::{Reason, V4};
use rlvs_testing::Packet;
use rlvs_testing::packet::{ACK, FIN, RST, SYN, TCP};

use crate::plane::{Plane, client, vip};

/// Slots of the smallest table.
const SLOTS: usize = CHOICES as usize * WAYS;

fn small() -> Plane {
    let plane = Plane::of(Sizes {
        connections: 1,
        ..Sizes::default()
    });
    plane.service(0, vip(80), TCP, Scheduler::Rr);
    plane.members(0, &[(1, 1), (1, 2), (1, 3)]);
    assert_eq!(plane.memory.v4.buckets.len() * WAYS, SLOTS);
    plane
}

/// Clients whose connections may lie anywhere in the smallest table, so that it is full for them
/// only when all of it is.
fn clients(count: usize) -> &'static [u16] {
    static ALL: OnceLock<Vec<u16>> = OnceLock::new();
    let all = ALL.get_or_init(|| (0..4000).filter(|&it| reaches_every_bucket(it)).collect());
    &all[..count]
}

fn reaches_every_bucket(number: u16) -> bool {
    let key = V4::key(&Endpoints {
        client: [198, 51, 100, 1],
        virtual_address: [192, 0, 2, 80],
        client_port: client(number).port().to_be_bytes(),
        virtual_port: 80u16.to_be_bytes(),
        protocol: TCP,
    });
    let taken = Meta::new(1, State::Established, 0);
    (0..CHOICES as usize).all(|free| {
        let plane = small();
        let buckets = plane.memory.v4.buckets.iter().enumerate();
        for (_, bucket) in buckets.filter(|&(index, _)| index != free) {
            bucket
                .slots
                .iter()
                .for_each(|slot| slot.meta.store(taken.0));
        }
        matches!(
            add_if_room::<V4, _>(&plane.memory, &key, taken),
            Inserted::New(_)
        )
    })
}

/// A full table: each client's connection with these flags, a tick apart.
fn full(flags: impl Fn(usize) -> &'static [u8]) -> Plane {
    let plane = small();
    for (place, &number) in clients(SLOTS).iter().enumerate() {
        plane.tcp(number, &[SYN, ACK]);
        plane.pass_ticks(1);
        assert_eq!(plane.entries().len(), place + 1);
    }
    for (place, &number) in clients(SLOTS).iter().enumerate() {
        plane.tcp(number, flags(place));
        plane.pass_ticks(1);
    }
    assert_eq!(
        (plane.entries().len(), plane.memory.noted(Event::Evicted)),
        (SLOTS, 0)
    );
    plane
}

/// Which of the first clients are no longer in the table.
fn gone(plane: &Plane) -> Vec<usize> {
    let entries = plane.entries();
    let is_gone = |number| !entries.iter().any(|&(it, ..)| it == client(number));
    (0..SLOTS)
        .filter(|&place| is_gone(clients(SLOTS)[place]))
        .collect()
}

const CLOSING: &[u8] = &[FIN | ACK];
const OPEN: &[u8] = &[ACK];
/// Begun anew, and so half-open.
const HALF_OPEN: &[u8] = &[RST, SYN];

#[test]
fn every_slot_can_be_used_and_given_back() {
    let plane = full(|_| OPEN);
    for &number in clients(SLOTS) {
        assert!(plane.tcp(number, &[ACK]).is_some());
    }
    plane.pass_seconds(901);
    plane.pass_ticks(SWEEP_GRACE);
    assert_eq!(plane.sweep(), SLOTS);
    plane.assert_empty();
}

#[test]
fn expired_goes_before_half_open_before_closing() {
    let plane = full(|place| match place {
        3 => &[RST],
        20 | 9 => HALF_OPEN,
        5 | 14 => CLOSING,
        _ => OPEN,
    });
    // Only what was closed is over.
    plane.pass_seconds(12);
    let order = [3, 9, 20, 5, 14];
    for (count, &number) in clients(SLOTS + 5)[SLOTS..].iter().enumerate() {
        assert!(plane.tcp(number, &[SYN, ACK]).is_some());
        let mut expected = order[..=count].to_vec();
        expected.sort_unstable();
        assert_eq!(gone(&plane), expected);
        assert_eq!(plane.state(number), Some(State::Established));
    }
    assert_eq!(
        (
            plane.memory.noted(Event::Evicted),
            plane.memory.noted(Event::Stateless)
        ),
        (5, 0)
    );
    let counts = (1..=3).map(|number| plane.counts(number));
    assert_eq!(
        counts
            .map(|(active, inactive)| active + inactive)
            .sum::<u32>(),
        SLOTS as u32
    );
}

#[test]
fn established_connections_are_never_given_up() {
    let plane = full(|_| OPEN);
    let before = plane.entries();
    for number in 5000..5200 {
        let to = plane.tcp(number, &[SYN]);
        assert!(to.is_some(), "nobody is refused");
        for _ in 0..3 {
            assert_eq!(plane.tcp(number, &[ACK, ACK]), to, "client {number} stays");
        }
        assert_eq!(plane.tcp(number, &[FIN | ACK]), to);
    }
    assert_eq!(plane.entries(), before);
    assert_eq!(plane.memory.noted(Event::Stateless), 200 * 8);
    assert_eq!(plane.memory.noted(Event::Evicted), 0);
    let connections: u64 = (1..=3).map(|number| plane.counted(number).0).sum();
    let packets: u64 = (1..=3).map(|number| plane.counted(number).1).sum();
    assert_eq!(
        connections, SLOTS as u64,
        "connections are what has an entry"
    );
    assert_eq!(packets, 3 * SLOTS as u64 + 200 * 8);
}

#[test]
fn without_an_entry_clients_are_spread_over_destinations() {
    let plane = full(|_| OPEN);
    plane.members(0, &[(1, 1), (0, 2), (1, 3)]);
    let mut to = [0; 4];
    for number in 5000..6000 {
        to[plane.tcp(number, &[SYN]).unwrap() as usize] += 1;
    }
    assert_eq!((to[0], to[2]), (0, 0));
    assert!(to[1] > 250 && to[3] > 250, "{to:?}");
}

#[test]
fn an_entry_is_made_as_soon_as_there_is_room() {
    let plane = full(|_| OPEN);
    let newcomer = clients(SLOTS + 1)[SLOTS];
    let to = plane.tcp(newcomer, &[SYN, ACK]);
    assert_eq!(plane.state(newcomer), None);
    plane.tcp(clients(SLOTS)[7], &[RST]);
    assert_eq!(plane.tcp(newcomer, &[ACK]), to);
    assert_eq!(
        plane.state(newcomer),
        Some(State::Established),
        "in place of a closed one"
    );
    assert_eq!(gone(&plane), [7]);
    // And it is a connection like any other now.
    assert_eq!(plane.tcp(newcomer, &[FIN | ACK]), to);
    assert_eq!(plane.state(newcomer), Some(State::FinWait));
}

#[test]
fn strays_are_only_taken_while_connections_without_an_entry_may_live() {
    let plane = full(|_| OPEN);
    let stray = |number| {
        plane
            .send(&Packet::tcp(client(number), vip(80), ACK))
            .reason
    };
    assert_eq!(stray(7000), Some(Reason::NoConnection));
    plane.tcp(7001, &[SYN]);
    assert_eq!(stray(7000), None);
    plane.pass_seconds(902);
    assert_eq!(stray(7000), Some(Reason::NoConnection));
}

/// The time of the last connection without an entry does not wrap around with the clock.
#[test]
fn a_table_that_was_full_long_ago_takes_no_strays() {
    let plane = full(|_| OPEN);
    plane.tcp(7001, &[SYN]);
    plane.pass_seconds(1000);
    plane.pass_ticks(SWEEP_GRACE);
    assert_eq!(plane.sweep(), SLOTS);
    for _ in 0..50 * 48 {
        plane.pass_seconds(1800);
        plane.sweep();
        let stray = Packet::tcp(client(7000), vip(80), ACK);
        assert_eq!(plane.send(&stray).reason, Some(Reason::NoConnection));
    }
}

#[test]
fn persistence_yields_to_connections_when_there_is_no_room() {
    let plane = small();
    plane.persistent(0, 360, [255; 16]);
    for number in 0..200 {
        let from = std::net::SocketAddr::from(([198, 51, 100, number as u8], 1000));
        let to = plane.send(&Packet::tcp(from, vip(80), SYN)).to();
        assert!(to.is_some());
        assert!(plane.send(&Packet::tcp(from, vip(80), ACK)).to().is_some());
    }
    plane.pass_seconds(2000);
    // Templates end after the connections that they wait for.
    plane.sweep();
    plane.sweep();
    plane.assert_empty();
}
