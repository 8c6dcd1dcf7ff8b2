//! Shortest expected delay: the smallest (active connections + 1) for the weight (ip_vs_sed.c).

use super::least::{self, Measure};
use crate::destination::Load;
use crate::tables::Tables;

use super::Members;

/// The load there would be with the new connection.
pub(super) struct Delay;

impl Measure for Delay {
    #[inline(always)]
    fn of(load: &Load) -> u64 {
        let (active, _) = load.counts();
        active as u64 + 1
    }
}

#[inline(always)]
pub(super) fn pick<T: Tables>(tables: &T, members: Members) -> Option<u32> {
    least::pick::<T, Delay>(tables, members, false)
}
