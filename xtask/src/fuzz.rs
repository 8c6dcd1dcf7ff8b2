//! `cargo xtask fuzz`: what comes from outside, made up by libFuzzer.
//!
//! The targets are in `fuzz/fuzz_targets`, what they begin with in `fuzz/seeds`; what they find goes
//! to `fuzz/corpus`, and inputs that fail to `fuzz/artifacts`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Result, ensure};

use crate::setup::{self, tool};
use crate::{console, workspace};

/// Seconds for one input: an endless loop, not a slow machine.
const LONGEST: u32 = 20;
/// Bytes of an input.
const LARGEST: u32 = 8192;

#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// One of fuzz/fuzz_targets; all of them by default
    target: Option<String>,
    /// How long each target runs
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u32,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let all = targets()?;
    let chosen: Vec<_> = all
        .iter()
        .filter(|name| {
            arguments
                .target
                .as_ref()
                .is_none_or(|wanted| wanted == *name)
        })
        .collect();
    ensure!(!chosen.is_empty(), "the targets are {}", all.join(", "));
    setup::run(&[setup::BUILD])?;
    tool::install("cargo-fuzz", cargo_fuzz().arg("--version"))?;
    for target in chosen {
        println!("{}", console::bold(target));
        if !fuzz(target, arguments.seconds)? {
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The names of all targets.
fn targets() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder().join("fuzz_targets"))? {
        let path = entry?.path();
        names.extend(
            path.file_stem()
                .and_then(|name| name.to_str())
                .map(str::to_owned),
        );
    }
    names.sort_unstable();
    Ok(names)
}

fn fuzz(target: &str, seconds: u32) -> Result<bool> {
    let corpus = folder().join("corpus").join(target);
    fs::create_dir_all(&corpus)?;
    let mut cargo = cargo_fuzz();
    cargo
        .args(["run", "--fuzz-dir"])
        .arg(folder())
        .arg("--target-dir")
        .arg(workspace::target().join("fuzz"))
        .arg(target)
        .arg(corpus)
        .arg(folder().join("seeds").join(target))
        .arg("--")
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-timeout={LONGEST}"))
        .arg(format!("-max_len={LARGEST}"));
    Ok(cargo.status()?.success())
}

/// The sanitizers are not for stable compilers unless they are told so.
fn cargo_fuzz() -> Command {
    let mut cargo = workspace::cargo();
    cargo.arg("fuzz").env("RUSTC_BOOTSTRAP", "1");
    cargo
}

fn folder() -> PathBuf {
    Path::new(workspace::root()).join("fuzz")
}
