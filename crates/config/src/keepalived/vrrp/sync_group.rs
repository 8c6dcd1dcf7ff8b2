//! `vrrp_sync_group NAME { ... }`

use super::super::block::{Keyword, block, read_block, value};
use super::super::notes::{Notes, words};
use super::super::tree::Statement;
use super::name;
use super::notify::{Notifies, notify};
use super::track::{Tracks, track};
use crate::model::vrrp::{Notify, SyncGroup, Track};

impl Notifies for SyncGroup {
    fn notify(&mut self) -> &mut Notify {
        &mut self.notify
    }
}

impl Tracks for SyncGroup {
    fn track(&mut self) -> &mut Track {
        &mut self.track
    }
}

pub(in super::super) fn sync_group(notes: &mut Notes, statement: &Statement) -> Option<SyncGroup> {
    let mut group = SyncGroup {
        name: name(notes, statement)?,
        ..SyncGroup::default()
    };
    let track = &const { track::<SyncGroup>() };
    let notify = &const { notify::<SyncGroup>() };
    read_block(statement, &[GROUP, track, notify], &mut group, notes);
    Some(group)
}

const GROUP: &[Keyword<SyncGroup>] = &[
    block(&["group"], |it, _, line| {
        it.group.extend(words(line).map(|word| word.text.clone()));
    }),
    value(&["notify_priority_changes"], |it, notes, line| {
        it.notify_priority_changes = notes.flag(line);
    }),
    value(&["smtp_alert"], |it, notes, line| {
        it.smtp_alert = notes.flag(line);
    }),
    value(&["global_tracking"], |it, notes, line| {
        it.tracking_weight = true;
        let message = "is old: what counts for a group is tracked by the group (track_interface, \
                       track_script, track_file)";
        notes.warn(line.words[0].place, line.keyword(), message);
    }),
    value(&["sync_group_tracking_weight"], |it, _, _| {
        it.tracking_weight = true
    }),
];
