//! The choice when the connection table has no room: by the packet alone, so that a flow's next
//! packets, which find no entry either, go where its first went.
//!
//! Schedulers that hash choose as always. For the others maglev hashing does, in rows that are
//! made for it: when a destination comes or goes, few of these flows change theirs.

use super::mh::Mh;
use super::rows;
use super::{Flags, Flow, Scheduler, by_flow};
use crate::tables::{FamilyTables, KeyOf};
use crate::tuple::Packet;

/// Rows for others than sh and mh: a prime, enough for shares to be nearly equal.
pub const fn rows(members: usize) -> usize {
    match members {
        0..=16 => 251,
        17..=128 => 1021,
        129..=512 => 4093,
        513..=2048 => 16_381,
        _ => 65_521,
    }
}

#[inline(always)]
pub fn pick<F: Packet, T: FamilyTables<F>>(
    tables: &T,
    key: &KeyOf<F>,
    service: u32,
) -> Option<u32> {
    let service = tables.service_at(service)?;
    let members = service.members();
    let flags = service.flags().with(Flags::FALLBACK);
    match members.scheduler() {
        Scheduler::Dh | Scheduler::Sh | Scheduler::Mh | Scheduler::None => {
            by_flow(tables, members, Flow::of::<F>(key), flags)
        }
        _ => {
            let hash = F::hash(key, tables.settings()?.seed.load());
            rows::pick::<T, Mh>(tables, members, (hash >> 32) as u32, flags)
        }
    }
}
