//! The connection table: set-associative, in one block of memory that user space maps.
//!
//! A key's hash names four buckets of eight slots. An entry lies in the first of them that had
//! room when it came, mostly in the very slot the hash points at, so that finding it touches one
//! cache line. How many entries of a bucket had to go elsewhere is counted, so that a key which
//! is not there costs one bucket too. There is no list, no lock and no allocation.
//!
//! Why not a hash map for what finds no room, and why not tags: see ARCHITECTURE.md.

mod answered;
mod carry;
mod end;
mod learn;
mod room;
mod thin;

pub use answered::{Answered, find_answered, find_answered_displaced};
pub use carry::{Carried, carry};
pub use end::{SWEEP_GRACE, end, is_over, release, release_alone, settle, sweep};
pub use learn::{Unlearned, learn, learn_leased, relearn};
pub use room::{make_room, victim};
pub use thin::{look_at, thin};

use core::ops::ControlFlow;

use crate::connection::{Key, Meta, Slot, State, WAYS};
use crate::family::{Family, mix};
use crate::reason::Event;
use crate::settings::Settings;
use crate::tables::{Context, FamilyTables, KeyOf, Tables};
use crate::tuple::Packet;

/// Buckets a key may lie in.
pub const CHOICES: u32 = 4;

/// How often a CPU looks whether another has finished filling a slot.
const PATIENCE: u32 = 32;

/// Number of buckets for `connections`: five to sixteen fills them to 40 %.
pub const fn buckets_for(connections: u32) -> u32 {
    let buckets = (connections as u64 * 5).div_ceil(16);
    if buckets < CHOICES as u64 {
        CHOICES
    } else {
        buckets as u32
    }
}

/// How many connections so many buckets are made for.
pub const fn connections_of(buckets: u32) -> u32 {
    (buckets as u64 * 16 / 5) as u32
}

/// Where a key belongs.
#[derive(Clone, Copy, Debug)]
struct Place {
    hash: u64,
    buckets: u32,
}

/// A live entry as it was found.
#[derive(Debug)]
pub struct Entry<'t, K> {
    pub slot: &'t Slot<K>,
    pub meta: Meta,
}

impl<K> Clone for Entry<'_, K> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Entry<'_, K> {}

/// Where an entry lies, in 32 bits: bucket (29) and slot (3).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Seat(pub u32);

impl Seat {
    /// No table is so large.
    pub const NONE: Self = Self(u32::MAX);
}

const SLOT_BITS: u32 = WAYS.trailing_zeros();

/// The slot at a seat.
#[inline(always)]
pub fn slot_at<F: Packet, T: FamilyTables<F>>(tables: &T, seat: Seat) -> Option<&Slot<F::Key>> {
    let bucket = tables.bucket(seat.0 >> SLOT_BITS)?;
    bucket.slots.get(seat.0 as usize & (WAYS - 1))
}

/// What became of an insertion.
#[derive(Debug)]
pub enum Inserted<'t, K> {
    /// The entry is in the table.
    New(Entry<'t, K>),
    /// Another CPU was faster with the same key.
    Existing(Entry<'t, K>),
    /// There was no room, and nothing that could go.
    Full,
}

/// Where an entry lies, in numbers: bucket (32 bits), slot (8) and what it is (8).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Spot(pub u64);

impl Spot {
    pub const NONE: Self = Self(0);
    const FOUND: u64 = 1 << 40;
    const NEW: u64 = 1 << 41;

    #[inline(always)]
    const fn new(bucket: u32, slot: usize, what: u64) -> Self {
        Self(bucket as u64 | (slot as u64) << 32 | what)
    }

    #[inline(always)]
    pub(crate) const fn is_none(self) -> bool {
        self.0 == 0
    }

    #[inline(always)]
    pub(crate) const fn is_new(self) -> bool {
        self.0 & Self::NEW != 0
    }

    #[inline(always)]
    const fn bucket(self) -> u32 {
        self.0 as u32
    }

    #[inline(always)]
    pub(crate) const fn seat(self) -> Seat {
        let slot = (self.0 >> 32) as u32 & (WAYS as u32 - 1);
        Seat(self.bucket() << SLOT_BITS | slot)
    }

    #[inline(always)]
    fn flow(self) -> ControlFlow<()> {
        if self.is_none() {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    }

    #[inline(always)]
    fn inserted<F: Packet, T: FamilyTables<F>>(self, tables: &T) -> Inserted<'_, F::Key> {
        match self.entry::<F, T>(tables) {
            Some(entry) if self.is_new() => Inserted::New(entry),
            Some(entry) => Inserted::Existing(entry),
            None => Inserted::Full,
        }
    }

    #[inline(always)]
    fn entry<F: Packet, T: FamilyTables<F>>(self, tables: &T) -> Option<Entry<'_, F::Key>> {
        if self.is_none() {
            return None;
        }
        let slot = tables
            .bucket(self.bucket())?
            .slots
            .get((self.0 >> 32) as usize & (WAYS - 1))?;
        Some(Entry {
            slot,
            meta: Meta(slot.meta.load()),
        })
    }
}

