//! Entries that another director tells: entered, and changed, beside the packet path.

use super::carry::count;
use super::{Seat, slot_at};
use crate::connection::{Meta, State};
use crate::follow::shift;
use crate::lease::{self, Lease};
use crate::reason::Event;
use crate::tables::{FamilyTables, KeyOf};
use crate::tuple::Packet;

/// Enters what was told, last seen at the tick `seen`, if there is room or something expendable goes,
/// as for a packet; where it lies. None if there is no room, or a packet has just begun the same.
pub fn learn<F: Packet, T: FamilyTables<F>>(
    tables: &T,
    key: &KeyOf<F>,
    meta: Meta,
    seen: u32,
) -> Option<Seat> {
    tables.destination(meta.destination())?;
    let mut spot = tables.insert(key, meta);
    if spot.is_none() && tables.make_room(key) {
        tables.note(Event::Evicted);
        spot = tables.insert(key, meta);
    }
    if !spot.is_new() {
        return None;
    }
    count(tables, meta);
    let seat = spot.seat();
    // It was seen now when it was entered; a packet that comes meanwhile keeps it no shorter than
    // it was told.
    slot_at::<F, T>(tables, seat)?.seen.store(seen);
    Some(seat)
}

/// The same of a connection by full NAT, with the local end that stands for its client, and where its
/// client's stream begins.
pub fn learn_leased<F: Packet, T: FamilyTables<F>>(
    tables: &T,
    key: &KeyOf<F>,
    meta: Meta,
    seen: u32,
    (lease, begins): (Lease, u32),
) -> Result<Seat, Unlearned> {
    let number = meta.destination();
    let taken = lease::claim::<F, T>(tables, key, number, lease).ok_or(Unlearned::LocalEndTaken)?;
    if let Some(reverse) = slot_at::<F, T>(tables, taken.seat()) {
        reverse.seen.store(begins);
    }
    let Some(seat) = learn::<F, T>(tables, key, meta, seen) else {
        tables.give_back(key, number, lease);
        return Err(Unlearned::Full);
    };
    tables.bind(key, taken);
    Ok(seat)
}

/// Why an entry was not learned.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unlearned {
    Full,
    /// Another connection here has the local end.
    LocalEndTaken,
}

/// What was told of an entry that is there: its state and when it was last seen. False if it has changed
/// since it was looked at as `meta`.
pub fn relearn<F: Packet, T: FamilyTables<F>>(
    tables: &T,
    seat: Seat,
    meta: Meta,
    state: State,
    seen: u32,
) -> bool {
    let Some(slot) = slot_at::<F, T>(tables, seat) else {
        return false;
    };
    let before = slot.seen.load();
    let is_told = match state as u8 == meta.state() as u8 {
        true => slot.meta.load() == meta.0,
        false => shift(tables, &slot.meta, meta, state),
    };
    // A tenant that came after this look has another time.
    is_told && slot.seen.replace(before, seen)
}
