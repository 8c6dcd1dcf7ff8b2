//! Rows: a table from hashes to members, behind the members' tree in the same region. sh and mh
//! choose by it; for the others it says who has the connections that find no room in the
//! connection table ([`super::stateless`]).
//!
//! ```text
//! node 0: how many rows there are     node 1 + i: rows 4i to 4i + 3, a member's index each
//! ```
//!
//! An index has 16 bits: no table is so long that members of a higher one come to a row.

use core::ops::ControlFlow;

use super::{Flags, Members, NONE, some, takes};
use crate::tables::Tables;

/// Length of a region's part for so many rows.
pub const fn nodes(rows: u32) -> u32 {
    1 + rows.div_ceil(EACH)
}

/// Rows in a node.
const EACH: u32 = 4;
/// A row without a member.
pub const NOBODY: u16 = u16::MAX;

/// Writes rows behind the tree of `members`.
pub fn lay(members: Members, rows: &[u16], mut store: impl FnMut(u32, u64)) {
    let base = members.base() + members.nodes();
    store(base, rows.len() as u64);
    for (place, some) in rows.chunks(EACH as usize).enumerate() {
        let node = (0..EACH).rev().fold(0, |node, at| {
            let row = some.get(at as usize).copied().unwrap_or(NOBODY);
            node << u16::BITS | row as u64
        });
        store(base + 1 + place as u32, node);
    }
}

/// A way from a key to rows.
pub(super) trait Hashed {
    /// The row, of so many, for `key` at an offset.
    fn row(key: u32, offset: u32, rows: u32) -> Option<u32>;
}

/// The member in the key's row. If that one takes no connections there is none, or with
/// [`Flags::FALLBACK`] the first that does in the rows which the key has at other offsets.
#[inline(always)]
pub(super) fn pick<T: Tables, H: Hashed>(
    tables: &T,
    members: Members,
    key: u32,
    flags: Flags,
) -> Option<u32> {
    let rows = count(tables, members)?;
    let first = H::row(key, 0, rows)?;
    let chosen = takes(tables, members, member(tables, members, first)?);
    if chosen.is_some() || !flags.has(Flags::FALLBACK) {
        return chosen;
    }
    let mut chosen = NONE;
    tables.repeat(rows, |turn| {
        let index = turn
            .wrapping_add(first)
            .checked_rem(rows)
            .and_then(|offset| H::row(key, offset, rows))
            .and_then(|row| member(tables, members, row));
        let Some(index) = index else {
            return ControlFlow::Break(());
        };
        let Some(destination) = takes(tables, members, index) else {
            return ControlFlow::Continue(());
        };
        chosen = destination;
        ControlFlow::Break(())
    });
    some(chosen)
}

/// How many rows there are.
#[inline(always)]
pub fn count<T: Tables>(tables: &T, members: Members) -> Option<u32> {
    let (rows, _) = members.node(tables, members.nodes())?;
    Some(rows)
}

/// Index of the member in a row.
#[inline(always)]
fn member<T: Tables>(tables: &T, members: Members, row: u32) -> Option<u32> {
    let node = members.nodes().wrapping_add(1).wrapping_add(row / EACH);
    let node = tables.node(members.base().wrapping_add(node))?.load();
    let index = (node >> (row % EACH * u16::BITS)) as u16;
    ((index as u32) < members.count()).then_some(index as u32)
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::super::{Scheduler, layout};
    use super::*;
    use crate::memory::Memory;

    #[test]
    fn rows_are_read_as_they_were_laid() {
        let memory = Memory::default();
        let store = |node: u32, word| memory.nodes[node as usize].store(word);
        let members = layout(8, &[(1, 0); 5], Scheduler::Mh, store);
        for length in 0..10 {
            let rows: Vec<u16> = (0..length).map(|row| row * 7 % 5).collect();
            lay(members, &rows, store);
            assert_eq!(count(&memory, members), Some(u32::from(length)));
            for (row, &index) in rows.iter().enumerate() {
                assert_eq!(member(&memory, members, row as u32), Some(u32::from(index)));
            }
        }
        lay(members, &[NOBODY, 5], store);
        assert_eq!(member(&memory, members, 0), None);
        assert_eq!(member(&memory, members, 1), None, "there is no such member");
    }
}
