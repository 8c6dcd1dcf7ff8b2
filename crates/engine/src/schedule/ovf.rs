//! Overflow: the destination with the highest weight that has no more active connections than its
//! weight says; beyond it, the next (ip_vs_ovf.c).

use super::{Members, heaviest};
use crate::tables::Tables;

#[inline(always)]
pub(super) fn pick<T: Tables>(tables: &T, members: Members) -> Option<u32> {
    heaviest::pick(tables, members, |active, weight| active <= weight)
}
