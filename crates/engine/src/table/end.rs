//! How entries end, and when.

use super::{Entry, Place, find};
use crate::connection::{Key, Meta, Slot, State};
use crate::destination::Destination;
use crate::ftp;
use crate::lease::{self, Lease};
use crate::settings::elapsed;
use crate::sysctl::Sysctl;
use crate::tables::{Context, FamilyTables, KeyOf, Tables};
use crate::template;
use crate::tuple::Packet;

/// Whether an entry's time is over: it has been idle for longer than its timeout and `grace`.
#[inline(always)]
pub fn is_over<K, T: Tables>(context: Context<'_, T>, entry: Entry<'_, K>, grace: u32) -> bool {
    let idle = elapsed(context.now, entry.slot.seen.load());
    let state = entry.meta.state();
    let timeout = if state.is_template() {
        template::timeout(context, entry.meta)
    } else {
        context.settings.timeout_of(entry.meta)
    };
    idle > timeout.saturating_add(grace) && !template::is_held(context, entry)
}

/// Frees an entry and settles its accounts; false if it changed meanwhile.
#[inline(always)]
pub fn release<F: Packet, T: FamilyTables<F>>(tables: &T, entry: Entry<'_, F::Key>) -> bool {
    // Before the swap: after it the slot may have a new tenant.
    let key = entry.slot.key.load();
    let lease = Lease(entry.slot.children.load());
    let freed = entry.slot.meta.replace(entry.meta.0, entry.meta.freed().0);
    if freed {
        tables.settle(&key, entry.meta);
        if !lease.is_none() && !entry.meta.state().is_template() {
            tables.give_back(&key, entry.meta.destination(), lease);
        }
        if entry.meta.has(Meta::CONTROLLED) {
            let assures = !entry.meta.state().is_half_open();
            tables.forget(&key, entry.meta.destination(), assures);
        }
    }
    freed
}

/// Frees the entry with this key.
#[inline(always)]
pub fn end<F: Packet, T: FamilyTables<F>>(tables: &T, key: &KeyOf<F>) {
    if let Some(context) = Context::new(tables)
        && let Some(entry) = find::<F, T>(context, key)
    {
        release::<F, T>(tables, entry);
    }
}

/// The same for a template or a reverse entry, which no template controls and which leases nothing.
#[inline(always)]
pub fn release_alone<F: Packet, T: FamilyTables<F>>(tables: &T, entry: Entry<'_, F::Key>) -> bool {
    let key = entry.slot.key.load();
    let freed = entry.slot.meta.replace(entry.meta.0, entry.meta.freed().0);
    if freed {
        tables.settle(&key, entry.meta);
    }
    freed
}

/// Takes an entry that was freed out of all counts but its template's.
#[inline(always)]
pub fn settle<F: Packet, T: FamilyTables<F>>(tables: &T, key: &KeyOf<F>, meta: Meta) {
    let Some(context) = Context::new(tables) else {
        return;
    };
    let number = meta.destination();
    let state = meta.state();
    if let (Some(load), Some(destination)) = (tables.load(number), tables.destination(number)) {
        match state {
            State::Reverse => {}
            state if state.is_template() => {
                load.persistent.add(u32::MAX);
            }
            state => load.end(state.is_active(), destination),
        }
    }
    if meta.has(Meta::DISPLACED)
        && let Some(displaced) = tables.displaced(Place::new::<F>(key, context.settings).home())
    {
        displaced.add(u64::MAX);
    }
}

/// How much later than the packet path the sweep calls an entry over, in ticks (about a second).
///
/// A packet that found its entry alive writes `seen` at once; by the time the sweep would end
/// that entry the write is long visible. So no entry is ended under a packet that refreshed it.
pub const SWEEP_GRACE: u32 = 954;

/// Ends the entry of a slot whose time is over; true if it did. For the daemon's sweep.
pub fn sweep<F: Packet, T: FamilyTables<F>>(context: Context<'_, T>, slot: &Slot<F::Key>) -> bool {
    let entry = Entry {
        slot,
        meta: Meta(slot.meta.load()),
    };
    match entry.meta.state() {
        State::Reverse => sweep_reverse::<F, T>(context.tables, entry),
        _ => {
            let ended = entry.meta.is_live()
                && (is_over(context, entry, SWEEP_GRACE)
                    || is_forsaken(context, entry.meta)
                    || template::is_hidden::<F, T>(context, entry))
                && release::<F, T>(context.tables, entry);
            if entry.meta.has(Meta::DATA) && entry.meta.is_live() && !ended {
                ftp::hold::<F, T>(context, slot);
            }
            ended
        }
    }
}

/// Whether the destination of an entry was removed, which ends it with `expire_nodest_conn`
/// (ip_vs_conn.c, `ip_vs_expire_nodest_conn_flush`).
fn is_forsaken<T: Tables>(context: Context<'_, T>, meta: Meta) -> bool {
    let destination = context.tables.destination(meta.destination());
    context.settings.is_on(Sysctl::ExpireNodestConn)
        && destination.is_some_and(|destination| !destination.is(Destination::AVAILABLE))
}

/// A reverse entry ends with its connection. One without is left by a daemon that was killed
/// between the two; or its connection is being made just now, so it is looked at twice.
fn sweep_reverse<F: Packet, T: FamilyTables<F>>(tables: &T, entry: Entry<'_, F::Key>) -> bool {
    if lease::client_of::<F, T>(tables, entry.slot, entry.meta.destination()).is_some() {
        return false;
    }
    if entry.meta.has(Meta::ORPHAN) {
        return release_alone::<F, T>(tables, entry);
    }
    let marked = entry.meta.with(Meta::ORPHAN);
    entry.slot.meta.replace(entry.meta.0, marked.0);
    false
}
