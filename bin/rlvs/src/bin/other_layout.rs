//! `rlvs` with tables that lie otherwise, for tests of upgrades.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    rlvs::start(std::env::args_os())
}
