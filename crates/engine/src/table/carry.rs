//! Entries that come from other tables: of another size, or of another version of rlvs.
//!
//! Both tables may be in use meanwhile, these here for longer: what packets have made of an entry
//! here stays.

use super::{Inserted, Seat, locate, slot_at};
use crate::connection::{Meta, Slot, State};
use crate::follow::shift;
use crate::tables::{FamilyTables, KeyOf, Tables};
use crate::tuple::Packet;

/// An entry as it is in the other tables.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Carried<V> {
    pub key: V,
    pub meta: Meta,
    /// [`Slot::seen`]
    pub seen: u32,
    /// [`Slot::children`]; of a template only how many there are more than when it was carried last.
    pub children: u32,
}

/// Brings an entry here, or what has become of it since. Where it lies, unless there is no room.
pub fn carry<F: Packet, T: FamilyTables<F>>(
    tables: &T,
    carried: &Carried<KeyOf<F>>,
) -> Option<Seat> {
    let is_reverse = carried.meta.state() == State::Reverse;
    if let Some(seat) = locate::<F, T>(tables, &carried.key, is_reverse, Seat::NONE) {
        if !is_reverse {
            update(tables, slot_at::<F, T>(tables, seat)?, carried);
        }
        return Some(seat);
    }
    let meta = Meta::new(
        carried.meta.destination(),
        carried.meta.state(),
        carried.meta.without(Meta::DISPLACED).flags(),
    );
    let spot = tables.insert(&carried.key, meta);
    match spot.inserted::<F, T>(tables) {
        Inserted::Full => return None,
        Inserted::Existing(entry) => update(tables, entry.slot, carried),
        Inserted::New(entry) => {
            entry.slot.seen.store(carried.seen);
            entry.slot.children.add(carried.children);
            count(tables, meta);
        }
    }
    Some(spot.seat())
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

fn update<V, K, T: Tables>(tables: &T, slot: &Slot<K>, carried: &Carried<V>) {
    let here = Meta(slot.meta.load());
    let (state, theirs) = (here.state(), carried.meta.state());
    if here.destination() != carried.meta.destination()
        || state.is_template() != theirs.is_template()
    {
        return;
    }
    if state.is_template() {
        slot.children.add(carried.children);
    }
    let ahead = carried.seen.wrapping_sub(slot.seen.load()) as i32;
    if ahead < 0 || ahead == 0 && !is_further(theirs, state) {
        return;
    }
    slot.seen.store(carried.seen);
    shift(tables, &slot.meta, here, theirs);
}

/// Whether what was last seen in the same tick has come further: what closes was open before.
fn is_further(theirs: State, ours: State) -> bool {
    ours.is_active() && !theirs.is_active() || ours.is_half_open() && !theirs.is_half_open()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::Key;
    use crate::destination::Destination;
    use crate::family::{Endpoints, Family, V4};
    use crate::memory::{Memory, Sizes};
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
        template.children = 2;
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
            .filter(|&client| {
                carry::<V4, _>(&tables, &carried(client, State::Established)).is_some()
            })
            .count();
        assert!(came < 100);
        assert_eq!(tables.loads[1].counts(), (came as u32, 0));
    }
}
