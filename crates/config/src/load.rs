//! From a path to a site, whatever kind of file it is.

use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::problem::{Failure, Problem, Problems};
use crate::reading::Reading;
use crate::settings::Ipvsadm;
use crate::source::Sources;
use crate::{files, written};

/// Where the daemon's configuration is unless said otherwise.
pub const DEFAULT_PATH: &str = "/etc/rlvs/rlvs.toml";

/// Reads rlvs.toml from `path`, or from [`DEFAULT_PATH`] if that exists, or takes the defaults.
pub fn load(path: Option<&Path>) -> Result<Reading, Failure> {
    let file = path.unwrap_or(Path::new(DEFAULT_PATH));
    match files::read(file) {
        Ok(text) => written::read(file, text),
        Err(error) if path.is_none() && error.kind() == io::ErrorKind::NotFound => {
            written::read(file, String::new())
        }
        Err(error) => Err(unreadable(file.to_owned(), &error)),
    }
}

/// `[ipvsadm]` of [`DEFAULT_PATH`], or its defaults: what is wrong with the file the daemon says.
pub fn ipvsadm() -> Ipvsadm {
    let text = files::read(Path::new(DEFAULT_PATH)).unwrap_or_default();
    only_ipvsadm(&text)
}

fn only_ipvsadm(text: &str) -> Ipvsadm {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Only {
        ipvsadm: Ipvsadm,
    }
    // Each call of ipvsadm asks, and a site may be large.
    if !text.contains("ipvsadm") {
        return Ipvsadm::default();
    }
    toml::from_str::<Only>(text).unwrap_or_default().ipvsadm
}

/// Why a file cannot be read at all.
pub(crate) fn unreadable(path: PathBuf, error: &io::Error) -> Failure {
    let mut problems = Problems::default();
    problems.push(Problem::error(None, format!("{}: {error}", path.display())));
    Failure {
        sources: Sources::default(),
        problems,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_find_their_part_whatever_else_is_wrong() {
        let text = "services = 0\n[ipvsadm]\nstrict = true\n[[service]]\ncolour = 1";
        assert!(only_ipvsadm(text).strict);
        assert!(!only_ipvsadm("").strict && !only_ipvsadm("x").strict);
    }

    #[test]
    fn only_the_default_file_may_be_missing() {
        let error = load(Some(Path::new("/nonexistent/x.toml"))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "/nonexistent/x.toml: No such file or directory (os error 2)"
        );
    }
}
