//! From what is written to the site that it means.

mod services;

use std::path::Path;

use super::decode::{Step, decode, place_of};
use super::file::{Part, WrittenFile};
use crate::files;
use crate::model::Site;
use crate::problem::{Failure, Problem, Problems};
use crate::reading::Reading;
use crate::rules::{self, Subject};
use crate::source::{Place, Sources};

/// Reads the text of `path`, and the files it includes.
pub fn read(path: &Path, text: String) -> Result<Reading, Failure> {
    let mut reader = Reader::default();
    match reader.site(path, text) {
        Some(site) if reader.problems.errors() == 0 => Ok(Reading {
            site,
            warnings: reader.problems,
            sources: reader.sources,
        }),
        _ => Err(Failure {
            sources: reader.sources,
            problems: reader.problems,
        }),
    }
}

/// Where a service of the site is written.
#[derive(Clone, Copy, Debug)]
struct Origin {
    file: u32,
    /// Which of the file's services.
    index: usize,
}

#[derive(Debug, Default)]
struct Reader {
    sources: Sources,
    problems: Problems,
    origins: Vec<Origin>,
}

impl Reader {
    fn site(&mut self, path: &Path, text: String) -> Option<Site> {
        let file = self.sources.add(path, text);
        let main: WrittenFile = self.decode(file)?;
        let mut site = Site {
            settings: main.settings(),
            timeouts: main.timeouts.map(Into::into),
            alerts: main.alerts.clone(),
            ..Site::default()
        };
        let outer = main.check.options();
        let include = main.include.clone();
        let part = Part {
            check: main.check,
            address: main.address,
            service: main.service,
            vrrp: main.vrrp,
        };
        self.add(&mut site, file, part, &outer);
        for (index, pattern) in include.iter().enumerate() {
            let steps = [Step::Key("include"), Step::Index(index)];
            self.include(&mut site, path, pattern, (file, &steps), &outer);
        }
        if self.problems.errors() == 0 {
            self.check(&site);
        }
        Some(site)
    }

    fn include(
        &mut self,
        site: &mut Site,
        path: &Path,
        pattern: &str,
        (file, steps): (u32, &[Step<'_>]),
        outer: &rlvs_check::spec::Options,
    ) {
        let directory = path.parent().unwrap_or(Path::new(""));
        let paths = files::matching(directory, pattern);
        if paths.is_empty() && !files::is_pattern(pattern) {
            let message = format!("no file is found for `{pattern}`");
            self.complain(file, steps, message);
        }
        for path in paths {
            match files::read(&path) {
                Ok(text) => {
                    let file = self.sources.add(&path, text);
                    if let Some(part) = self.decode::<Part>(file) {
                        self.add(site, file, part, outer);
                    }
                }
                Err(error) => {
                    self.complain(file, steps, format!("{}: {error}", path.display()));
                }
            }
        }
    }

    fn decode<T: serde::de::DeserializeOwned>(&mut self, file: u32) -> Option<T> {
        match decode(&self.sources.text(file), file) {
            Ok(value) => Some(value),
            Err(problems) => {
                self.problems.extend(problems);
                None
            }
        }
    }

    /// Adds what a file says of services and VRRP.
    fn add(&mut self, site: &mut Site, file: u32, part: Part, outer: &rlvs_check::spec::Options) {
        let options = part.check.options().or(outer);
        for (index, written) in part.service.iter().enumerate() {
            match services::settle(written, &options) {
                Ok(service) => {
                    site.services.push(service);
                    self.origins.push(Origin { file, index });
                }
                Err(wrong) => {
                    let mut steps = vec![Step::Key("service"), Step::Index(index)];
                    steps.extend(wrong.steps());
                    self.complain(file, &steps, wrong.message);
                }
            }
        }
        site.addresses.extend(part.address);
        site.vrrp.extend(part.vrrp);
    }

    fn check(&mut self, site: &Site) {
        for broken in rules::check(site) {
            let place = broken.subject.and_then(|subject| self.place(subject));
            let problem = Problem::error(place, broken.message);
            self.problems.push(
                broken
                    .help
                    .map_or(problem.clone(), |help| problem.help(help)),
            );
        }
    }

    fn place(&self, subject: Subject) -> Option<Place> {
        let (service, rest) = match subject {
            Subject::Service(service, field) => (service, vec![Step::Key(written_field(field))]),
            Subject::Real(service, real, field) => {
                let real = [Step::Key("real"), Step::Index(real)];
                let field = Step::Key(written_field(field));
                (service, real.into_iter().chain([field]).collect())
            }
        };
        let origin = self.origins.get(service)?;
        let steps = [Step::Key("service"), Step::Index(origin.index)];
        let steps: Vec<_> = steps.into_iter().chain(rest).collect();
        Some(place_of(
            &self.sources.text(origin.file),
            origin.file,
            &steps,
        ))
    }

    fn complain(&mut self, file: u32, steps: &[Step<'_>], message: String) {
        let place = place_of(&self.sources.text(file), file, steps);
        let key = key(steps);
        self.problems.push(Problem::error(place, message).key(key));
    }
}

/// What the file calls a field of the model.
fn written_field(field: &'static str) -> &'static str {
    match field {
        "persistence" => "persistent",
        other => other,
    }
}

/// `service[0].real[2].weight`
fn key(steps: &[Step<'_>]) -> String {
    let mut key = String::new();
    for step in steps {
        match step {
            Step::Key(name) if key.is_empty() => key += name,
            Step::Key(name) => key += &format!(".{name}"),
            Step::Index(index) => key += &format!("[{index}]"),
        }
    }
    key
}