impl Place {
    #[inline(always)]
    fn new<F: Family>(key: &KeyOf<F>, settings: &Settings) -> Self {
        Self {
            hash: F::hash(key, settings.seed.load()),
            buckets: settings.buckets[F::INDEX].load(),
        }
    }

    #[inline(always)]
    fn home(&self) -> u32 {
        self.choice(self.hash)
    }

    /// The `n`th further choice.
    #[inline(always)]
    fn further(&self, n: u32) -> u32 {
        self.choice(mix(self.hash.wrapping_add(n as u64)))
    }

    #[inline(always)]
    fn choice(&self, hash: u64) -> u32 {
        ((hash >> 32).wrapping_mul(self.buckets as u64) >> 32) as u32
    }

    /// The bucket of the `n`th slot to look at.
    #[inline(always)]
    fn bucket(&self, n: u32) -> u32 {
        match n / WAYS as u32 {
            0 => self.home(),
            choice => self.further(choice.wrapping_sub(1)),
        }
    }

    /// The `n`th slot to look at within a bucket: the one the hash points at, then the other in
    /// its cache line, then the rest.
    #[inline(always)]
    fn slot(&self, n: usize) -> usize {
        (self.hash as usize ^ n) & (WAYS - 1)
    }
}

/// The entry with this key.
#[inline(always)]
pub fn find<'t, F: Packet, T: FamilyTables<F>>(
    context: Context<'t, T>,
    key: &KeyOf<F>,
) -> Option<Entry<'t, F::Key>> {
    let tables = context.tables;
    let place = Place::new::<F>(key, context.settings);
    let home = place.home();
    let bucket = tables.bucket(home)?;
    let entry = (0..WAYS).find_map(|n| {
        let slot = bucket.slots.get(place.slot(n))?;
        matching::<F>(slot, key)
    });
    if entry.is_some() || tables.displaced(home)?.load() == 0 {
        return entry;
    }
    tables
        .find_displaced(key)
        .entry::<F, T>(tables)
        .filter(|entry| entry.meta.is_live())
}

/// Where the entry with this key lies, a reverse one or not; one at `except` does not count.
#[inline(always)]
pub fn locate<F: Packet, T: FamilyTables<F>>(
    tables: &T,
    key: &KeyOf<F>,
    is_reverse: bool,
    except: Seat,
) -> Option<Seat> {
    let place = Place::new::<F>(key, tables.settings()?);
    let mut found = Seat::NONE;
    tables.repeat(CHOICES * WAYS as u32, |n| {
        let (index, number) = (place.bucket(n), place.slot(n as usize));
        let slot = tables
            .bucket(index)
            .and_then(|bucket| bucket.slots.get(number));
        let seat = Spot::new(index, number, Spot::FOUND).seat();
        if slot.is_some_and(|slot| fits::<F>(slot, key, is_reverse)) && seat.0 != except.0 {
            found = seat;
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    (found.0 != Seat::NONE.0).then_some(found)
}

#[inline(always)]
fn fits<F: Family>(slot: &Slot<F::Key>, key: &KeyOf<F>, is_reverse: bool) -> bool {
    let meta = Meta(slot.meta.load());
    let is_sought = match is_reverse {
        true => meta.state() as u8 == State::Reverse as u8,
        false => meta.is_clients(),
    };
    is_sought && slot.key.is(key)
}

/// The entry with this key in another bucket than its first.
#[inline(always)]
pub fn find_displaced<F: Packet, T: FamilyTables<F>>(tables: &T, key: &KeyOf<F>) -> Spot {
    let mut spot = Spot::NONE;
    let Some(settings) = tables.settings() else {
        return spot;
    };
    let place = Place::new::<F>(key, settings);
    tables.repeat((CHOICES - 1) * WAYS as u32, |n| {
        let (index, slot) = (
            place.bucket(n.wrapping_add(WAYS as u32)),
            n as usize & (WAYS - 1),
        );
        let found = tables
            .bucket(index)
            .and_then(|bucket| bucket.slots.get(slot));
        if found.and_then(|slot| matching::<F>(slot, key)).is_some() {
            spot = Spot::new(index, slot, Spot::FOUND);
        }
        spot.flow()
    });
    spot
}

/// The word is read before the key: if the slot changes hands in between, the key no longer
/// matches, and if it does so later, no swap of that word succeeds.
#[inline(always)]
fn matching<'t, F: Family>(slot: &'t Slot<F::Key>, key: &KeyOf<F>) -> Option<Entry<'t, F::Key>> {
    let meta = Meta(slot.meta.load());
    (meta.is_clients() && slot.key.is(key)).then_some(Entry { slot, meta })
}

/// Adds an entry that [`find`] did not find; something expendable goes if there is no room.
#[inline(always)]
pub fn add<'t, F: Packet, T: FamilyTables<F>>(
    tables: &'t T,
    key: &KeyOf<F>,
    meta: Meta,
) -> Inserted<'t, F::Key> {
    let mut spot = tables.insert(key, meta);
    if spot.is_none() && tables.make_room(key) {
        tables.note(Event::Evicted);
        spot = tables.insert(key, meta);
    }
    spot.inserted::<F, T>(tables)
}

