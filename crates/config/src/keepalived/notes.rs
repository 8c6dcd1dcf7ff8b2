//! Values of statements, and what is wrong with them. As in keepalived, what is wrong is said and
//! left out, and the rest counts.

use std::fmt::Display;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use super::tree::{Statement, Word};
use crate::model::Command;
use crate::model::command::split;
use crate::problem::{Problem, Problems};
use crate::source::Place;

/// The longest time that anybody means, in seconds: a year.
const LONGEST: f64 = 31_536_000.0;

/// What there is to say.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) problems: Problems,
}

impl Notes {
    /// A keyword that is known, and not acted on.
    pub(crate) fn unacted(&mut self, statement: &Statement, why: &str) {
        let message = format!("not acted on: {why}");
        let problem = Problem::note(statement.place(), message);
        self.problems.push(problem.key(statement.keyword()));
    }

    /// A statement that is left out.
    pub(crate) fn wrong(&mut self, statement: &Statement, message: impl Into<String>) {
        self.warn(statement.place(), statement.keyword(), message);
    }

    pub(crate) fn warn(&mut self, place: Place, keyword: &str, message: impl Into<String>) {
        let problem = Problem::warning(place, message);
        self.problems.push(problem.key(keyword));
    }

    /// The only parameter, or the first.
    pub(crate) fn first<'a>(&mut self, statement: &'a Statement) -> Option<&'a Word> {
        let first = statement.parameters().first();
        if first.is_none() {
            self.wrong(statement, "its value is missing");
        }
        first
    }

    pub(crate) fn text(&mut self, statement: &Statement) -> Option<String> {
        self.first(statement).map(|word| word.text.clone())
    }

    pub(crate) fn number<N>(&mut self, statement: &Statement, range: RangeInclusive<N>) -> Option<N>
    where
        N: Copy + Display + FromStr + PartialOrd,
    {
        let word = self.first(statement)?;
        self.number_of(statement, word, range)
    }

    pub(crate) fn number_of<N>(
        &mut self,
        statement: &Statement,
        word: &Word,
        range: RangeInclusive<N>,
    ) -> Option<N>
    where
        N: Copy + Display + FromStr + PartialOrd,
    {
        let number = word.text.parse().ok();
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let (least, most) = (range.start(), range.end());
            let message = format!("`{}` is no number from {least} to {most}", word.text);
            self.warn(word.place, statement.keyword(), message);
        }
        number
    }

    /// `on`, `off` and the like; on without a word.
    pub(crate) fn flag(&mut self, statement: &Statement) -> Option<bool> {
        let Some(word) = statement.parameters().first() else {
            return Some(true);
        };
        match word.text.as_str() {
            "on" | "true" | "yes" => Some(true),
            "off" | "false" | "no" => Some(false),
            other => {
                let message = format!("`{other}` is not on, off, true, false, yes or no");
                self.warn(word.place, statement.keyword(), message);
                None
            }
        }
    }

    /// Seconds, with a fraction if need be.
    pub(crate) fn seconds(&mut self, statement: &Statement) -> Option<f64> {
        let word = self.first(statement)?;
        let seconds = word.text.parse::<f64>().ok();
        let seconds = seconds.filter(|seconds| (0.0..=LONGEST).contains(seconds));
        if seconds.is_none() {
            let message = format!("`{}` is no time in seconds", word.text);
            self.warn(word.place, statement.keyword(), message);
        }
        seconds
    }

    pub(crate) fn time(&mut self, statement: &Statement) -> Option<Duration> {
        let seconds = self.seconds(statement)?;
        // Microseconds are what keepalived counts in.
        Some(Duration::from_micros((seconds * 1e6).round() as u64))
    }

    /// What `parse` makes of the first parameter.
    pub(crate) fn parsed<T: FromStr>(&mut self, statement: &Statement, what: &str) -> Option<T> {
        let word = self.first(statement)?;
        let value = word.text.parse().ok();
        if value.is_none() {
            let message = format!("`{}` is no {what}", word.text);
            self.warn(word.place, statement.keyword(), message);
        }
        value
    }

    pub(crate) fn address(&mut self, statement: &Statement) -> Option<IpAddr> {
        self.parsed(statement, "IP address")
    }

    /// A program with its arguments, and who it runs as.
    pub(crate) fn command(&mut self, statement: &Statement) -> Option<Command> {
        let script = self.first(statement)?;
        let words = split(&script.text);
        if words.is_empty() {
            self.warn(script.place, statement.keyword(), "the program is missing");
            return None;
        }
        let word = |index: usize| statement.parameters().get(index);
        let text = |word: &Word| word.text.clone();
        Some(Command {
            words,
            user: word(1).map(text),
            group: word(2).map(text),
        })
    }

    /// One of some words, in either case.
    pub(crate) fn choice(&mut self, statement: &Statement, words: &[&str]) -> Option<String> {
        let word = self.first(statement)?;
        let known = words
            .iter()
            .find(|known| known.eq_ignore_ascii_case(&word.text));
        if known.is_none() {
            let message = format!("`{}` is none of {}", word.text, words.join(", "));
            let problem = Problem::warning(word.place, message).key(statement.keyword());
            self.problems
                .push(problem.suggest(&word.text, words.iter().copied()));
        }
        known.map(|known| (*known).to_owned())
    }
}

/// All words of a block, line by line.
pub(crate) fn words(statement: &Statement) -> impl Iterator<Item = &Word> {
    lines(statement).iter().flat_map(|line| &line.words)
}

/// The lines of a block.
pub(crate) fn lines(statement: &Statement) -> &[Statement] {
    match &statement.block {
        Some(block) => &block.statements,
        None => &[],
    }
}
