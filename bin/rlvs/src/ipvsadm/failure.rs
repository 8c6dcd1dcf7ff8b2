//! Why a command ends with a status other than 0, in `ipvsadm`'s words.

use std::io;

use rlvs_control::{Change, Code, Error};

/// What goes to stderr, and the status to end with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Failure {
    pub(super) status: i32,
    /// Without the last line's end.
    pub(super) text: String,
}

/// For command lines that are no command at all, and for refusals of the director.
const REFUSED: i32 = 255;
const NOT_A_COMMAND: &str = "Try `ipvsadm -h' or 'ipvsadm --help' for more information.";
/// For mistakes in a command line, and when there is no director to ask.
const USAGE: i32 = 2;
/// For listings that cannot be had.
const NO_LISTING: i32 = 1;

impl Failure {
    /// A mistake in the command line.
    pub(super) fn usage(text: impl Into<String>) -> Self {
        Self {
            status: USAGE,
            text: text.into(),
        }
    }

    /// A command line that breaks the grammar, or what the director refused.
    pub(super) fn refused(text: impl Into<String>) -> Self {
        Self {
            status: REFUSED,
            text: text.into(),
        }
    }

    pub(super) fn not_a_command() -> Self {
        Self::refused(NOT_A_COMMAND)
    }

    /// Whether ipvsadm goes on with the next line of a file.
    pub(super) fn is_passed_over(&self) -> bool {
        self.status == REFUSED && self.text != NOT_A_COMMAND
    }

    /// The same with nothing left to say.
    pub(super) fn said(self) -> Self {
        Self {
            text: String::new(),
            ..self
        }
    }

    /// A listing that failed.
    pub(super) fn listing(error: &Error) -> Self {
        no_access(error).unwrap_or_else(|| Self {
            status: NO_LISTING,
            text: error.message.clone(),
        })
    }

    pub(super) fn no_such_service() -> Self {
        Self {
            status: NO_LISTING,
            text: "No such service".into(),
        }
    }

    /// `change` was refused with `error`.
    pub(super) fn change(change: &Change, error: &Error) -> Self {
        no_access(error).unwrap_or_else(|| Self::refused(text(change, error)))
    }

    /// One of many changes was refused: `prefix` tells which, the director's own words tell why.
    pub(super) fn one_of_many(prefix: &str, error: &Error) -> Self {
        no_access(error).unwrap_or_else(|| Self::refused(format!("{prefix}{}", error.message)))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        // Whoever stopped reading knows.
        let silent = error.kind() == io::ErrorKind::BrokenPipe;
        let text = if silent {
            String::new()
        } else {
            error.to_string()
        };
        Self {
            status: NO_LISTING,
            text,
        }
    }
}

/// No director, or none for us.
fn no_access(error: &Error) -> Option<Failure> {
    let text = match error.code {
        // The message says how to start one.
        Code::NotRunning => format!("Can't initialize ipvs: {}", error.message),
        Code::PermissionDenied => format!(
            "Can't initialize ipvs: Permission denied (you must be root)\n{}",
            error.message
        ),
        _ => return None,
    };
    Some(Failure::usage(text))
}

/// The kernel's IPVS knows these by number only, and `ipvsadm` puts them so.
fn text<'a>(change: &Change, error: &'a Error) -> &'a str {
    let of_destination = matches!(
        change,
        Change::AddDestination { .. }
            | Change::EditDestination { .. }
            | Change::DeleteDestination { .. }
    );
    match error.code {
        Code::DaemonRuns => "Daemon has already run",
        Code::DestinationExists => "Destination already exists",
        Code::Invalid if of_destination => {
            "Invalid operation.  Possibly wrong module version, address not unicast, ..."
        }
        Code::NoSuchDaemon => "No daemon is running",
        Code::NoSuchInterface => "No such device",
        Code::NoSuchDestination => "No such destination",
        Code::NoSuchService if of_destination => "Service not defined",
        Code::NoSuchService => "No such service",
        Code::Range if of_destination => "Numerical result out of range",
        Code::ServiceExists => "Service already exists",
        Code::UnknownPersistenceEngine | Code::UnknownScheduler => {
            "Scheduler or persistence engine not found"
        }
        _ => &error.message,
    }
}
