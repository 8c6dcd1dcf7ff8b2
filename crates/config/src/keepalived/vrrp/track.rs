//! What VRRP watches: `track_*` blocks, and what these name.

use std::path::PathBuf;

use super::super::block::{Keyword, block, read_block, value};
use super::super::notes::{Notes, lines};
use super::super::tree::Statement;
use super::name;
use crate::model::vrrp::{Process, Script, Track, TrackFile, Watched};

/// What watches.
pub(super) trait Tracks {
    fn track(&mut self) -> &mut Track;
}

/// The blocks that say what is watched.
pub(super) const fn track<T: Tracks>() -> [Keyword<T>; 5] {
    [
        block(&["track_interface"], |it: &mut T, notes, line| {
            it.track().interface.extend(watched(notes, line, 253));
        }),
        block(&["track_script"], |it: &mut T, notes, line| {
            it.track().script.extend(watched(notes, line, 253));
        }),
        block(&["track_file"], |it: &mut T, notes, line| {
            it.track().file.extend(watched(notes, line, 254));
        }),
        block(&["track_process"], |it: &mut T, notes, line| {
            it.track().process.extend(watched(notes, line, 254));
        }),
        block(&["track_bfd"], |it: &mut T, notes, line| {
            it.track().bfd.extend(watched(notes, line, 253));
        }),
    ]
}

/// `NAME [weight N [reverse|noreverse]]`, a line each.
fn watched(notes: &mut Notes, statement: &Statement, most: i32) -> Vec<Watched> {
    let mut all = Vec::new();
    for line in lines(statement) {
        let mut one = Watched {
            name: line.keyword().to_owned(),
            weight: None,
            reverse: None,
        };
        let mut words = line.parameters().iter();
        while let Some(word) = words.next() {
            match word.text.as_str() {
                "weight" => {
                    let number = words.next();
                    one.weight = number.and_then(|word| notes.number_of(line, word, -most..=most));
                }
                "reverse" => one.reverse = Some(true),
                "noreverse" | "no_reverse" => one.reverse = Some(false),
                other => {
                    let message = format!("`{other}` is neither weight nor reverse");
                    notes.warn(word.place, line.keyword(), message);
                }
            }
        }
        all.push(one);
    }
    all
}

/// `weight N [reverse]`
fn weight(notes: &mut Notes, line: &Statement, most: i32) -> Option<(i32, bool)> {
    let weight = notes.number(line, -most..=most)?;
    let reverse = line.parameters().get(1);
    Some((weight, reverse.is_some_and(|word| word.text == "reverse")))
}

pub(in super::super) fn vrrp_script(notes: &mut Notes, statement: &Statement) -> Option<Script> {
    let mut script = Script::new(name(notes, statement)?);
    read_block(statement, &[SCRIPT], &mut script, notes);
    Some(script)
}

const SCRIPT: &[Keyword<Script>] = &[
    value(&["script"], |it, notes, line| {
        if let Some(command) = notes.command(line) {
            it.script.words = command.words;
        }
    }),
    value(&["interval"], |it, notes, line| {
        it.interval = notes.seconds(line);
    }),
    value(&["timeout"], |it, notes, line| {
        it.timeout = notes.seconds(line);
    }),
    value(&["weight"], |it, notes, line| {
        if let Some((weight, reverse)) = weight(notes, line, 253) {
            (it.weight, it.reverse) = (weight, reverse);
        }
    }),
    value(&["rise"], |it, notes, line| {
        it.rise = notes.number(line, 1..=i32::MAX.cast_unsigned());
    }),
    value(&["fall"], |it, notes, line| {
        it.fall = notes.number(line, 1..=i32::MAX.cast_unsigned());
    }),
    value(&["user"], |it, notes, line| {
        it.script.user = notes.text(line);
        it.script.group = line.parameters().get(1).map(|word| word.text.clone());
    }),
    value(&["init_fail"], |it, _, _| it.init_fail = true),
];

pub(in super::super) fn track_file(notes: &mut Notes, statement: &Statement) -> Option<TrackFile> {
    let mut file = TrackFile::new(name(notes, statement)?);
    read_block(statement, &[FILE], &mut file, notes);
    if file.file.as_os_str().is_empty() {
        notes.wrong(statement, "its `file` is missing; it is left out");
        return None;
    }
    Some(file)
}

const FILE: &[Keyword<TrackFile>] = &[
    value(&["file"], |it, notes, line| {
        it.file = notes.text(line).map(PathBuf::from).unwrap_or_default();
    }),
    value(&["weight"], |it, notes, line| {
        if let Some((weight, reverse)) = weight(notes, line, i32::MAX) {
            (it.weight, it.reverse) = (weight, reverse);
        }
    }),
    value(&["init_file"], |it, notes, line| {
        let mut value = 0;
        for word in line.parameters() {
            match word.text.as_str() {
                "overwrite" => it.overwrite = true,
                _ => {
                    let range = i64::from(i32::MIN)..=i64::from(i32::MAX);
                    value = notes.number_of(line, word, range).unwrap_or(0);
                }
            }
        }
        it.init = Some(value);
    }),
];

pub(in super::super) fn track_process(notes: &mut Notes, statement: &Statement) -> Option<Process> {
    let mut process = Process::new(name(notes, statement)?);
    read_block(statement, &[PROCESS], &mut process, notes);
    Some(process)
}

const PROCESS: &[Keyword<Process>] = &[
    value(&["process"], |it, _, line| {
        it.process = line
            .parameters()
            .iter()
            .map(|word| word.text.clone())
            .collect();
    }),
    value(&["param_match"], |it, notes, line| {
        it.param_match = notes.choice(line, &["initial", "partial"]);
    }),
    value(&["weight"], |it, notes, line| {
        if let Some((weight, reverse)) = weight(notes, line, 254) {
            (it.weight, it.reverse) = (weight, reverse);
        }
    }),
    value(&["quorum"], |it, notes, line| {
        it.quorum = notes.number(line, 0..=65535);
    }),
    value(&["quorum_max"], |it, notes, line| {
        it.quorum_max = notes.number(line, 0..=65535);
    }),
    value(&["fork_delay"], |it, notes, line| {
        it.fork_delay = notes.seconds(line);
    }),
    value(&["terminate_delay"], |it, notes, line| {
        it.terminate_delay = notes.seconds(line);
    }),
    value(&["delay"], |it, notes, line| {
        it.fork_delay = notes.seconds(line);
        it.terminate_delay = it.fork_delay;
    }),
    value(&["full_command"], |it, _, _| it.full_command = true),
];
