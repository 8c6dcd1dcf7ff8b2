//! The choice when the connection table has no room: by the client alone, so that a flow's next
//! packets, which find no entry either, go where its first went.
//!
//! The flow's hash says where in the list to begin; the first destination from there that takes
//! connections has it. While the members stay the same the answer does, however many directors
//! or CPUs ask.

use super::Member;
use crate::service::Service;
use crate::tables::Tables;

#[inline(always)]
pub fn pick<T: Tables>(tables: &T, service: &Service, hash: u64) -> Option<u32> {
    let members = service.members();
    let start = ((hash >> 32).wrapping_mul(members.count() as u64) >> 32) as u32;
    let found = members
        .next(tables, start, 1)
        .or_else(|| members.next(tables, 0, 1));
    found.map(Member::destination)
}
