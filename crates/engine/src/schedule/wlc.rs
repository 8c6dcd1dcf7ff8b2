//! Weighted least connections: the destination with the smallest overhead for its weight
//! (ip_vs_wlc.c).

use super::Members;
use super::least::{self, Measure};
use crate::destination::Load;
use crate::tables::Tables;

pub(super) struct Overhead;

impl Measure for Overhead {
    #[inline(always)]
    fn of(load: &Load) -> u64 {
        load.overhead()
    }
}

#[inline(always)]
pub(super) fn pick<T: Tables>(tables: &T, members: Members) -> Option<u32> {
    least::pick::<T, Overhead>(tables, members, false)
}
