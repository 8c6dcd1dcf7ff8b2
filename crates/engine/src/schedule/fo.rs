//! Failover: the destination with the highest weight (ip_vs_fo.c). Others get connections while it is
//! at its threshold, or when it is gone.

use super::{Members, heaviest};
use crate::tables::Tables;

#[inline(always)]
pub(super) fn pick<T: Tables>(tables: &T, members: Members) -> Option<u32> {
    heaviest::pick(tables, members, |_, _| true)
}
