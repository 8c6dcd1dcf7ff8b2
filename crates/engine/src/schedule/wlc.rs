//! Weighted least connections: the destination with the smallest overhead for its weight.
//!
//! Ratios are compared by multiplying crosswise, in 64 bits as IPVS does (ip_vs_wlc.c).

use core::ops::ControlFlow;

use super::{NONE, some};
use crate::service::Service;
use crate::tables::Tables;

#[inline(always)]
pub(super) fn pick<T: Tables>(tables: &T, service: &Service) -> Option<u32> {
    let members = service.members();
    let mut least = NONE;
    let (mut least_overhead, mut least_weight) = (0u64, 0u64);
    tables.repeat(members.count(), |index| {
        let Some((weight, destination)) = members.member(tables, index) else {
            return ControlFlow::Break(());
        };
        let Some(load) = tables.load(destination) else {
            return ControlFlow::Break(());
        };
        let (overhead, weight) = (load.overhead(), weight as u64);
        let better = least == NONE
            || least_overhead.wrapping_mul(weight) as i64
                > overhead.wrapping_mul(least_weight) as i64;
        if weight > 0 && better && load.overloaded.load() == 0 {
            least = destination;
            (least_overhead, least_weight) = (overhead, weight);
        }
        ControlFlow::Continue(())
    });
    some(least)
}
