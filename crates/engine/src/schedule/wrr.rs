//! Weighted round robin: passes over the destinations at a falling weight.
//!
//! IPVS's rule (ip_vs_wrr.c): a pass picks, in order, the destinations whose weight is at least
//! the current weight `cw`; at its end `cw` falls by the gcd of all weights, and from the lowest
//! it goes back to the maximum - gcd + 1. So weights 4, 3, 2 give AABABCABC. The cursor word
//! holds the index of the last choice plus one, and `cw` above it.

use core::ops::ControlFlow;

use super::{Members, NONE, is_overloaded, some};
use crate::service::Service;
use crate::tables::Tables;

#[inline(always)]
pub(super) fn pick<T: Tables>(tables: &T, service: &Service, members: Members) -> Option<u32> {
    let (gcd, reach) = members.weights(tables)?;
    if reach == 0 {
        return None;
    }
    let before = service.cursor.load();
    let mut step = Step::from_bits(before);
    let mut chosen = NONE;
    let mut wrapped_at = NONE;
    tables.repeat(
        members.count().wrapping_mul(2).wrapping_add(MOST_PASSES),
        |turn| {
            if let Some(member) = members.next(tables, step.next, step.weight.max(1)) {
                step.next = member.index().wrapping_add(1);
                if is_overloaded(tables, member.destination()) {
                    return ControlFlow::Continue(());
                }
                chosen = member.destination();
                return ControlFlow::Break(());
            }
            if step.pass(gcd, reach) {
                // Between two wraps all of them were looked at.
                if wrapped_at != NONE {
                    return ControlFlow::Break(());
                }
                wrapped_at = turn;
            }
            ControlFlow::Continue(())
        },
    );
    if chosen != NONE {
        service.cursor.replace(before, step.to_bits());
    }
    some(chosen)
}

/// More passes than this without a destination to pick happen only when those with larger
/// weights are overloaded.
const MOST_PASSES: u32 = 4096;

/// Where weighted round robin stands.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Step {
    /// Index to look at next.
    pub next: u32,
    /// The current weight.
    pub weight: u32,
}

impl Step {
    #[inline(always)]
    pub const fn from_bits(bits: u64) -> Self {
        Self {
            next: bits as u32,
            weight: (bits >> 32) as u32,
        }
    }

    #[inline(always)]
    pub const fn to_bits(self) -> u64 {
        self.next as u64 | (self.weight as u64) << 32
    }

    /// Ends a pass; true if the weight went back to the highest.
    #[inline(always)]
    fn pass(&mut self, gcd: u32, reach: u32) -> bool {
        self.next = 0;
        let wrapped = self.weight <= gcd;
        self.weight = if wrapped {
            reach
        } else {
            self.weight.wrapping_sub(gcd)
        };
        wrapped
    }

    /// The service's destinations or weights have changed: `ip_vs_wrr_dest_changed`.
    pub fn destinations_changed(&mut self, gcd: u32, reach: u32) {
        self.next = 0;
        if self.weight > reach || self.weight == 0 {
            self.weight = reach;
        } else if gcd > 1 {
            self.weight = self.weight / gcd * gcd + 1;
        }
    }
}
