//! Least connections: the destination with the smallest overhead, whatever its weight.

use core::ops::ControlFlow;

use super::{NONE, some};
use crate::service::Service;
use crate::tables::Tables;

#[inline(always)]
pub(super) fn pick<T: Tables>(tables: &T, service: &Service) -> Option<u32> {
    let members = service.members();
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
