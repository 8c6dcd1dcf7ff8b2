//! VRRP: read and kept.

mod address;
mod auth_hmac;
mod bfd;
mod instance;
mod notify;
mod others;
mod sync_group;
mod track;

pub(super) use address::addresses;
pub(super) use bfd::bfd_instance;
pub(super) use instance::vrrp_instance;
pub(super) use others::{garp_group, interface_delays, linkbeat_interfaces, routes, track_group};
pub(super) use sync_group::sync_group;
pub(super) use track::{track_file, track_process, vrrp_script};

use super::notes::Notes;
use super::tree::Statement;
use crate::model::vrrp::Garp;

/// `garp_extra_if [all] SECONDS`
pub(super) fn extra_if(garp: &mut Garp, notes: &mut Notes, line: &Statement) {
    garp.extra_if_all = line
        .parameters()
        .first()
        .is_some_and(|word| word.text == "all");
    match line.parameters().get(usize::from(garp.extra_if_all)) {
        Some(word) => garp.extra_if = notes.number_of(line, word, 0..=86_400),
        None => notes.wrong(line, "its seconds are missing"),
    }
}

/// The name of a block.
fn name(notes: &mut Notes, statement: &Statement) -> Option<String> {
    notes.text(statement)
}
