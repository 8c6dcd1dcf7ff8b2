//! `$NAME=VALUE`, `$NAME`, `${NAME}`, and those that are there from the beginning.

use std::collections::HashMap;
use std::path::Path;

use super::super::Options;

/// A parameter and the lines that it stands for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Definition {
    name: String,
    lines: Vec<String>,
}

/// All that are defined.
#[derive(Debug)]
pub(super) struct Parameters {
    defined: HashMap<String, Vec<String>>,
    instance: String,
    random: u64,
}

impl Definition {
    /// The definition that is a line, and whether more lines follow.
    pub(super) fn read(text: &str) -> Option<(Self, bool)> {
        let (name, value) = text.strip_prefix('$')?.split_once('=')?;
        if !is_name(name) {
            return None;
        }
        let (name, lines) = (name.to_owned(), Vec::new());
        let mut definition = Self { name, lines };
        let more = definition.line(value.trim());
        Some((definition, more))
    }

    pub(super) fn of(name: &str, value: String) -> Self {
        Self {
            name: name.to_owned(),
            lines: vec![value],
        }
    }

    /// Adds a line; whether another follows.
    pub(super) fn line(&mut self, text: &str) -> bool {
        let body = text.strip_suffix('\\');
        let line = body.unwrap_or(text).trim();
        // The first line of several has nothing after its `=`.
        if !(line.is_empty() && (body.is_some() || !self.lines.is_empty())) {
            self.lines.push(line.to_owned());
        }
        body.is_some()
    }
}

impl Parameters {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            defined: HashMap::new(),
            instance: options.instance.clone(),
            // xorshift stays at 0.
            random: options.random.max(1),
        }
    }

    pub(super) fn define(&mut self, definition: Definition) {
        self.defined.insert(definition.name, definition.lines);
    }

    pub(super) fn forget(&mut self, name: &str) {
        self.defined.remove(name);
    }

    /// The lines that `text` becomes when its first parameter is replaced; none if it has none.
    pub(super) fn replace(&mut self, text: &str, directory: &Path) -> Option<Vec<String>> {
        let mut from = 0;
        while let Some(dollar) = text[from..].find('$').map(|index| from + index) {
            from = dollar + 1;
            let Some((name, end)) = reference(text, from) else {
                continue;
            };
            if let Some(lines) = self.value(name, directory) {
                return Some(join(&text[..dollar], lines, &text[end..]));
            }
        }
        None
    }

    fn value(&mut self, name: &str, directory: &Path) -> Option<Vec<String>> {
        if let Some(lines) = self.defined.get(name) {
            return Some(lines.clone());
        }
        let mut words = name.split_ascii_whitespace();
        let text = match words.next()? {
            "_PWD" => directory.display().to_string(),
            "_INSTANCE" => self.instance.clone(),
            "_HASH" => "#".to_owned(),
            "_BANG" => "!".to_owned(),
            "_RANDOM" => {
                let mut bound = |usual: u64| words.next().map_or(Some(usual), |w| w.parse().ok());
                let (least, most) = (bound(0)?, bound(32767)?);
                self.random(least, most).to_string()
            }
            _ => return None,
        };
        Some(vec![text])
    }

    /// By xorshift: which numbers come does not matter, only that they differ.
    fn random(&mut self, least: u64, most: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let range = most.saturating_sub(least).saturating_add(1);
        least + self.random % range
    }
}

/// The parameter that a `$` in front of `start` names, and where that ends: `{NAME}` anywhere,
/// `NAME` in front of white space or the end of the line.
fn reference(text: &str, start: usize) -> Option<(&str, usize)> {
    let rest = &text[start..];
    if let Some(braced) = rest.strip_prefix('{') {
        let end = braced.find('}')?;
        return Some((&braced[..end], start + end + 2));
    }
    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
    is_name(&rest[..end]).then_some((&rest[..end], start + end))
}

fn is_name(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !text.is_empty() && !text.as_bytes()[0].is_ascii_digit() && text.bytes().all(letter)
}

fn join(before: &str, mut lines: Vec<String>, after: &str) -> Vec<String> {
    if lines.is_empty() {
        lines.push(String::new());
    }
    if let Some(first) = lines.first_mut() {
        first.insert_str(0, before);
    }
    if let Some(last) = lines.last_mut() {
        last.push_str(after);
    }
    lines
}
