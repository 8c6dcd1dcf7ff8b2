//! `cargo xtask lint`: formatting, and clippy with warnings as errors.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::setup;
use crate::test::{Job, Tally};
use crate::{toolchain, workspace};

pub(crate) fn run() -> Result<ExitCode> {
    setup::run(&[setup::BUILD])?;
    let mut tally = Tally::default();
    tally.run(jobs()?)?;
    Ok(tally.finish())
}

/// Every lint counts as one check.
pub(crate) fn jobs() -> Result<Vec<Job>> {
    let mut format = workspace::cargo();
    format.args(["fmt", "--all", "--check"]);
    Ok(vec![
        Job::check("formatting", format),
        Job::check("lints", clippy()),
        Job::check("lints of the eBPF crate", clippy_ebpf()?),
    ])
}

fn clippy() -> Command {
    let mut cargo = workspace::cargo();
    cargo.args([
        "clippy",
        "--workspace",
        "--exclude",
        "rlvs-ebpf",
        "--all-targets",
    ]);
    cargo.args(["--", "-D", "warnings"]);
    cargo
}

/// `cargo clippy` would take the lints of cargo's own release: this sets up what it does.
fn clippy_ebpf() -> Result<Command> {
    let rustc = toolchain::rustc();
    let mut cargo = workspace::cargo();
    cargo
        .args([
            "check",
            "--package",
            "rlvs-ebpf",
            "--target",
            "bpfel-unknown-none",
        ])
        .args(["-Z", "build-std=core", "--target-dir"])
        .arg(workspace::target().join("lint-ebpf"))
        .env("RUSTC_WORKSPACE_WRAPPER", toolchain::clippy_driver(&rustc)?)
        .env("RUSTC", rustc)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CLIPPY_ARGS", "-Dwarnings")
        .env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-cpu=v3")
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("RUSTC_WRAPPER");
    Ok(cargo)
}
