//! The walk that fo and ovf make: to the highest weight among destinations that may be taken.
//!
//! Mostly that is the first with the highest weight of all, which the members' tree names at once.

use core::ops::ControlFlow;

use super::{Members, NONE, some};
use crate::destination::Load;
use crate::tables::Tables;

/// `takes` is asked with the active connections and the weight.
#[inline(always)]
pub(super) fn pick<T: Tables>(
    tables: &T,
    members: Members,
    takes: impl Fn(u32, u32) -> bool + Copy,
) -> Option<u32> {
    let most = members.heaviest(tables)?;
    let first = members.next(tables, 0, most.max(1))?.destination();
    if may(tables.load(first)?, most, takes) {
        return Some(first);
    }
    let (mut found, mut found_weight) = (NONE, 0);
    tables.repeat(members.count(), |index| {
        let Some((weight, destination)) = members.member(tables, index) else {
            return ControlFlow::Break(());
        };
        let Some(load) = tables.load(destination) else {
            return ControlFlow::Break(());
        };
        if weight > found_weight && may(load, weight, takes) {
            (found, found_weight) = (destination, weight);
        }
        ControlFlow::Continue(())
    });
    some(found)
}

#[inline(always)]
fn may(load: &Load, weight: u32, takes: impl Fn(u32, u32) -> bool) -> bool {
    load.overloaded.load() == 0 && takes(load.counts().0, weight)
}
