//! `cargo xtask test`: lints and every test, with one line at the end that sums up.
//!
//! Tests that need root are those of [`PACKAGES`]; of these, the test programs named `vm` or `vm_*`
//! boot the emulated machine.

mod leftovers;
mod tally;

use std::env;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::thread;

use anyhow::{Context, Result};
use rlvs_lab::warden;

pub(crate) use tally::Tally;

use leftovers::Leftovers;

use crate::{lint, setup, workspace};

#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// Leave out what boots the emulated machine
    #[arg(long)]
    no_vm: bool,
    /// Leave out what needs root and network namespaces
    #[arg(long)]
    no_lab: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    setup::run(&arguments.groups())?;
    let before = Leftovers::now();
    let mut tally = Tally::default();
    lint::lint(&mut tally)?;
    let everything = ["test", "--no-fail-fast"];
    tally.tests("tests without root", workspace::cargo().args(everything))?;
    if !(arguments.no_lab && arguments.no_vm) {
        let build = ["build", "--release", "--package", "rlvs"];
        tally.check("release build", workspace::cargo().args(build))?;
    }
    let mut in_machines = Vec::new();
    for (package, directory) in PACKAGES {
        in_machines.extend(run_package(arguments, &mut tally, package, directory)?);
    }
    tally.tests_at_once(machines(), in_machines)?;
    // Of a test that was killed.
    warden::remove_stale()?;
    tally.nothing("left by tests", &Leftovers::now().since(&before));
    Ok(tally.finish())
}

/// How many emulated machines run at once: each has two CPUs, but seldom uses both.
fn machines() -> usize {
    thread::available_parallelism().map_or(1, |cpus| cpus.get().min(MOST_MACHINES))
}

/// Each takes a gigabyte of memory.
const MOST_MACHINES: usize = 4;

/// The seed of generated tests; another in `RLVS_SEED` tries others.
const SEED: &str = "1";

/// Packages with tests that need root, and where they are.
const PACKAGES: [(&str, &str); 4] = [
    ("rlvs-network", "crates/network"),
    ("rlvs-realserver", "crates/realserver"),
    ("rlvs-lab", "lab"),
    ("rlvs-tests", "tests"),
];

impl Arguments {
    fn groups(&self) -> Vec<setup::Group> {
        let lab = (!self.no_lab).then_some(setup::LAB);
        let vm = (!self.no_vm).then_some(setup::VM);
        [Some(setup::BUILD), lab, vm]
            .into_iter()
            .flatten()
            .collect()
    }

    fn wants(&self, program: &str) -> bool {
        match is_in_machine(program) {
            true => !self.no_vm,
            false => !self.no_lab,
        }
    }
}

fn is_in_machine(program: &str) -> bool {
    program == "vm" || program.starts_with("vm_")
}

/// Runs the package's own tests and the test programs that are wanted, but for those that boot the
/// emulated machine: they are left to be run later.
fn run_package(
    arguments: &Arguments,
    tally: &mut Tally,
    package: &str,
    directory: &str,
) -> Result<Vec<(String, Command)>> {
    let mut cargo = test_package(package);
    tally.tests(&format!("{package}: library"), cargo.arg("--lib"))?;
    let mut in_machines = Vec::new();
    for program in test_programs(&workspace::root().join(directory).join("tests"))? {
        if !arguments.wants(&program) {
            continue;
        }
        let name = format!("{package}: {program}");
        let mut cargo = test_package(package);
        cargo.args(["--test", &program]);
        match is_in_machine(&program) {
            true => in_machines.push((name, cargo)),
            false => tally.tests(&name, &mut cargo)?,
        }
    }
    Ok(in_machines)
}

fn test_package(package: &str) -> Command {
    let mut cargo = workspace::cargo();
    cargo.args(["test", "--package", package]);
    // Without it, tests beside the code that need root are skipped.
    cargo.env("RLVS_ROOT_TESTS", "1");
    // What is generated is the same every time: a change is judged by itself, not by its luck.
    if env::var_os("RLVS_SEED").is_none() {
        cargo.env("RLVS_SEED", SEED);
    }
    cargo
}

/// Names of the test programs in a package's `tests` directory: `NAME.rs` or `NAME/main.rs`.
fn test_programs(directory: &Path) -> Result<Vec<String>> {
    if !directory.is_dir() {
        return Ok(Vec::new());
    }
    let mut programs = Vec::new();
    for entry in directory
        .read_dir()
        .with_context(|| directory.display().to_string())?
    {
        let path = entry?.path();
        let is_program = path.extension().is_some_and(|end| end == "rs");
        if is_program || path.join("main.rs").is_file() {
            programs.extend(
                path.file_stem()
                    .and_then(|name| name.to_str())
                    .map(str::to_owned),
            );
        }
    }
    programs.sort();
    Ok(programs)
}
