//! Destination hashing: by the address that the client asked for, so that a cache has all of it
//! (ip_vs_dh.c). 256 buckets, which the destinations have in turn, whatever their weights. One that
//! takes no connections refuses those of its buckets.
//!
//! IPVS fills a table with the turns; here the bucket's number says whose turn it is.

use super::{Flow, Members, takes};
use crate::tables::Tables;

const BITS: u32 = 8;

#[inline(always)]
pub(super) fn pick<T: Tables>(tables: &T, members: Members, flow: Flow) -> Option<u32> {
    let bucket = super::hash_32(flow.target, BITS);
    let index = bucket.checked_rem(members.count())?;
    takes(tables, members, index)
}
