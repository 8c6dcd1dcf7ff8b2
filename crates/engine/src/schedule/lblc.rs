//! Locality-based least connections (ip_vs_lblc.c): an address that clients ask for stays with one
//! destination while that is there, has a weight, and is not strained; else wlc chooses another. The
//! upper threshold counts for wlc only.

use super::near::of_service;
use crate::destination::Destination;
use crate::locality::Locality;
use crate::tables::Tables;

#[inline(always)]
pub(super) fn known<T: Tables>(tables: &T, locality: &Locality, service: u32) -> Option<u32> {
    let number = locality.only()?;
    let destination = of_service(tables, number, service)?;
    let takes = destination.is(Destination::AVAILABLE) && destination.weight.load() > 0;
    takes.then_some(number)
}
