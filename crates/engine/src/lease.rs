//! Full NAT's local ends: which of the director's addresses and ports stands for a client.
//!
//! A connection by full NAT has two entries in the connection table. One is the client's, as with
//! every method. The other, of the state [`State::Reverse`], is keyed by what the real server sees:
//! the local address and port as client, the real server as virtual end. That both may not exist
//! twice is what allots ports: who inserts the reverse entry has the port, and two CPUs cannot.
//! One address has 64,000 connections with each port of each real server.

use rlvs_word::{Shared32, Shared64};

use crate::connection::{Key, Meta, Slot, State};
use crate::destination::Destination;
use crate::family::{Endpoints, Family, mix};
use crate::reason::Reason;
use crate::table::{self, Seat};
use crate::tables::{Context, FamilyTables, KeyOf};
use crate::tuple::Packet;

/// A local end in one word: the address's number (16 bits) and the port (16 bits). 0 is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lease(pub u32);

impl Lease {
    pub const NONE: Self = Self(0);

    #[inline(always)]
    pub const fn new(local: u32, port: u16) -> Self {
        Self(local << 16 | port as u32)
    }

    #[inline(always)]
    pub const fn local(self) -> u32 {
        self.0 >> 16
    }

    /// In network byte order.
    #[inline(always)]
    pub const fn port(self) -> [u8; 2] {
        (self.0 as u16).to_be_bytes()
    }

    #[inline(always)]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }
}

/// One of the director's addresses that stand for clients; its place in the table is its number.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Local {
    /// As [`Destination::address`].
    pub address: [Shared64; 2],
    pub flags: Shared32,
    pub reserved: Shared32,
    /// How often a port was wanted that was taken.
    pub conflicts: Shared64,
}

const _: () = assert!(size_of::<Local>() == 32);

impl Local {
    /// The record is taken: by a service, or by connections that live.
    pub const USED: u32 = 1;
    pub const IPV6: u32 = 2;

    /// Addresses in the table; a [`Lease`] has room for more.
    pub const MOST: u32 = 4096;
}

/// Where the numbers of a service's local addresses lie in the node table: base (32 bits) and how
/// many (32 bits).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Pool(pub u64);

impl Pool {
    pub const fn new(base: u32, count: u32) -> Self {
        Self(base as u64 | (count as u64) << 32)
    }

    #[inline(always)]
    pub const fn base(self) -> u32 {
        self.0 as u32
    }

