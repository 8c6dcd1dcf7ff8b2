//! `cargo xtask bench`: builds the package `bench` for speed, and runs it; `bench commands` measures
//! the program itself, in the emulated machine.

use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::{progress, setup, workspace};

const LIMIT: Duration = Duration::from_secs(1200);
/// What the bench calls measuring commands.
const COMMANDS: &str = "commands";

#[derive(clap::Args, Debug)]
#[command(disable_help_flag = true)]
pub(crate) struct Arguments {
    /// The bench's own arguments: --help names them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let of_commands = arguments.arguments.first().is_some_and(|it| it == COMMANDS);
    let mut build = workspace::cargo();
    build.args(["build", "--release", "--package", "rlvs-bench"]);
    if of_commands {
        setup::run(&[setup::BUILD, setup::VM])?;
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
