//! `cargo xtask bench`: builds the package `bench` for speed, and runs it; `bench commands` and `bench
//! reload` measure the program itself, in the emulated machine.

use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::{progress, setup, workspace};

const LIMIT: Duration = Duration::from_secs(1200);
/// What measures the program itself.
const OF_PROGRAM: [&str; 2] = ["commands", "reload"];

#[derive(clap::Args, Debug)]
#[command(disable_help_flag = true)]
pub(crate) struct Arguments {
    /// The bench's own arguments: --help names them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let first = arguments.arguments.first();
    let of_program = first.is_some_and(|first| OF_PROGRAM.contains(&first.as_str()));
    let mut build = workspace::cargo();
    build.args(["build", "--release", "--package", "rlvs-bench"]);
    if of_program {
        setup::run(&[setup::BUILD, setup::VM, setup::BENCH])?;
        build.args(["--package", "rlvs"]);
    } else {
        setup::run(&[setup::BUILD])?;
    }
    progress::run("building the bench", &mut build, LIMIT)?;
    let bench = workspace::target().join("release/rlvs-bench");
    let status = Command::new(&bench)
        .args(&arguments.arguments)
        .status()
        .with_context(|| bench.display().to_string())?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