    #[inline(always)]
    pub const fn count(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// What [`take`] gives, in one register: a lease above the seat of its reverse entry, or no lease
/// above the reason.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Taken(pub u64);

impl Taken {
    #[inline(always)]
    const fn new(lease: Lease, seat: Seat) -> Self {
        Self((lease.0 as u64) << 32 | seat.0 as u64)
    }

    #[inline(always)]
    pub const fn failed(reason: Reason) -> Self {
        Self(reason as u64)
    }

    #[inline(always)]
    pub const fn lease(self) -> Lease {
        Lease((self.0 >> 32) as u32)
    }

    #[inline(always)]
    pub const fn seat(self) -> Seat {
        Seat(self.0 as u32)
    }

    #[inline(always)]
    pub const fn reason(self) -> Reason {
        Reason::from_bits(self.0 as u8)
    }

    /// Whether another place may be free.
    #[inline(always)]
    fn is_elsewhere(self) -> bool {
        let here = self.0;
        here == Reason::NoLocalPort as u64 || here == Reason::TableFull as u64
    }
}

/// Ports from here on are given out.
pub const FIRST_PORT: u16 = 1025;
const PORTS: u64 = u16::MAX as u64 - FIRST_PORT as u64 + 1;

/// Local ends that are tried: with nine in ten ports taken, one connection in a thousand finds none.
const TRIES: u32 = 64;

/// Takes a local end for a new connection. Its client always begins with the same one, so that a
/// port that it uses again is used again towards the real server as well.
#[inline(always)]
pub fn take<F: Packet, T: FamilyTables<F>>(tables: &T, client: &KeyOf<F>, number: u32) -> Taken {
    let Some(context) = Context::new(tables) else {
        return Taken::failed(Reason::Internal);
    };
    let mut hash = F::hash(client, context.settings.seed.load());
    let mut taken = Taken::failed(Reason::NoLocalPort);
    let mut tries = 0;
    while tries < TRIES && taken.is_elsewhere() {
        hash = mix(hash.wrapping_add(1));
        taken = tables.attempt(client, number, hash);
        tries += 1;
    }
    taken
}

/// Tries the local end that a hash names.
#[inline(always)]
pub fn attempt<F: Packet, T: FamilyTables<F>>(
    tables: &T,
    client: &KeyOf<F>,
    number: u32,
    hash: u64,
) -> Taken {
    let Some(record) = tables.destination(number) else {
        return Taken::failed(Reason::Internal);
    };
    let Some(service) = tables.service_at(record.service.load()) else {
        return Taken::failed(Reason::Internal);
    };
    let pool = service.pool();
    if pool.count() == 0 {
        return Taken::failed(Reason::NoLocalAddress);
    }
    let place = (hash >> 32).wrapping_mul(pool.count() as u64) >> 32;
    let local = tables.node(pool.base().wrapping_add(place as u32));
    let number_of_local = local.map_or(0, |node| node.load() as u32);
    let Some(local) = tables.local(number_of_local) else {
        return Taken::failed(Reason::Internal);
    };
    let port = FIRST_PORT.wrapping_add(((hash & 0xffff).wrapping_mul(PORTS) >> 16) as u16);
    let key = key::<F>(client, local, port.to_be_bytes(), record);
    let spot = tables.insert(&key, Meta::new(number, State::Reverse, 0));
    if spot.is_new() && tables.is_only(&key, spot.seat()) {
        return Taken::new(Lease::new(number_of_local, port), spot.seat());
    }
    local.conflicts.add(1);
    Taken::failed(match spot.is_none() {
        true => Reason::TableFull,
        false => Reason::NoLocalPort,
    })
}

/// Takes the local end that a connection has at another director. None if another connection has it, or
/// there is no room.
pub fn claim<F: Packet, T: FamilyTables<F>>(
    tables: &T,
    client: &KeyOf<F>,
    number: u32,
    lease: Lease,
) -> Option<Taken> {
    let record = tables.destination(number)?;
    let key = key::<F>(client, tables.local(lease.local())?, lease.port(), record);
    if let Some(seat) = table::locate::<F, T>(tables, &key, true, Seat::NONE) {
        let slot = table::slot_at::<F, T>(tables, seat)?;
        // What the sweep has found without a connection may be of an earlier one with the same ends.
        let is_left = Meta(slot.meta.load()).has(Meta::ORPHAN)
            && client_of::<F, T>(tables, slot, number).is_none();
        if !is_left {
            return None;
        }
        end_reverse::<F, T>(tables, slot);
    }
    let spot = tables.insert(&key, Meta::new(number, State::Reverse, 0));
    let is_ours = spot.is_new() && tables.is_only(&key, spot.seat());
    is_ours.then(|| Taken::new(lease, spot.seat()))
}

/// Whether no other reverse entry than that at `seat` has this key; else that one ends. An older one
/// may lie behind a slot that was free just now, and another CPU may be inserting the same key: then
/// at least one of the two sees the other's.
#[inline(always)]
pub fn is_only<F: Packet, T: FamilyTables<F>>(tables: &T, key: &KeyOf<F>, seat: Seat) -> bool {
    if table::locate::<F, T>(tables, key, true, seat).is_none() {
        return true;
    }
    if let Some(slot) = table::slot_at::<F, T>(tables, seat) {
        end_reverse::<F, T>(tables, slot);
    }
    false
}

/// Gives the connection what was taken for it, and its answers the way to it. Another CPU may have
/// been faster: then it has what that one took.
#[inline(always)]
pub fn bind<F: Packet, T: FamilyTables<F>>(tables: &T, client: &KeyOf<F>, taken: Taken) -> Lease {
    let Some(reverse) = table::slot_at::<F, T>(tables, taken.seat()) else {
        return Lease::NONE;
    };
    let seat = table::locate::<F, T>(tables, client, false, Seat::NONE);
    let slot = seat.and_then(|seat| table::slot_at::<F, T>(tables, seat));
    if let (Some(seat), Some(slot)) = (seat, slot) {
        // Before the client's packet goes: the answer may be here before this function is over.
        reverse.children.store(seat.0);
        if slot.children.replace(Lease::NONE.0, taken.lease().0) {
            return taken.lease();
        }
    }
    end_reverse::<F, T>(tables, reverse);
    slot.map_or(Lease::NONE, |slot| Lease(slot.children.load()))
}

/// Gives back the local end of a connection that has ended, or did not come to be.
#[inline(always)]
pub fn give_back<F: Packet, T: FamilyTables<F>>(
    tables: &T,
    client: &KeyOf<F>,
    number: u32,
    lease: Lease,
) {
    if let Some(slot) = reverse::<F, T>(tables, client, number, lease) {
        end_reverse::<F, T>(tables, slot);
    }
}

#[inline(always)]
fn end_reverse<F: Packet, T: FamilyTables<F>>(tables: &T, slot: &Slot<F::Key>) {
    let meta = Meta(slot.meta.load());
    if meta.state() as u8 == State::Reverse as u8 {
        table::release_alone::<F, T>(tables, table::Entry { slot, meta });
    }
}

/// Where a client's stream begins: the sequence number of its first byte. Kept in the reverse entry,
/// for the connection's own has no room; `first`, if it is given, is to be kept from now on.
#[inline(always)]
pub fn beginning<F: Packet, T: FamilyTables<F>>(
    tables: &T,
    client: &KeyOf<F>,
    (number, lease): (u32, Lease),
    first: Beginning,
) -> Beginning {
    let Some(slot) = reverse::<F, T>(tables, client, number, lease) else {
        return Beginning::NONE;
    };
    if first != Beginning::NONE {
        slot.seen.store(first.0 as u32);
    }
    Beginning::new(slot.seen.load())
}

/// A sequence number, or none, in one register.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Beginning(pub u64);

impl Beginning {
    pub const NONE: Self = Self(0);

    #[inline(always)]
    pub const fn new(sequence: u32) -> Self {
        Self(sequence as u64 | 1 << 32)
    }

    #[inline(always)]
    pub fn sequence(self) -> Option<u32> {
        (self != Self::NONE).then_some(self.0 as u32)
    }
}

/// The reverse entry of a connection.
#[inline(always)]
fn reverse<'t, F: Packet, T: FamilyTables<F>>(
    tables: &'t T,
    client: &KeyOf<F>,
    number: u32,
    lease: Lease,
) -> Option<&'t Slot<F::Key>> {
    let record = tables.destination(number)?;
    let local = tables.local(lease.local())?;
    let key = key::<F>(client, local, lease.port(), record);
    let seat = table::locate::<F, T>(tables, &key, true, Seat::NONE)?;
    table::slot_at::<F, T>(tables, seat)
}

