//! `drop_entry`: while memory is short, what nobody would miss goes before its time.
//!
//! IPVS (ip_vs_conn.c, `ip_vs_random_dropentry`) also ends connections of few packets that have been
//! idle for a minute, now and then. How many packets a connection had is not known here: to count
//! them, each packet would write where it now only reads.

use super::{Entry, release_alone};
use crate::connection::{Meta, Slot, State};
use crate::reason::Event;
use crate::tables::FamilyTables;
use crate::tuple::Packet;

/// Ends the entry of a slot if it is a connection that may be a flood's, or a template that
/// [`look_at`] found to have no connections and that still has none; true if it did. For the
/// daemon's sweep.
pub fn thin<F: Packet, T: FamilyTables<F>>(tables: &T, slot: &Slot<F::Key>) -> bool {
    let entry = Entry {
        slot,
        meta: Meta(slot.meta.load()),
    };
    let ended = match entry.meta.state() {
        State::SynRecv | State::SynAck | State::Init1 | State::Init => {
            super::release::<F, T>(tables, entry)
        }
        State::Template if entry.meta.has(Meta::ORPHAN) => {
            is_idle(slot) && release_alone::<F, T>(tables, entry)
        }
        _ => false,
    };
    if ended {
        tables.note(Event::Thinned);
    }
    ended
}

/// Marks a template without connections. A connection that is about to begin by it is not counted
/// yet, but takes the mark away before it is: what is still marked when it is looked at again has
/// none.
pub fn look_at<K>(slot: &Slot<K>) {
    let meta = Meta(slot.meta.load());
    if meta.state() == State::Template && is_idle(slot) {
        slot.meta.replace(meta.0, meta.with(Meta::ORPHAN).0);
    }
}

fn is_idle<K>(slot: &Slot<K>) -> bool {
    slot.children.load() == 0
}
