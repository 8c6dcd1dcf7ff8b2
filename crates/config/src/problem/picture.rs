//! A problem with the line of the file that it is about, by miette.

use std::fmt;
use std::sync::Arc;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, Severity,
    SourceCode,
};

use super::Problem;
use crate::source::{Place, Sources};

/// Columns that messages are wrapped at.
const WIDTH: usize = 100;
/// Lines of the file around the one in question.
const AROUND: usize = 1;
/// Lines that are longer are not shown.
const LONGEST: usize = 1000;

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
        let source = problem.place.and_then(|place| {
            let name = sources.path(place.file).display().to_string();
            let text = sources.text(place.file);
            can_be_drawn(&text, place).then(|| NamedSource::new(name, text))
        });
        Self {
            problem,
            headline: headline.line(sources),
            source,
        }
    }
}

/// Not where a line is that nobody would read; miette fails at very long ones.
fn can_be_drawn(text: &str, place: Place) -> bool {
    let place = place.start as usize;
    let mut end = 0;
    let ends = text.split_inclusive('\n').map(|line| {
        end += line.len();
        (end, line)
    });
    let lines: Vec<_> = ends.collect();
    let at = lines.partition_point(|(end, _)| *end <= place);
    let around = at.saturating_sub(AROUND)..(at + AROUND + 1).min(lines.len());
    let drawn = lines.get(around).unwrap_or_default();
    drawn.iter().all(|(_, line)| line.len() <= LONGEST)
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn lines_that_nobody_would_read_are_not_drawn() {
        let long = "x".repeat(100_000);
        let text = format!("first\n{long}\nthird\nfourth\nfifth\n");
        let mut sources = Sources::default();
        let file = sources.add(Path::new("a.toml"), text.clone());
        let draw = |word: &str| {
            let place = Place::new(file, text.find(word).unwrap(), 1);
            draw(&sources, [&Problem::error(place, "wrong")])
        };
        for near in ["first", "x", "third"] {
            let drawn = draw(near);
            assert!(drawn.contains("wrong") && drawn.len() < 1000, "{near}");
        }
        assert!(draw("fourth").contains("│ fourth"));
    }
}
