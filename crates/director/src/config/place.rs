//! Where an error is, and what was probably meant.

use std::ops::Range;

use serde::de::DeserializeOwned;

/// Reads `text`; an error says `line:column: key: what is wrong`.
pub(super) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let deserializer = toml::Deserializer::parse(text).map_err(|error| placed(text, "", &error))?;
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let key = format!("{}: ", error.path());
        placed(text, &key, error.inner())
    })
}

fn placed(text: &str, key: &str, error: &toml::de::Error) -> String {
    let (line, column) = place_of(text, error.span());
    let message = error.message();
    format!("{line}:{column}: {key}{message}{}", suggestion(message))
}

/// Line and column, counted from 1, of a range of bytes.
fn place_of(text: &str, span: Option<Range<usize>>) -> (usize, usize) {
    let start = span.map_or(0, |span| span.start);
    let before = text.get(..start).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
    (line, before[line_start..].chars().count() + 1)
}

/// What to add to "unknown field `a`, expected one of `b`, `c`" when `a` is nearly `b` or `c`.
fn suggestion(message: &str) -> String {
    if !message.starts_with("unknown ") {
        return String::new();
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let Some(word) = quoted.next() else {
        return String::new();
    };
    let distance = |candidate: &&str| strsim::damerau_levenshtein(word, candidate);
    match quoted.min_by_key(distance) {
        Some(nearest) if distance(&nearest) <= tolerance(word) => {
            format!("; did you mean `{nearest}`?")
        }
        _ => String::new(),
    }
}

/// A slip in three letters, two in six: more is another word.
fn tolerance(word: &str) -> usize {
    (word.len() / 3).clamp(1, 3)
}
