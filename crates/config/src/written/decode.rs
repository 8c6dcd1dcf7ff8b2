//! From text to the types of the file, with all that is wrong at once.
//!
//! serde stops at the first error. What is wrong there is then left out and the rest read again,
//! until nothing is wrong any more: each error is found as if it were the only one.

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

use crate::problem::{Problem, Problems};
use crate::source::Place;
use crate::suggest::nearest;

/// Errors after which nobody reads on.
const MOST_ERRORS: usize = 50;

/// Reads `text`, the file of this number.
pub(super) fn decode<T: DeserializeOwned>(text: &str, file: u32) -> Result<T, Problems> {
    let mut problems = Problems::default();
    let mut table = match DeTable::parse(text) {
        Ok(table) => table,
        Err(_) => {
            for error in DeTable::parse_recoverable(text).1 {
                problems.push(problem(&error, "", file));
            }
            return Err(problems);
        }
    };
    loop {
        let deserializer = Deserializer::from(table.clone());
        let error = match serde_path_to_error::deserialize::<_, T>(deserializer) {
            Ok(value) if problems.is_empty() => return Ok(value),
            Ok(_) => return Err(problems),
            Err(error) => error,
        };
        let (path, error) = (error.path().to_string(), error.into_inner());
        problems.push(problem(&error, &path, file));
        let left_out = error
            .span()
            .is_some_and(|span| leave_out(table.get_mut(), &span));
        if !left_out || problems.iter().len() >= MOST_ERRORS {
            return Err(problems);
        }
    }
}

/// Where the value, or if there is none the key or table around it, is.
pub(super) fn place_of(text: &str, file: u32, path: &[Step<'_>]) -> Place {
    let Ok(table) = DeTable::parse(text) else {
        return Place::new(file, 0, 0);
    };
    let mut span = table.span();
    let mut value = DeValue::Table(table.into_inner());
    for step in path {
        let next = match (&mut value, step) {
            (DeValue::Table(table), Step::Key(key)) => table.remove(*key),
            (DeValue::Array(array), Step::Index(index)) => array.get_mut(*index).map(|item| {
                let span = item.span();
                Spanned::new(
                    span,
                    std::mem::replace(item.get_mut(), DeValue::Boolean(false)),
                )
            }),
            _ => None,
        };
        let Some(next) = next else {
            break;
        };
        span = next.span();
        value = next.into_inner();
    }
    Place::new(file, span.start, span.len())
}

/// A step from a table or list to what is in it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

fn problem(error: &toml::de::Error, path: &str, file: u32) -> Problem {
    let span = error.span().unwrap_or(0..0);
    let place = Place::new(file, span.start, span.len());
    let message = error.message();
    let key = if path == "." { "" } else { path };
    match suggestion(message) {
        // What was probably meant says more than all that there is.
        Some(name) => Problem::error(place, message.split(", ").next().unwrap_or(message))
            .key(key)
            .help(format!("did you mean `{name}`?")),
        None => Problem::error(place, message).key(key),
    }
}

/// What was meant in "unknown field `a`, expected one of `b`, `c`".
fn suggestion(message: &str) -> Option<&str> {
    if !message.starts_with("unknown ") {
        return None;
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let word = quoted.next()?;
    nearest(word, quoted)
}

/// Removes the innermost key or value around `span`.
fn leave_out(table: &mut DeTable<'_>, span: &Range<usize>) -> bool {
    let covers = |outer: Range<usize>| outer.start <= span.start && span.end <= outer.end;
    let mut found = None;
    for (key, value) in table.iter_mut() {
        if covers(key.span()) {
            found = Some(key.get_ref().to_string());
        } else if covers(value.span()) || holds(value, span) {
            if !leave_out_of(value.get_mut(), span) {
                found = Some(key.get_ref().to_string());
            } else {
                return true;
            }
        }
        if found.is_some() {
            break;
        }
    }
    found.is_some_and(|key| table.remove(key.as_str()).is_some())
}

/// Whether the value of a table that has several headers has a part there.
fn holds(value: &Spanned<DeValue<'_>>, span: &Range<usize>) -> bool {
    let covers = |outer: Range<usize>| outer.start <= span.start && span.end <= outer.end;
    match value.get_ref() {
        DeValue::Table(table) => table
            .iter()
            .any(|(key, value)| covers(key.span()) || covers(value.span()) || holds(value, span)),
        DeValue::Array(array) => array
            .iter()
            .any(|item| covers(item.span()) || holds(item, span)),
        _ => false,
    }
}

fn leave_out_of(value: &mut DeValue<'_>, span: &Range<usize>) -> bool {
    match value {
        DeValue::Table(table) => leave_out(table, span),
        DeValue::Array(array) => {
            let item = array.iter_mut().find(|item| {
                let outer = item.span();
                (outer.start <= span.start && span.end <= outer.end) || holds(item, span)
            });
            item.is_some_and(|item| leave_out_of(item.get_mut(), span))
        }
        _ => false,
    }
}
