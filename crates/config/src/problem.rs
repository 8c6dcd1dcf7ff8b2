//! What is wrong with a configuration, and how it is shown.

mod picture;

use std::fmt;

use crate::source::{Place, Sources};
use crate::suggest::nearest;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Severity {
    /// It is only said.
    Note,
    /// A word or value cannot be right, and is left out.
    Warning,
    /// The configuration cannot be used.
    Error,
}

/// One thing that is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    pub severity: Severity,
    pub place: Option<Place>,
    /// The key or keyword that it is about; empty if none.
    pub key: String,
    pub message: String,
    /// How to mend it.
    pub help: Option<String>,
}

/// All that is wrong, in the order it was found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Problems(Vec<Problem>);

impl Problem {
    pub fn error(place: impl Into<Option<Place>>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            place: place.into(),
            key: String::new(),
            message: message.into(),
            help: None,
        }
    }

    pub fn warning(place: impl Into<Option<Place>>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(place, message)
        }
    }

    pub fn note(place: impl Into<Option<Place>>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Note,
            ..Self::error(place, message)
        }
    }

    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = key.into();
        self
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds which of `known` was probably meant by `word`.
    #[must_use]
    pub fn suggest<'a>(self, word: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        match nearest(word, known) {
            Some(name) => self.help(format!("did you mean `{name}`?")),
            None => self,
        }
    }

    /// In a line: `FILE:LINE:COLUMN: KEY: MESSAGE; HELP`.
    pub fn line(&self, sources: &Sources) -> String {
        let mut line = String::new();
        if let Some(place) = self.place {
            let (row, column) = sources.line_and_column(place);
            line = format!("{}:{row}:{column}: ", sources.path(place.file).display());
        }
        if !self.key.is_empty() {
            line += &self.key;
            line += ": ";
        }
        line += &self.message;
        if let Some(help) = &self.help {
            line += "; ";
            line += help;
        }
        line
    }
}

impl Problems {
    pub fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    pub fn extend(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Problem> {
        self.0.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn errors(&self) -> usize {
        let is_error = |problem: &&Problem| problem.severity == Severity::Error;
        self.iter().filter(is_error).count()
    }

    /// The worst of them.
    pub fn worst(&self) -> Option<Severity> {
        self.iter().map(|problem| problem.severity).max()
    }
}

/// A configuration that cannot be used.
#[derive(Clone, Debug)]
pub struct Failure {
    pub sources: Sources,
    pub problems: Problems,
}

impl Failure {
    /// For people: each with the line of the file that it is about.
    pub fn pictures(&self) -> String {
        picture::draw(&self.sources, self.problems.iter())
    }
}

/// For people: each with the line of the file that it is about.
pub fn pictures<'a>(sources: &Sources, problems: impl IntoIterator<Item = &'a Problem>) -> String {
    picture::draw(sources, problems)
}

impl fmt::Display for Failure {
    /// A line each.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}{}", problem.line(&self.sources))?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}
