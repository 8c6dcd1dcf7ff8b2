//! The better of two that are drawn by weight: "power of two choices" (ip_vs_twos.c).
//!
//! Two destinations are drawn, each by its weight's share and maybe twice the same; of both, the
//! one with the smaller overhead for its weight has the connection.

use core::ops::ControlFlow;

use super::{Members, NONE, some};
use crate::service::Service;
use crate::tables::Tables;

/// A destination that was drawn, or is to be.
#[derive(Clone, Copy)]
struct Drawn {
    /// The first at which so much weight was passed.
    at: u64,
    destination: u32,
    weight: u32,
}

#[inline(always)]
pub(super) fn pick<T: Tables>(tables: &T, service: &Service, members: Members) -> Option<u32> {
    let random = random(tables, service);
    let total = total(tables, members, random);
    if total == 0 {
        return None;
    }
    // From 0 to the total, both included, as in IPVS.
    let begin = |part: u32| Drawn {
        at: (part as u64).wrapping_mul(total.wrapping_add(1)) >> 32,
        destination: NONE,
        weight: 0,
    };
    let (mut one, mut two) = (begin(random as u32), begin((random >> 32) as u32));
    let mut passed = random;
    tables.repeat(members.count(), |index| {
        if let Some((weight, destination)) = member(tables, members, index) {
            passed = passed.wrapping_add(weight as u64);
            let passed = passed.wrapping_sub(random);
            pass(&mut one, passed, weight, destination);
            pass(&mut two, passed, weight, destination);
        }
        match one.destination != NONE && two.destination != NONE {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    some(better(tables, one, two))
}

/// Weight of all that may be drawn.
///
/// It is counted from anywhere, not from 0: bounds that the verifier knows would grow with every
/// turn, and it would read them all.
#[inline(always)]
fn total<T: Tables>(tables: &T, members: Members, anywhere: u64) -> u64 {
    let mut total = anywhere;
    tables.repeat(members.count(), |index| {
        if let Some((weight, _)) = member(tables, members, index) {
            total = total.wrapping_add(weight as u64);
        }
        ControlFlow::Continue(())
    });
    total.wrapping_sub(anywhere)
}

/// One that takes connections.
#[inline(always)]
fn member<T: Tables>(tables: &T, members: Members, index: u32) -> Option<(u32, u32)> {
    let (weight, destination) = members.member(tables, index)?;
    (weight > 0 && !super::is_overloaded(tables, destination)).then_some((weight, destination))
}

#[inline(always)]
fn pass(drawn: &mut Drawn, passed: u64, weight: u32, destination: u32) {
    if passed >= drawn.at && drawn.destination == NONE {
        (drawn.destination, drawn.weight) = (destination, weight);
    }
}

#[inline(always)]
fn better<T: Tables>(tables: &T, one: Drawn, two: Drawn) -> u32 {
    let overhead = |drawn: Drawn| {
        tables
            .load(drawn.destination)
            .map_or(0, |load| load.overhead())
    };
    let (weight1, weight2) = (one.weight as u64, two.weight as u64);
    match weight2.wrapping_mul(overhead(one)) > weight1.wrapping_mul(overhead(two)) {
        true => two.destination,
        false => one.destination,
    }
}

/// 64 bits that differ from choice to choice: the cursor counts them.
#[inline(always)]
fn random<T: Tables>(tables: &T, service: &Service) -> u64 {
    let seed = tables.settings().map_or(0, |settings| settings.seed.load());
    crate::family::mix(seed ^ service.cursor.add(1))
}
