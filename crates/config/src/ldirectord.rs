//! `ldirectord.cf`, as ldirectord 4.12 of Debian reads it (ldirectord(8)).

mod check;
mod directives;
mod lines;
mod settle;

use std::path::Path;

use crate::keepalived::block::read as read_statements;
use crate::keepalived::notes::Notes;
use crate::model::Site;
use crate::names::Names;
use crate::problem::{Failure, Problem, Severity};
use crate::reading::Reading;
use crate::rules::{self, Subject};
use crate::source::{Place, Sources};
use directives::{GLOBAL, Scope, VIRTUAL};
use lines::sections;
use settle::settle;

/// Reads the text of `path`.
pub fn read(path: &Path, text: String, names: &dyn Names) -> Result<Reading, Failure> {
    let mut sources = Sources::default();
    let file = sources.add(path, text);
    let mut notes = Notes::default();
    let (globals, virtuals) = sections(&sources.text(file), file);
    let mut outer = Scope::default();
    read_statements(&globals, &[GLOBAL], &mut outer, &mut notes);
    let mut site = Site::default();
    let mut places: Vec<(Place, Vec<Place>)> = Vec::new();
    for section in &virtuals {
        let mut scope = outer.inner(section.is_ipv6);
        let statements = &section.statements;
        read_statements(statements, &[GLOBAL, VIRTUAL], &mut scope, &mut notes);
        if let Some((server, reals)) = settle(section, &scope, names, &mut notes) {
            site.services.push(server);
            places.push((section.head.place, reals));
        }
    }
    site.alerts = outer.alerts();
    for broken in rules::check(&site) {
        let place = broken.subject.and_then(|subject| match subject {
            Subject::Service(service, _) => places.get(service).map(|places| places.0),
            Subject::Real(service, real, _) => {
                let reals = places.get(service).map(|places| &places.1);
                reals.and_then(|reals| reals.get(real)).copied()
            }
        });
        notes.problems.push(Problem::error(place, broken.message));
    }
    let problems = notes.problems;
    if problems.worst() == Some(Severity::Error) {
        return Err(Failure { sources, problems });
    }
    Ok(Reading {
        site,
        warnings: problems,
        sources,
    })
}

#[cfg(test)]
mod tests;