/// Adds an entry that [`find`] did not find, if there is room.
#[inline(always)]
pub fn add_if_room<'t, F: Packet, T: FamilyTables<F>>(
    tables: &'t T,
    key: &KeyOf<F>,
    meta: Meta,
) -> Inserted<'t, F::Key> {
    tables.insert(key, meta).inserted::<F, T>(tables)
}

/// Claims a free slot for the key in one of its buckets, its own slot first.
#[inline(always)]
pub fn insert<F: Packet, T: FamilyTables<F>>(tables: &T, key: &KeyOf<F>, meta: Meta) -> Spot {
    let mut spot = Spot::NONE;
    let Some(context) = Context::new(tables) else {
        return spot;
    };
    let place = Place::new::<F>(key, context.settings);
    tables.repeat(CHOICES * WAYS as u32, |n| {
        let index = place.bucket(n);
        let number = place.slot(n as usize);
        let Some(slot) = tables
            .bucket(index)
            .and_then(|bucket| bucket.slots.get(number))
        else {
            return ControlFlow::Break(());
        };
        // A further choice may be the first bucket again.
        let flag = if index == place.home() {
            0
        } else {
            Meta::DISPLACED
        };
        if claim::<F, T>(context, slot, key, meta.with(flag)) {
            spot = Spot::new(index, number, Spot::NEW);
        } else if settled::<F>(slot, key) {
            spot = Spot::new(index, number, Spot::FOUND);
        }
        spot.flow()
    });
    if spot.is_new()
        && spot.bucket() != place.home()
        && let Some(displaced) = tables.displaced(place.home())
    {
        displaced.add(1);
    }
    spot
}

/// Takes a slot if it is free, and fills it.
#[inline(always)]
fn claim<F: Packet, T: Tables>(
    context: Context<'_, T>,
    slot: &Slot<F::Key>,
    key: &KeyOf<F>,
    meta: Meta,
) -> bool {
    let before = Meta(slot.meta.load());
    if !before.is_free() {
        return false;
    }
    let claimed = before.succeeded_by(Meta::new(0, State::Claimed, 0));
    let won = slot.meta.replace(before.0, claimed.0);
    if won {
        slot.key.store(key);
        slot.children.store(0);
        slot.seen.store(context.now);
        slot.meta.replace(claimed.0, claimed.succeeded_by(meta).0);
    }
    won
}

/// Whether another CPU's entry in this slot has our key; waits until it is published, for that
/// CPU may be inserting the same connection.
#[inline(always)]
fn settled<F: Family>(slot: &Slot<F::Key>, key: &KeyOf<F>) -> bool {
    let mut waited = 0;
    while Meta(slot.meta.load()).is_claimed() && waited < PATIENCE {
        waited += 1;
    }
    matching::<F>(slot, key).is_some()
}
