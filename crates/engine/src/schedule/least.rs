//! The walk that wlc, sed and nq make: to the smallest measure for its weight.
//!
//! Ratios are compared by multiplying crosswise, in 64 bits as IPVS does.

use core::ops::ControlFlow;

use super::{Members, NONE, some};
use crate::destination::Load;
use crate::tables::Tables;

/// What a scheduler calls a destination's load.
pub(super) trait Measure {
    fn of(load: &Load) -> u64;
}

/// With `idle_first`, the first destination without active connections is taken at once.
#[inline(always)]
pub(super) fn pick<T: Tables, M: Measure>(
    tables: &T,
    members: Members,
    idle_first: bool,
) -> Option<u32> {
    let mut least = NONE;
    let (mut least_measure, mut least_weight) = (0u64, 0u64);
    tables.repeat(members.count(), |index| {
        let Some((weight, destination)) = members.member(tables, index) else {
            return ControlFlow::Break(());
        };
        let Some(load) = tables.load(destination) else {
            return ControlFlow::Break(());
        };
        if weight == 0 || load.overloaded.load() != 0 {
            return ControlFlow::Continue(());
        }
        if idle_first && load.counts().0 == 0 {
            least = destination;
            return ControlFlow::Break(());
        }
        let (measure, weight) = (M::of(load), weight as u64);
        let better = least == NONE
            || least_measure.wrapping_mul(weight) as i64
                > measure.wrapping_mul(least_weight) as i64;
        if better {
            least = destination;
            (least_measure, least_weight) = (measure, weight);
        }
        ControlFlow::Continue(())
    });
    some(least)
}
