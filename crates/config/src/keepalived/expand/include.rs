//! `include FILE` and its stricter kin.

use std::path::Path;

use super::Expander;
use crate::files;
use crate::problem::{Problem, Severity};
use crate::source::Place;

/// Files inside files; more is a file that includes itself.
const DEEPEST: usize = 32;

/// What is an error of an `include`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Checks {
    readable: bool,
    matches: bool,
    wildcard: bool,
    brace: bool,
}

impl Checks {
    const ALL: Self = Self {
        readable: true,
        matches: true,
        wildcard: true,
        brace: true,
    };

    /// Takes `include_check [OPTIONS]` where it stands: it counts from there on.
    pub(super) fn notice(&mut self, line: &str) {
        let Some(rest) = line.strip_prefix("include_check") else {
            return;
        };
        let mut words = rest.split_whitespace().peekable();
        match words.peek() {
            None => *self = Self::ALL,
            Some(word) if !word.starts_with(['+', '-']) => *self = Self::default(),
            Some(_) => {}
        }
        for word in words {
            let on = !word.starts_with('-');
            self.set(word.trim_start_matches(['+', '-']), on);
        }
    }

    fn set(&mut self, name: &str, on: bool) {
        match name {
            "readable" => self.readable = on,
            "match" => self.matches = on,
            "wildcard_match" => self.wildcard = on,
            "brace_match" => self.brace = on,
            _ => {}
        }
    }

    /// With what the keyword itself adds.
    fn of(self, keyword: &str) -> Option<Self> {
        let mut checks = self;
        match keyword {
            "include" => {}
            "includer" => checks.readable = true,
            "includem" => checks.matches = true,
            "includew" => checks.wildcard = true,
            "includeb" => checks.brace = true,
            "includea" => checks = Self::ALL,
            _ => return None,
        }
        Some(checks)
    }

    /// Whether it is an error that nothing is there for this name.
    fn misses(self, name: &str) -> bool {
        if files::is_pattern(name) {
            self.wildcard
        } else if name.contains('{') {
            self.brace || self.matches
        } else {
            self.readable || self.matches
        }
    }
}

impl Expander<'_> {
    /// Reads the files that a line includes, if it includes any.
    pub(super) fn include(&mut self, line: &str, place: Place, depth: usize) -> bool {
        let Some((keyword, name)) = line.split_once(char::is_whitespace) else {
            return false;
        };
        let Some(checks) = self.checks.of(keyword) else {
            return false;
        };
        if depth >= DEEPEST {
            self.stop(place, "files include each other without end");
            return true;
        }
        let name = name.trim().trim_matches(['"', '\'']);
        let paths = files::matching(&self.directory, name);
        if paths.is_empty() {
            let is_error = checks.misses(name);
            let message = format!("no file is found for `{name}`");
            self.complain(place, message, is_error);
        }
        let saved = self.checks;
        for path in paths {
            self.included(&path, place, depth, checks.readable);
            self.checks = saved;
        }
        true
    }

    fn included(&mut self, path: &Path, place: Place, depth: usize, must: bool) {
        // Directories match patterns, too.
        if path.is_dir() || self.stopped {
            return;
        }
        match files::read(path) {
            Ok(text) => self.file(path, text, depth + 1),
            Err(error) => self.complain(place, format!("{}: {error}", path.display()), must),
        }
    }

    fn complain(&mut self, place: Place, message: String, is_error: bool) {
        let severity = match is_error {
            true => Severity::Error,
            false => Severity::Warning,
        };
        self.problems.push(Problem {
            severity,
            ..Problem::error(place, message).key("include")
        });
    }
}
