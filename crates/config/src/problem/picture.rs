//! A problem with the line of the file that it is about, by miette.

use std::fmt;
use std::sync::Arc;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, Severity,
    SourceCode,
};

use super::Problem;
use crate::source::Sources;

/// Columns that messages are wrapped at.
const WIDTH: usize = 100;
/// Lines of the file around the one in question.
const AROUND: usize = 1;

pub(super) fn draw<'a>(
    sources: &Sources,
    problems: impl IntoIterator<Item = &'a Problem>,
) -> String {
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor())
        .with_width(WIDTH)
        .with_context_lines(AROUND)
        .with_links(false);
    let mut text = String::new();
    for problem in problems {
        // Writing to a string does not fail; what cannot be drawn is said in a line.
        if handler
            .render_report(&mut text, &Picture::new(problem, sources))
            .is_err()
        {
            text += &problem.line(sources);
        }
        text += "\n";
    }
    text
}

/// A problem in miette's words.
struct Picture<'a> {
    problem: &'a Problem,
    headline: String,
    source: Option<NamedSource<Arc<str>>>,
}

impl<'a> Picture<'a> {
    fn new(problem: &'a Problem, sources: &Sources) -> Self {
        let headline = Problem {
            help: None,
            ..problem.clone()
        };
        let source = problem.place.map(|place| {
            let name = sources.path(place.file).display().to_string();
            NamedSource::new(name, sources.text(place.file))
        });
        Self {
            problem,
            headline: headline.line(sources),
            source,
        }
    }
}

impl Diagnostic for Picture<'_> {
    fn severity(&self) -> Option<Severity> {
        Some(match self.problem.severity {
            super::Severity::Error => Severity::Error,
            super::Severity::Note => Severity::Advice,
            super::Severity::Warning => Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.problem
            .help
            .as_ref()
            .map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let place = self.problem.place?;
        let span = LabeledSpan::new(None, place.start as usize, place.len.max(1) as usize);
        Some(Box::new(std::iter::once(span)))
    }
}

impl std::error::Error for Picture<'_> {}

impl fmt::Debug for Picture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.headline)
    }
}

impl fmt::Display for Picture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.headline)
    }
}
