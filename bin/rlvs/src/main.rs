//! `rlvs`, and `ipvsadm` where it is called so.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    rlvs::start(std::env::args_os())
}
