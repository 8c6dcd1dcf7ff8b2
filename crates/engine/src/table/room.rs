//! What goes when a table is full.

use core::ops::ControlFlow;

use super::{CHOICES, Entry, Place, Spot, is_over, release};
use crate::connection::{Meta, State, WAYS};
use crate::settings::elapsed;
use crate::tables::{Context, FamilyTables, KeyOf, Tables};
use crate::tuple::Packet;

/// Ends the most expendable entry of the key's buckets, if any may go; whether one did.
#[inline(always)]
pub fn make_room<F: Packet, T: FamilyTables<F>>(tables: &T, key: &KeyOf<F>) -> bool {
    let Some(context) = Context::new(tables) else {
        return false;
    };
    match tables.victim(key).entry::<F, T>(tables) {
        // Looked at again: another CPU may have put a new one there.
        Some(entry) if worth(context, entry) != u64::MAX => release::<F, T>(tables, entry),
        _ => false,
    }
}

/// The entry of the key's buckets that is worth least.
#[inline(always)]
pub fn victim<F: Packet, T: FamilyTables<F>>(tables: &T, key: &KeyOf<F>) -> Spot {
    let (mut victim, mut least) = (Spot::NONE, u64::MAX);
    let Some(context) = Context::new(tables) else {
        return victim;
    };
    let place = Place::new::<F>(key, context.settings);
    tables.repeat(CHOICES * WAYS as u32, |n| {
        let (index, number) = (place.bucket(n), n as usize & (WAYS - 1));
        let Some(slot) = tables
            .bucket(index)
            .and_then(|bucket| bucket.slots.get(number))
        else {
            return ControlFlow::Break(());
        };
        let worth = worth(
            context,
            Entry {
                slot,
                meta: Meta(slot.meta.load()),
            },
        );
        if worth < least {
            (victim, least) = (Spot::new(index, number, Spot::FOUND), worth);
        }
        ControlFlow::Continue(())
    });
    victim
}

/// What a full table loses with an entry: nothing with an expired one, little with a half-open
/// connection, something with a closing one; others it does not give up. Of two alike the one
/// that has been idle longer is worth less.
#[inline(always)]
fn worth<K, T: Tables>(context: Context<'_, T>, entry: Entry<'_, K>) -> u64 {
    let rank: u64 = match entry.meta.state() {
        State::Free | State::Claimed | State::Reverse => return u64::MAX,
        _ if is_over(context, entry, 0) => 0,
        state if state.is_half_open() || state as u8 == State::Listen as u8 => 1,
        state if state.is_closing() => 2,
        _ => return u64::MAX,
    };
    rank << 32 | !elapsed(context.now, entry.slot.seen.load()) as u64
}
