//! What lblc and lblcr have in common: an address stays with destinations that it is known to have,
//! so that a cache has all of it, unless they have much to do while another has little.

use core::ops::ControlFlow;

use super::{Members, NONE, Scheduler, lblc, lblcr};
use crate::destination::Destination;
use crate::locality::{Locality, Site};
use crate::tables::{FamilyTables, KeyOf, Tables};
use crate::tuple::Packet;

/// The choice of lblc or lblcr: behind the seam [`FamilyTables::near`]. An address of which nothing
/// is known, or that needs another destination, gets wlc's choice.
#[inline(always)]
pub fn pick<F: Packet, T: FamilyTables<F>>(
    tables: &T,
    key: &KeyOf<F>,
    service: u32,
    members: Members,
) -> Option<u32> {
    let Some(locality) = tables.locality(&Site::of::<F>(key, service)) else {
        return tables.walk(members);
    };
    if let Some(known) = tables.known(locality, service, members) {
        return Some(known);
    }
    let chosen = tables.walk(members)?;
    tables.learn(locality, members, chosen);
    Some(chosen)
}

/// The destination that the address is known to have, if it shall have the connection: behind the
/// seam [`Tables::known`].
#[inline(always)]
pub fn known<T: Tables>(
    tables: &T,
    locality: &Locality,
    service: u32,
    members: Members,
) -> Option<u32> {
    locality.used.store(tables.now());
    let known = match members.scheduler() {
        Scheduler::Lblcr => lblcr::known(tables, locality, service),
        _ => lblc::known(tables, locality, service),
    }?;
    (!is_strained(tables, members, known)).then_some(known)
}

/// The address is served by this one from now on: behind the seam [`Tables::learn`].
#[inline(always)]
pub fn learn<T: Tables>(tables: &T, locality: &Locality, members: Members, chosen: u32) {
    match members.scheduler() {
        Scheduler::Lblcr => lblcr::learn(tables, locality, chosen),
        _ => locality.set_only(chosen),
    }
}

/// Whether a destination has more active connections than its weight says, while one of the others
/// has less than half of that (`is_overloaded` in ip_vs_lblc.c).
#[inline(always)]
fn is_strained<T: Tables>(tables: &T, members: Members, number: u32) -> bool {
    let (Some(load), Some(destination)) = (tables.load(number), tables.destination(number)) else {
        return true;
    };
    if load.counts().0 <= destination.weight.load() {
        return false;
    }
    let mut idle = NONE;
    tables.repeat(members.count(), |index| {
        let Some((weight, other)) = members.member(tables, index) else {
            return ControlFlow::Break(());
        };
        let Some(load) = tables.load(other) else {
            return ControlFlow::Break(());
        };
        if (load.counts().0 as u64) * 2 < weight as u64 {
            idle = other;
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    idle != NONE
}

/// The destination of a number that is remembered, unless its record is another service's by now.
#[inline(always)]
pub(super) fn of_service<T: Tables>(tables: &T, number: u32, service: u32) -> Option<&Destination> {
    let destination = tables.destination(number)?;
    (destination.service.load() == service).then_some(destination)
}
