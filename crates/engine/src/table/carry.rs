//! Entries that come from other tables: of another size, or of another version of rlvs.
//!
//! Both tables may be in use meanwhile, these here for longer: what packets have made of an entry
//! here stays.

use super::{Entry, Inserted, Seat, locate, release_alone, slot_at};
use crate::connection::{Key, Meta, Slot, State};
use crate::follow::shift;
use crate::lease::{Lease, client_of};
use crate::tables::{FamilyTables, KeyOf, Tables};
use crate::tuple::Packet;

/// An entry as it is in the other tables.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Carried<V> {
    pub key: V,
    pub meta: Meta,
    /// [`Slot::seen`]
    pub seen: u32,
    /// [`Slot::children`]
    pub children: u32,
    /// Of a template: how many of them it had when it was carried last.
    pub before: u32,
}

/// Brings an entry here, or what has become of it since. Where it lies, unless there is no room.
pub fn carry<F: Packet, T: FamilyTables<F>>(
    tables: &T,
    carried: &Carried<KeyOf<F>>,
) -> Option<Seat> {
    let is_reverse = carried.meta.state() == State::Reverse;
    if let Some(seat) = locate::<F, T>(tables, &carried.key, is_reverse, Seat::NONE) {
        let slot = slot_at::<F, T>(tables, seat)?;
        let stays = match is_reverse {
            true => update_reverse(slot, carried),
            false => update(tables, slot, carried),
        };
        if stays {
            return Some(seat);
        }
        part::<F, T>(tables, slot);
    }
    let meta = Meta::new(
        carried.meta.destination(),
        carried.meta.state(),
        carried.meta.without(Meta::DISPLACED).flags(),
    );
    let spot = tables.insert(&carried.key, meta);
    match spot.inserted::<F, T>(tables) {
        Inserted::Full => return None,
        Inserted::Existing(entry) => {
            update(tables, entry.slot, carried);
        }
        Inserted::New(entry) => {
            entry.slot.seen.store(carried.seen);
            entry.slot.children.add(carried.children);
            count(tables, meta);
        }
    }
    Some(spot.seat())
}

/// Ends an entry whose key is another's by now. How many connections templates have is carried with
/// these.
fn part<F: Packet, T: FamilyTables<F>>(tables: &T, slot: &Slot<F::Key>) {
    let meta = Meta(slot.meta.load());
    let (key, lease) = (slot.key.load(), Lease(slot.children.load()));
    let its_client = match meta.state() {
        State::Reverse => client_of::<F, T>(tables, slot, meta.destination()),
        _ => None,
    };
    if !release_alone::<F, T>(tables, Entry { slot, meta }) {
        return;
    }
    match meta.state() {
        // It would take the way of its successor's answers with it when its time is over.
        State::Reverse => {
            if let Some(slot) = its_client {
                let meta = Meta(slot.meta.load());
                release_alone::<F, T>(tables, Entry { slot, meta });
            }
        }
        state if state.is_template() || lease.is_none() => {}
        _ => tables.give_back(&key, meta.destination(), lease),
    }
}

/// Counts an entry that no packet has brought.
pub(super) fn count<T: Tables>(tables: &T, meta: Meta) {
    let number = meta.destination();
    if let (Some(load), Some(destination)) = (tables.load(number), tables.destination(number)) {
        match meta.state() {
            State::Reverse => {}
            state if state.is_template() => {
                load.persistent.add(1);
            }
            state => load.begin(state.is_active(), destination),
        }
    }
}

/// What has become of an entry that is here; false if it has become another: the client has had its
/// port again.
fn update<V, K, T: Tables>(tables: &T, slot: &Slot<K>, carried: &Carried<V>) -> bool {
    let here = Meta(slot.meta.load());
    let (state, theirs) = (here.state(), carried.meta.state());
    let ahead = carried.seen.wrapping_sub(slot.seen.load()) as i32;
    if is_another(slot, here, carried) {
        return ahead <= 0;
    }
    if state.is_template() {
        let more = carried.children.wrapping_sub(carried.before);
        slot.children.add(more);
    }
    if ahead > 0 || ahead == 0 && is_further(theirs, state) {
        slot.seen.store(carried.seen);
        shift(tables, &slot.meta, here, theirs);
    }
    true
}

/// The same of the way of a connection's answers.
fn update_reverse<V, K>(slot: &Slot<K>, carried: &Carried<V>) -> bool {
    let stays = slot.children.load() == carried.children;
    if stays {
        slot.seen.store(carried.seen);
    }
    stays
}

fn is_another<V, K>(slot: &Slot<K>, here: Meta, carried: &Carried<V>) -> bool {
    let theirs = carried.meta;
    if here.destination() != theirs.destination() {
        return true;
    }
    match (here.state().is_template(), theirs.state().is_template()) {
        (true, true) => false,
        (false, false) => {
            here.has(Meta::CONTROLLED) != theirs.has(Meta::CONTROLLED)
                || carried.children != 0 && slot.children.load() != carried.children
        }
        _ => true,
    }
}

/// Whether what was last seen in the same tick has come further: what closes was open before.
fn is_further(theirs: State, ours: State) -> bool {
    ours.is_active() && !theirs.is_active() || ours.is_half_open() && !theirs.is_half_open()
}

#[cfg(test)]
mod tests;
