//! What commands answer, on the standard output.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;

/// Prints a text, with its styles only where they are seen. Who reads no further, such as `head`,
/// has seen enough.
pub(crate) fn print(text: &str) -> io::Result<()> {
    match anstream::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome,
    }
}

/// Prints a report, which says whether all is right.
pub(crate) fn report(
    report: &(impl Display + Serialize),
    right: bool,
    json: bool,
) -> Result<ExitCode> {
    match json {
        true => print(&(serde_json::to_string_pretty(report)? + "\n"))?,
        false => print(&report.to_string())?,
    }
    Ok(exit_code(right))
}

pub(crate) fn exit_code(right: bool) -> ExitCode {
    match right {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
