//! What is run when VRRP changes its state.

use super::super::block::{Keyword, value};
use crate::model::vrrp::Notify;

/// What has notifiers.
pub(super) trait Notifies {
    fn notify(&mut self) -> &mut Notify;
}

/// Their keywords.
pub(super) const fn notify<T: Notifies>() -> [Keyword<T>; 7] {
    [
        value(&["notify_master"], |it: &mut T, notes, line| {
            it.notify().master = notes.command(line);
        }),
        value(&["notify_backup"], |it: &mut T, notes, line| {
            it.notify().backup = notes.command(line);
        }),
        value(&["notify_fault"], |it: &mut T, notes, line| {
            it.notify().fault = notes.command(line);
        }),
        value(&["notify_stop"], |it: &mut T, notes, line| {
            it.notify().stop = notes.command(line);
        }),
        value(&["notify_deleted"], |it: &mut T, notes, line| {
            it.notify().tell_deleted = true;
            if !line.parameters().is_empty() {
                it.notify().deleted = notes.command(line);
            }
        }),
        value(
            &["notify_master_rx_lower_pri"],
            |it: &mut T, notes, line| {
                it.notify().master_rx_lower_pri = notes.command(line);
            },
        ),
        value(&["notify"], |it: &mut T, notes, line| {
            it.notify().any = notes.command(line);
        }),
    ]
}
