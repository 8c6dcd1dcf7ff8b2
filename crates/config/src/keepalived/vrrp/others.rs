//! Small blocks at the top of the file.

use super::super::block::{Keyword, block, read_block, value};
use super::super::notes::{Notes, lines, words};
use super::super::tree::Statement;
use super::name;
use crate::model::vrrp::{GarpGroup, InterfaceDelay, TrackGroup};

/// Lines of words as they are: routes and rules in the words of `ip`.
pub(in super::super) fn routes(statement: &Statement) -> Vec<String> {
    let text = |line: &Statement| {
        let words = line.words.iter().map(|word| word.text.as_str());
        words.collect::<Vec<_>>().join(" ")
    };
    lines(statement).iter().map(text).collect()
}

/// `linkbeat_interfaces { IF [MII|ETHTOOL|IOCTL] }`
pub(in super::super) fn linkbeat_interfaces(statement: &Statement) -> Vec<String> {
    routes(statement)
}

/// `interface_up_down_delays { IF DOWN [UP] }`
pub(in super::super) fn interface_delays(
    notes: &mut Notes,
    statement: &Statement,
) -> Vec<InterfaceDelay> {
    let read = lines(statement).iter();
    read.filter_map(|line| interface_delay(notes, line))
        .collect()
}

fn interface_delay(notes: &mut Notes, line: &Statement) -> Option<InterfaceDelay> {
    let mut seconds = |word| notes.number_of(line, word, 0.0..=LONGEST_DELAY);
    let Some(down) = line.parameters().first() else {
        notes.wrong(line, "its delay in seconds is missing");
        return None;
    };
    Some(InterfaceDelay {
        interface: line.keyword().to_owned(),
        down: seconds(down)?,
        up: line.parameters().get(1).and_then(seconds),
    })
}

/// keepalived's, in seconds.
const LONGEST_DELAY: f64 = 255.0;

pub(in super::super) fn track_group(
    notes: &mut Notes,
    statement: &Statement,
) -> Option<TrackGroup> {
    let mut group = TrackGroup {
        name: name(notes, statement)?,
        ..TrackGroup::default()
    };
    read_block(statement, &[TRACK_GROUP], &mut group, notes);
    Some(group)
}

const TRACK_GROUP: &[Keyword<TrackGroup>] = &[block(&["group"], |it, _, line| {
    it.group.extend(words(line).map(|word| word.text.clone()));
})];

pub(in super::super) fn garp_group(notes: &mut Notes, statement: &Statement) -> GarpGroup {
    let mut group = GarpGroup::default();
    read_block(statement, &[GARP_GROUP], &mut group, notes);
    group
}

const GARP_GROUP: &[Keyword<GarpGroup>] = &[
    value(&["garp_interval"], |it, notes, line| {
        it.garp_interval = notes.seconds(line);
    }),
    value(&["gna_interval"], |it, notes, line| {
        it.gna_interval = notes.seconds(line);
    }),
    value(&["interface"], |it, notes, line| {
        let interface = notes.text(line);
        it.interfaces.extend(interface);
    }),
    block(&["interfaces"], |it, _, line| {
        it.interfaces
            .extend(words(line).map(|word| word.text.clone()));
    }),
];
