//! Never queue: the first destination without active connections, else the one of sed
//! (ip_vs_nq.c).

use super::least;
use super::sed::Delay;
use crate::tables::Tables;

use super::Members;

#[inline(always)]
pub(super) fn pick<T: Tables>(tables: &T, members: Members) -> Option<u32> {
    least::pick::<T, Delay>(tables, members, true)
}
