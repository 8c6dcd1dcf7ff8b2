//! Options that virtual servers, real servers and checkers have alike; the inner ones count.

use rlvs_check::spec::Options;

use super::super::block::{Keyword, value};

/// What has such options.
pub(super) trait HasOptions {
    fn options(&mut self) -> &mut Options;
    fn virtual_host(&mut self) -> &mut Option<String>;
}

/// Their keywords.
pub(super) const fn options<T: HasOptions>() -> [Keyword<T>; 8] {
    [
        value(&["delay_loop"], |it: &mut T, notes, line| {
            if let Some(time) = notes.time(line) {
                it.options().delay_loop = Some(time);
            }
        }),
        value(&["connect_timeout"], |it: &mut T, notes, line| {
            if let Some(time) = notes.time(line) {
                it.options().connect_timeout = Some(time);
            }
        }),
        value(&["retry", "nb_get_retry"], |it: &mut T, notes, line| {
            if let Some(number) = notes.number(line, 0..=u32::MAX) {
                it.options().retry = Some(number);
            }
        }),
        value(&["delay_before_retry"], |it: &mut T, notes, line| {
            if let Some(time) = notes.time(line) {
                it.options().delay_before_retry = Some(time);
            }
        }),
        value(&["warmup"], |it: &mut T, notes, line| {
            if let Some(time) = notes.time(line) {
                it.options().warmup = Some(time);
            }
        }),
        value(&["alpha"], |it: &mut T, notes, line| {
            if let Some(on) = notes.flag(line) {
                it.options().alpha = Some(on);
            }
        }),
        value(&["log_all_failures"], |it: &mut T, notes, line| {
            if let Some(on) = notes.flag(line) {
                it.options().log_all_failures = Some(on);
            }
        }),
        value(&["virtualhost"], |it: &mut T, notes, line| {
            if let Some(name) = notes.text(line) {
                *it.virtual_host() = Some(name);
            }
        }),
    ]
}
