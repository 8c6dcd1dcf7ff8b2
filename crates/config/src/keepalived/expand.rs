//! From files to lines: includes, conditions, parameters, sequences (keepalived.conf(5),
//! "Advanced configuration").
//!
//! A parameter is replaced when its line is read, not when it is defined, and what it stands for
//! may define, ask and repeat in turn. Every line therefore goes through [`Expander::line`] until
//! nothing is left to replace.

mod include;
mod parameters;
mod sequence;

use std::path::{Path, PathBuf};

use super::Options;
use super::tree::{Builder, Line, Statement};
use super::words::without_comment;
use crate::problem::{Problem, Problems};
use crate::source::{Place, Sources};
use include::Checks;
use parameters::{Definition, Parameters};

/// Lines that a configuration may have when all is expanded: 65,024 instances of the manual's
/// example are below a million.
const MOST_LINES: usize = if cfg!(test) { 20_000 } else { 4_000_000 };
/// Bytes of all of them.
const MOST_BYTES: usize = 1 << 29;
const LONGEST_LINE: usize = 1 << 16;
/// Replacements inside replacements.
const DEEPEST: usize = 64;

/// Reads files into a tree.
#[derive(Debug)]
pub(super) struct Expander<'a> {
    options: &'a Options,
    pub(super) sources: Sources,
    pub(super) problems: Problems,
    parameters: Parameters,
    /// A definition of several lines that goes on.
    open: Option<Definition>,
    checks: Checks,
    builder: Builder,
    directory: PathBuf,
    lines: usize,
    bytes: usize,
    /// It grew beyond all measure, which was said.
    stopped: bool,
}

impl<'a> Expander<'a> {
    pub(super) fn new(options: &'a Options) -> Self {
        Self {
            options,
            sources: Sources::default(),
            problems: Problems::default(),
            parameters: Parameters::new(options),
            open: None,
            checks: Checks::default(),
            builder: Builder::default(),
            directory: PathBuf::new(),
            lines: 0,
            bytes: 0,
            stopped: false,
        }
    }

    pub(super) fn finish(mut self) -> (Vec<Statement>, Sources, Problems) {
        let tree = self.builder.finish(&mut self.problems);
        (tree, self.sources, self.problems)
    }

    /// Reads the text of a file; `depth` counts the files that include it.
    pub(super) fn file(&mut self, path: &Path, text: String, depth: usize) {
        let directory = path.parent().unwrap_or(Path::new("")).to_owned();
        let outer = std::mem::replace(&mut self.directory, directory);
        let file = self.sources.add(path, text);
        let text = self.sources.text(file);
        let mut start = 0;
        for physical in text.split_inclusive('\n') {
            let body = without_comment(physical);
            let trimmed = body.trim();
            let offset = start + (body.len() - body.trim_start().len());
            start += physical.len();
            let place = Place::new(file, offset, trimmed.len());
            if trimmed.is_empty() || self.goes_on(trimmed) || self.include(trimmed, place, depth) {
                continue;
            }
            let exact = true;
            let text = trimmed;
            self.line(Line { text, place, exact }, 0);
        }
        self.directory = outer;
    }

    /// Adds a line to the definition that goes on, if one does.
    fn goes_on(&mut self, text: &str) -> bool {
        let Some(mut definition) = self.open.take() else {
            return false;
        };
        if definition.line(text) {
            self.open = Some(definition);
        } else {
            self.parameters.define(definition);
        }
        true
    }

    /// Replaces in a line what can be replaced, then gives it to the tree.
    fn line(&mut self, line: Line<'_>, depth: usize) {
        let Some(line) = self.condition(line) else {
            return;
        };
        if depth > DEEPEST {
            return self.stop(line.place, "a parameter stands for itself");
        }
        if self.goes_on(line.text) || self.define(line.text) || self.sequence(line, depth) {
            return;
        }
        match self.parameters.replace(line.text, &self.directory) {
            None => self.emit(line),
            Some(lines) => {
                for text in lines {
                    let within = text.len() <= LONGEST_LINE;
                    if !within || self.stopped || !self.count(&text, line.place) {
                        return self.stop(line.place, "the line grows without end");
                    }
                    let (text, place) = (text.trim(), line.place);
                    let exact = false;
                    self.line(Line { text, place, exact }, depth + 1);
                }
            }
        }
    }

    /// What is left of a line after conditions that hold.
    fn condition<'t>(&self, mut line: Line<'t>) -> Option<Line<'t>> {
        while let Some(rest) = line.text.strip_prefix('@') {
            let (word, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            let holds = match word.strip_prefix('^') {
                Some(other) => other != self.options.config_id,
                None => word == self.options.config_id,
            };
            if !holds {
                return None;
            }
            let after = after.trim_start();
            let skipped = line.text.len() - after.len();
            line.place = line.place_of(skipped, after.len());
            line.text = after;
        }
        (!line.text.is_empty()).then_some(line)
    }

    /// Takes `$NAME=VALUE`.
    fn define(&mut self, text: &str) -> bool {
        let Some((definition, more)) = Definition::read(text) else {
            return false;
        };
        if more {
            self.open = Some(definition);
        } else {
            self.parameters.define(definition);
        }
        true
    }

    fn emit(&mut self, line: Line<'_>) {
        if self.count(line.text, line.place) {
            self.checks.notice(line.text);
            self.builder.line(line, &mut self.problems);
        }
    }

    /// Whether there is room for one more line.
    fn count(&mut self, text: &str, place: Place) -> bool {
        self.lines += 1;
        self.bytes += text.len();
        if self.lines > MOST_LINES || self.bytes > MOST_BYTES {
            self.stop(place, "the configuration is too large when all is expanded");
        }
        !self.stopped
    }

    fn stop(&mut self, place: Place, message: &str) {
        if !self.stopped {
            self.problems.push(Problem::error(place, message));
        }
        self.stopped = true;
    }
}
