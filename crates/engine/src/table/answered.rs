//! Finding the connection that a real server's packet answers.

use super::{CHOICES, Entry, Place, Seat, Spot};
use crate::connection::{Bucket, Key, Meta, Slot, State, WAYS};
use crate::forward::Method;
use crate::tables::{Context, FamilyTables, KeyOf};
use crate::tuple::Packet;

/// The masqueraded connection that a packet with this key, [turned](Family::turned), answers: its
/// client is the packet's receiver, its real server the packet's sender. Or the reverse entry of
/// a connection by full NAT, which has just this key.
#[inline(always)]
pub fn find_answered<'t, F: Packet, T: FamilyTables<F>>(
    context: Context<'t, T>,
    turned: &KeyOf<F>,
) -> Option<Answered<'t, F::Key>> {
    let tables = context.tables;
    let place = Place::new::<F>(turned, context.settings);
    let home = place.home();
    let bucket = tables.bucket(home)?;
    // Not a loop: older verifiers lose track of its index. Not a closure: it would become a
    // function, with a frame.
    let found = answered_at::<F, T, 0>(tables, bucket, place, turned)
        .or_else(|| answered_at::<F, T, 1>(tables, bucket, place, turned))
        .or_else(|| answered_at::<F, T, 2>(tables, bucket, place, turned))
        .or_else(|| answered_at::<F, T, 3>(tables, bucket, place, turned))
        .or_else(|| answered_at::<F, T, 4>(tables, bucket, place, turned))
        .or_else(|| answered_at::<F, T, 5>(tables, bucket, place, turned))
        .or_else(|| answered_at::<F, T, 6>(tables, bucket, place, turned))
        .or_else(|| answered_at::<F, T, 7>(tables, bucket, place, turned));
    if found.is_some() || tables.displaced(home)?.load() == 0 {
        return found;
    }
    let spot = tables.find_answered_displaced(turned);
    let entry = spot.entry::<F, T>(tables)?;
    entry.meta.is_live().then_some(Answered {
        entry,
        seat: spot.seat(),
    })
}

/// What [`find_answered`] finds.
#[derive(Debug)]
pub struct Answered<'t, K> {
    pub entry: Entry<'t, K>,
    pub seat: Seat,
}

/// The same in another bucket than its first.
///
/// Not by `repeat`: its frame would be one too many on a stack of 512 bytes.
#[inline(always)]
pub fn find_answered_displaced<F: Packet, T: FamilyTables<F>>(
    tables: &T,
    turned: &KeyOf<F>,
) -> Spot {
    let Some(settings) = tables.settings() else {
        return Spot::NONE;
    };
    let place = Place::new::<F>(turned, settings);
    let mut n = WAYS as u32;
    while n < CHOICES * WAYS as u32 {
        let (index, slot) = (place.bucket(n), n as usize & (WAYS - 1));
        let found = tables
            .bucket(index)
            .and_then(|bucket| bucket.slots.get(slot));
        if found.is_some_and(|slot| answered::<F, T>(tables, slot, turned).is_some()) {
            return Spot::new(index, slot, Spot::FOUND);
        }
        n += 1;
    }
    Spot::NONE
}

#[inline(always)]
fn answered_at<'t, F: Packet, T: FamilyTables<F>, const N: usize>(
    tables: &T,
    bucket: &'t Bucket<F::Key>,
    place: Place,
    turned: &KeyOf<F>,
) -> Option<Answered<'t, F::Key>> {
    const { assert!(WAYS == 8, "one call for each slot") };
    let slot = place.slot(N);
    let entry = answered::<F, T>(tables, bucket.slots.get(slot)?, turned)?;
    let seat = Spot::new(place.home(), slot, Spot::FOUND).seat();
    Some(Answered { entry, seat })
}

/// As [`matching`], with what the destination says instead of the key's virtual half, which only
/// reverse entries have.
#[inline(always)]
fn answered<'t, F: Packet, T: FamilyTables<F>>(
    tables: &T,
    slot: &'t Slot<F::Key>,
    turned: &KeyOf<F>,
) -> Option<Entry<'t, F::Key>> {
    let meta = Meta(slot.meta.load());
    if !meta.is_live() || meta.state().is_template() {
        return None;
    }
    let key = slot.key.load();
    if !F::same_client(&key, turned) {
        return None;
    }
    if meta.state() as u8 == State::Reverse as u8 {
        return slot.key.is(turned).then_some(Entry { slot, meta });
    }
    let destination = tables.destination(meta.destination())?;
    let is_its = destination.method() as u8 == Method::Masquerade as u8
        && F::is_virtual_end(
            turned,
            &destination.address,
            destination.port_for(F::endpoints(&key).virtual_port),
        );
    is_its.then_some(Entry { slot, meta })
}
