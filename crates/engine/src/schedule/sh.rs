//! Source hashing: by the client's address, with `sh-port` also by its port (ip_vs_sh.c).
//!
//! The rows are 256 buckets. Each destination has as many in a row as its weight says, one at
//! least, in turn until all are given away. One that takes no connections refuses those of its
//! buckets, or with `sh-fallback` leaves them to others.

use super::hash_32;
use super::rows::{self, Hashed};

const BITS: u32 = 8;
/// Rows of a service.
pub const ROWS: usize = 1 << BITS;

pub(super) struct Sh;

impl Hashed for Sh {
    #[inline(always)]
    fn row(key: u32, offset: u32, _: u32) -> Option<u32> {
        Some(offset.wrapping_add(hash_32(key, BITS)) & (ROWS as u32 - 1))
    }
}

/// Gives each row a member, by the members' weights.
pub fn fill(rows: &mut [u16], weights: impl Iterator<Item = u32> + Clone) {
    let turns = || {
        weights
            .clone()
            .enumerate()
            .flat_map(|(index, weight)| (0..weight.max(1)).map(move |_| index as u16))
    };
    let mut turn = turns();
    for row in rows {
        let index = turn.next().or_else(|| {
            turn = turns();
            turn.next()
        });
        *row = index.unwrap_or(rows::NOBODY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_have_rows_by_their_weights() {
        let mut rows = [0; 7];
        fill(&mut rows, [2, 0, 3].into_iter());
        assert_eq!(rows, [0, 0, 1, 2, 2, 2, 0]);
        fill(&mut rows, [].into_iter());
        assert_eq!(rows, [rows::NOBODY; 7]);
    }
}
