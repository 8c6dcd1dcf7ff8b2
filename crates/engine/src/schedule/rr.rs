//! Round robin: the next destination that takes connections, whatever its weight.
//!
//! The cursor holds the index of the last choice plus one, so that a fresh one is 0.

use core::ops::ControlFlow;

use super::{Members, NONE, is_overloaded, some};
use crate::service::Service;
use crate::tables::Tables;

#[inline(always)]
pub(super) fn pick<T: Tables>(tables: &T, service: &Service, members: Members) -> Option<u32> {
    let before = service.cursor.load();
    let mut start = before as u32;
    let mut wrapped = false;
    let mut chosen = NONE;
    tables.repeat(members.count().wrapping_add(2), |_| {
        match members.next(tables, start, 1) {
            Some(member) => {
                start = member.index().wrapping_add(1);
                if is_overloaded(tables, member.destination()) {
                    return ControlFlow::Continue(());
                }
                chosen = member.destination();
                ControlFlow::Break(())
            }
            None if wrapped => ControlFlow::Break(()),
            None => {
                (start, wrapped) = (0, true);
                ControlFlow::Continue(())
            }
        }
    });
    if chosen != NONE {
        // Lost to another CPU that chose at the same moment: both took the same one.
        service.cursor.replace(before, start as u64);
    }
    some(chosen)
}