/// The connection of a reverse entry, if it still has this one.
#[inline(always)]
pub fn client_of<'t, F: Packet, T: FamilyTables<F>>(
    tables: &'t T,
    reverse: &Slot<F::Key>,
    number: u32,
) -> Option<&'t Slot<F::Key>> {
    let slot = table::slot_at::<F, T>(tables, Seat(reverse.children.load()))?;
    let meta = Meta(slot.meta.load());
    let port = F::endpoints(&reverse.key.load()).client_port;
    let is_its = meta.is_clients()
        && !meta.state().is_template()
        && meta.destination() == number
        && Lease(slot.children.load()).port() == port;
    is_its.then_some(slot)
}

#[inline(always)]
fn key<F: Family>(
    client: &KeyOf<F>,
    local: &Local,
    port: [u8; 2],
    record: &Destination,
) -> KeyOf<F> {
    let endpoints = F::endpoints(client);
    F::key(&Endpoints {
        client: F::address(&local.address),
        client_port: port,
        virtual_address: F::address(&record.address),
        virtual_port: record.port_for(endpoints.virtual_port),
        protocol: endpoints.protocol,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_keep_their_parts_apart() {
        let lease = Lease::new(4095, 0xbeef);
        assert_eq!((lease.local(), lease.port()), (4095, [0xbe, 0xef]));
        assert!(!lease.is_none() && Lease::NONE.is_none());
        let taken = Taken::new(lease, Seat(0xdead_beef));
        assert_eq!((taken.lease(), taken.seat()), (lease, Seat(0xdead_beef)));
        let failed = Taken::failed(Reason::NoLocalPort);
        assert!(failed.lease().is_none());
        assert_eq!(failed.reason(), Reason::NoLocalPort);
    }
}
