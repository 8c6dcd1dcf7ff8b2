//! `cargo xtask oracle`: the kernel's IPVS and rlvs do the same, in many generated scenarios.
//!
//! A short run of them is in `cargo xtask test`. What is compared is said where they are:
//! `tests/tests/vm_choices`.

use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::Result;

use crate::{console, progress, setup, workspace};

const LIMIT: Duration = Duration::from_secs(1800);

#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// Only with these; `mixed': another one for each service
    #[arg(
        long,
        value_name = "NAME",
        value_delimiter = ',',
        default_value = "each"
    )]
    scheduler: Vec<String>,
    /// How many with each scheduler
    #[arg(long, value_name = "N", default_value_t = 200)]
    scenarios: u64,
    /// Of the first one, by which they can be had again; else it is drawn
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    setup::run(&[setup::BUILD, setup::VM])?;
    let mut build = workspace::cargo();
    build.args(["build", "--release", "--package", "rlvs"]);
    progress::run("building rlvs", &mut build, LIMIT)?;
    let mut build = test();
    progress::run("building the comparison", build.arg("--no-run"), LIMIT)?;
    println!("a machine boots, and both directors begin in it: that takes two minutes");
    let mut run = test();
    arguments.hand_on(&mut run);
    let status = run
        .args(["choices_are_the_kernels", "--", "--nocapture"])
        .status()?;
    if status.success() {
        return Ok(ExitCode::SUCCESS);
    }
    println!("{}", console::red("the kernel's IPVS and rlvs differ"));
    Ok(ExitCode::FAILURE)
}

fn test() -> Command {
    let mut cargo = workspace::cargo();
    cargo.args(["test", "--quiet", "--package", "rlvs-tests"]);
    cargo.args(["--test", "vm_choices"]);
    cargo
}

impl Arguments {
    fn hand_on(&self, command: &mut Command) {
        command.env("RLVS_SCHEDULER", self.scheduler.join(","));
        command.env("RLVS_SCENARIOS", self.scenarios.to_string());
        match self.seed {
            Some(seed) => command.env("RLVS_SEED", seed.to_string()),
            None => command.env_remove("RLVS_SEED"),
        };
    }
}
