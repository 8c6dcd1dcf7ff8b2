//! Lines `key = value`; indented ones belong to the `virtual` before them.

use crate::keepalived::{Statement, Word};
use crate::source::Place;

/// `virtual = ...` with its directives.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) is_ipv6: bool,
    /// What follows `virtual =`.
    pub(super) head: Word,
    pub(super) statements: Vec<Statement>,
}

/// The directives for all, and the virtual services.
pub(super) fn sections(text: &str, file: u32) -> (Vec<Statement>, Vec<Section>) {
    let (mut globals, mut sections) = (Vec::new(), Vec::<Section>::new());
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let (offset, body) = (start, line.trim_end());
        start += line.len();
        let trimmed = body.trim_start();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let indent = body.len() - trimmed.len();
        let statement = statement(trimmed, offset + indent, file);
        match (statement.keyword(), sections.last_mut()) {
            ("virtual" | "virtual6", _) if indent == 0 => {
                let is_ipv6 = statement.keyword() == "virtual6";
                let place = statement.place();
                let head = statement.words.into_iter().nth(1);
                let text = String::new();
                sections.push(Section {
                    is_ipv6,
                    head: head.unwrap_or(Word { text, place }),
                    statements: Vec::new(),
                });
            }
            (_, Some(section)) if indent > 0 => section.statements.push(statement),
            _ => globals.push(statement),
        }
    }
    (globals, sections)
}

/// The key, then the words of the value, without quotes.
fn statement(line: &str, offset: usize, file: u32) -> Statement {
    let (key, value) = line.split_once('=').unwrap_or((line, ""));
    let key_word = Word {
        text: key.trim().to_owned(),
        place: Place::new(file, offset, key.trim().len()),
    };
    let mut words = vec![key_word];
    words.extend(values(value, offset + key.len() + 1, file));
    Statement { words, block: None }
}

fn values(text: &str, offset: usize, file: u32) -> Vec<Word> {
    let (mut words, mut at) = (Vec::new(), 0);
    while at < text.len() {
        let rest = &text[at..];
        let separates = |character: char| character.is_whitespace() || character == ',';
        if let Some(separator) = rest.chars().next().filter(|it| separates(*it)) {
            at += separator.len_utf8();
            continue;
        }
        let (len, skip) = match rest.chars().next() {
            Some(quote @ ('"' | '\'')) => match rest[1..].find(quote) {
                Some(end) => (end + 2, 1),
                None => (rest.len(), 0),
            },
            _ => (rest.find(separates).unwrap_or(rest.len()), 0),
        };
        words.push(Word {
            text: rest[skip..len - skip].to_owned(),
            place: Place::new(file, offset + at, len),
        });
        at += len;
    }
    words
}
