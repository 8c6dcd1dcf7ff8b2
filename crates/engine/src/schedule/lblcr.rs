//! Locality-based least connections with replication (ip_vs_lblcr.c): an address that clients ask
//! for has a set of destinations, of which the one with the least overhead for its weight gets the
//! connection. If that is strained, wlc chooses, and its choice joins the set. When the set has not
//! changed for `lblcr_expiration`, the one with the most overhead leaves it. Of equals the one that
//! joined last comes first.

use core::ops::ControlFlow;

use super::near::of_service;
use super::{NONE, some};
use crate::destination::Destination;
use crate::locality::Locality;
use crate::settings::ticks;
use crate::sysctl::Sysctl;
use crate::tables::Tables;

#[inline(always)]
pub(super) fn known<T: Tables>(tables: &T, locality: &Locality, service: u32) -> Option<u32> {
    let set = Set::read(tables, locality, service);
    if set.size > 1 && set.most.number != NONE && is_stale(tables, locality) {
        locality.remove(set.most.turn, set.most.number, tables.now());
    }
    some(set.least.number)
}

#[inline(always)]
pub(super) fn learn<T: Tables>(tables: &T, locality: &Locality, chosen: u32) {
    let mut found = NONE;
    tables.repeat(locality.length(), |turn| {
        if locality.newest(turn) == Some(chosen) {
            found = turn;
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    if found == NONE {
        locality.add(chosen, tables.now());
    }
}

/// A negative `lblcr_expiration` is over at once.
#[inline(always)]
fn is_stale<T: Tables>(tables: &T, locality: &Locality) -> bool {
    let Some(settings) = tables.settings() else {
        return false;
    };
    let seconds = settings.sysctl(Sysctl::LblcrExpiration) as i32;
    seconds < 0 || locality.age(tables.now()) > ticks(seconds as u32)
}

/// What is to be known of an address's destinations.
struct Set {
    /// How many there are, removed ones too.
    size: u32,
    /// The one with the least overhead of those that take connections.
    least: Weighed,
    /// The one with the most of all that have a weight.
    most: Weighed,
}

#[derive(Clone, Copy)]
struct Weighed {
    number: u32,
    turn: u32,
    overhead: u64,
    weight: u64,
}

impl Set {
    #[inline(always)]
    fn read<T: Tables>(tables: &T, locality: &Locality, service: u32) -> Self {
        let (mut size, mut least, mut most) = (0u32, Weighed::NOBODY, Weighed::NOBODY);
        tables.repeat(locality.length(), |turn| {
            let Some(number) = locality.newest(turn) else {
                return ControlFlow::Continue(());
            };
            size = size.wrapping_add(1);
            let (Some(destination), Some(load)) =
                (of_service(tables, number, service), tables.load(number))
            else {
                return ControlFlow::Continue(());
            };
            let weight = destination.weight.load() as u64;
            if weight == 0 {
                return ControlFlow::Continue(());
            }
            let it = Weighed {
                number,
                turn,
                overhead: load.overhead(),
                weight,
            };
            let takes = destination.is(Destination::AVAILABLE) && load.overloaded.load() == 0;
            if takes && (least.number == NONE || it.is_lighter_than(least)) {
                least = it;
            }
            if most.number == NONE || most.is_lighter_than(it) {
                most = it;
            }
            ControlFlow::Continue(())
        });
        Self { size, least, most }
    }
}

impl Weighed {
    const NOBODY: Self = Self {
        number: NONE,
        turn: 0,
        overhead: 0,
        weight: 0,
    };

    #[inline(always)]
    fn is_lighter_than(self, other: Self) -> bool {
        other.overhead.wrapping_mul(self.weight) as i64
            > self.overhead.wrapping_mul(other.weight) as i64
    }
}
