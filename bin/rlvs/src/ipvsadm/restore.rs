//! `-R`: many commands from stdin, made together or not at all.

use std::io::BufRead;

use rlvs_control::{Change, Director, Error, Transaction};

use super::command::Command;
use super::failure::Failure;
use super::names::Names;
use super::parse::parse;

/// A command of the input, with where it was.
struct Line {
    number: usize,
    text: String,
}

/// Reads all of `input`, then applies it after `first`.
pub(super) fn restore(
    first: Option<Change>,
    input: &mut dyn BufRead,
    director: &mut dyn Director,
    names: &dyn Names,
) -> Result<(), Failure> {
    let before = usize::from(first.is_some());
    let Script { changes, lines } = script(input, names)?;
    let transaction = Transaction::from(first.into_iter().chain(changes).collect::<Vec<_>>());
    director.apply(&transaction).map_err(|error| {
        let at = error
            .change
            .and_then(|index| lines.get(index.checked_sub(before)?));
        Failure::one_of_many(&at.map(Line::prefix).unwrap_or_default(), &error)
    })
}

/// Rules in the words of `-S`, or of a script.
pub(crate) struct Script {
    pub(crate) changes: Vec<Change>,
    lines: Vec<Line>,
}

impl Script {
    /// Reads all of `input`; the error names the line.
    pub(crate) fn read(input: &mut dyn BufRead, names: &dyn Names) -> Result<Self, String> {
        script(input, names).map_err(|failure| failure.text)
    }

    /// The error of one of its changes, with the line that it is of.
    pub(crate) fn blame(&self, error: &Error) -> String {
        let line = error.change.and_then(|index| self.lines.get(index));
        line.map(Line::prefix).unwrap_or_default() + &error.message
    }
}

fn script(input: &mut dyn BufRead, names: &dyn Names) -> Result<Script, Failure> {
    let (mut changes, mut lines) = (Vec::new(), Vec::new());
    for (index, text) in input.lines().enumerate() {
        let line = Line {
            number: index + 1,
            text: text?.trim().to_owned(),
        };
        if let Some(change) = change(&line, names)? {
            changes.push(change);
            lines.push(line);
        }
    }
    Ok(Script { changes, lines })
}

impl Line {
    /// What an error begins with.
    fn prefix(&self) -> String {
        format!("line {}: `{}': ", self.number, self.text)
    }
}

/// The change of one line; nothing for comments and empty lines.
fn change(line: &Line, names: &dyn Names) -> Result<Option<Change>, Failure> {
    let mut words = line
        .text
        .split_whitespace()
        .map(str::to_owned)
        .collect::<Vec<_>>();
    match words.first().map(String::as_str) {
        None => return Ok(None),
        Some(word) if word.starts_with('#') => return Ok(None),
        // As in a script.
        Some("ipvsadm") => drop(words.remove(0)),
        Some(_) => {}
    }
    let failed = |failure: Failure| Failure {
        text: line.prefix() + &failure.text,
        ..failure
    };
    match parse(&words, names).map_err(failed)? {
        Command::Change(change) => Ok(Some(change)),
        _ => Err(failed(Failure::usage(
            "only commands that change something can be restored",
        ))),
    }
}
