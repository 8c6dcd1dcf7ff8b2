//! Why a probe did not succeed.

use std::io;

use rlvs_check::machine::{Adjust, Outcome};

/// Why a probe did not succeed, in a few words for a log line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The target does not serve as it shall.
    #[error("{0}")]
    Target(String),
    /// It was not asked: something is wrong on this machine, or with the check.
    #[error("{0}")]
    Here(String),
}

/// What a probe comes to.
pub(crate) type Result<T> = core::result::Result<T, Fault>;

impl Fault {
    /// The target does not serve as it shall.
    pub(crate) fn target(reason: impl Into<String>) -> Self {
        Self::Target(reason.into())
    }

    /// Something is wrong here.
    pub(crate) fn here(reason: impl Into<String>) -> Self {
        Self::Here(reason.into())
    }
}

/// What goes wrong between two machines is the target's, except for want of something here.
impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        use rustix::io::Errno;
        let scarce = [
            Errno::ADDRNOTAVAIL,
            Errno::MFILE,
            Errno::NFILE,
            Errno::NOBUFS,
            Errno::NOMEM,
            Errno::PERM,
        ];
        let errno = error.raw_os_error().map(Errno::from_raw_os_error);
        match errno.is_some_and(|errno| scarce.contains(&errno)) {
            true => Self::Here(error.to_string()),
            false => Self::Target(words(&error)),
        }
    }
}

/// An error without its number.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_lowercase(),
        None => text,
    }
}

/// What the checker is told.
pub(crate) fn outcome(result: Result<Adjust>) -> Outcome {
    match result {
        Ok(adjust) => Outcome::Success(adjust),
        Err(Fault::Target(reason)) => Outcome::Failure(reason),
        Err(Fault::Here(reason)) => Outcome::NotMade(reason),
    }
}
