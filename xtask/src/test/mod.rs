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
use rlvs_lab::director::OTHER_LAYOUT;
use rlvs_lab::warden;

pub(crate) use tally::{Job, Tally};

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
    let programs = Programs::of(arguments)?;
    let mut builds = lint::jobs()?;
    builds.push(tests_without_root());
    builds.extend(arguments.debug_builds(&programs));
    // What is built with optimisations shares nothing with what is not, nor do they wait for each
    // other.
    tally.run_beside(2, builds, arguments.release_build())?;
    tally.run_beside(workers(), programs.in_labs, programs.in_machines)?;
    // Of a test that was killed.
    warden::remove_stale()?;
    tally.nothing("left by tests", &Leftovers::now().since(&before));
    Ok(tally.finish())
}

fn tests_without_root() -> Job {
    let mut cargo = workspace::cargo();
    cargo.args(["test", "--no-fail-fast"]);
    Job::tests("tests without root", cargo)
}

/// How many test programs run at once: one in a lab, which mostly waits, and all others in emulated
/// machines, which have two CPUs each, but seldom use both.
fn workers() -> usize {
    thread::available_parallelism().map_or(1, |cpus| cpus.get().min(MOST_WORKERS))
}

/// A machine takes a gigabyte of memory.
const MOST_WORKERS: usize = 4;

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

    /// What tests with root need besides: one at a time, as they are run, else they would be built with
    /// each other's features.
    fn debug_builds(&self, programs: &Programs) -> Vec<Job> {
        let other = (!self.no_lab).then(|| {
            let mut build = workspace::cargo();
            build.args(OTHER_LAYOUT);
            Job::check("build of another layout", build)
        });
        let packages = PACKAGES.into_iter().filter(|_| !programs.is_empty());
        let packages = packages.map(|(package, _)| {
            let mut build = workspace::cargo();
            build.args(["test", "--no-run", "--package", package]);
            Job::check(format!("{package}: build"), build)
        });
        other.into_iter().chain(packages).collect()
    }

    fn release_build(&self) -> Vec<Job> {
        if self.no_lab && self.no_vm {
            return Vec::new();
        }
        let mut build = workspace::cargo();
        build.args(["build", "--release", "--package", "rlvs"]);
        vec![Job::check("release build", build)]
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

/// What tests that need root are run by, and what each is called.
#[derive(Default)]
struct Programs {
    in_labs: Vec<Job>,
    in_machines: Vec<Job>,
}

impl Programs {
    /// The packages' own tests, and the test programs that are wanted.
    fn of(arguments: &Arguments) -> Result<Self> {
        let mut programs = Self::default();
        for (package, directory) in PACKAGES {
            if !arguments.no_lab {
                let mut cargo = test_package(package);
                cargo.arg("--lib");
                let name = format!("{package}: library");
                programs.in_labs.push(Job::tests(name, cargo));
            }
            for program in test_programs(&workspace::root().join(directory).join("tests"))? {
                if arguments.wants(&program) {
                    programs.add(package, &program);
                }
            }
        }
        Ok(programs)
    }

    fn add(&mut self, package: &str, program: &str) {
        let mut cargo = test_package(package);
        cargo.args(["--test", program]);
        let job = Job::tests(format!("{package}: {program}"), cargo);
        match is_in_machine(program) {
            true => self.in_machines.push(job),
            false => self.in_labs.push(job),
        }
    }

    fn is_empty(&self) -> bool {
        self.in_labs.is_empty() && self.in_machines.is_empty()
    }
}

fn test_package(package: &str) -> Command {
    let mut cargo = workspace::cargo();
    cargo.args(["test", "--package", package]);
    // Without it, tests beside the code that need root are skipped.
    cargo.env("RLVS_ROOT_TESTS", "1");
    let other = workspace::target().join("debug/rlvs-other-layout");
    cargo.env("RLVS_OTHER_LAYOUT_BIN", other);
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
