//! Least connections: the destination with the smallest overhead, whatever its weight (ip_vs_lc.c).

use core::ops::ControlFlow;

use super::{Members, NONE, some};
use crate::tables::Tables;

#[inline(always)]
pub(super) fn pick<T: Tables>(tables: &T, members: Members) -> Option<u32> {
    let mut least = NONE;
    let mut least_overhead = u64::MAX;
    tables.repeat(members.count(), |index| {
        let Some((weight, destination)) = members.member(tables, index) else {
            return ControlFlow::Break(());
        };
        let Some(load) = tables.load(destination) else {
            return ControlFlow::Break(());
        };
        let overhead = load.overhead();
        if weight > 0 && overhead < least_overhead && load.overloaded.load() == 0 {
            least = destination;
            least_overhead = overhead;
        }
        ControlFlow::Continue(())
    });
    some(least)
}
