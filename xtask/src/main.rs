//! The project's own commands, as `cargo xtask VERB`.
//!
//! * [`demo`]: LVS-DR shown in a laboratory of namespaces
//! * [`lint`]: formatting and lints, those of the eBPF crate too
//! * [`setup`]: what Debian and cargo have to install
//! * [`test`]: all of that, and every test
//! * [`vm`]: a command on Debian's stock kernel, emulated
#![forbid(unsafe_code)]

mod console;
mod demo;
mod lint;
mod progress;
mod setup;
mod test;
mod toolchain;
mod vm;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use rlvs_lab::interrupt;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Builds, tests and shows rlvs")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Show LVS-DR at work: real servers, real requests, in network namespaces
    Demo(demo::Arguments),
    /// Check formatting and lints, warnings being errors
    Lint,
    /// Install what is missing to build rlvs, for labs, and for the virtual machine
    Setup,
    /// Lint and run every test: without root, in namespaces, in the emulated machine
    Test(test::Arguments),
    /// Run a command as root on Debian's stock kernel in an emulated machine
    Vm(vm::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match interrupt::watch().and_then(|()| run(arguments.verb)) {
        Ok(status) => status,
        Err(_) if interrupt::raised() => {
            eprintln!("interrupted");
            ExitCode::from(interrupt::STATUS)
        }
        Err(error) => {
            eprintln!("{} {error:#}", console::red("error:"));
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb) -> Result<ExitCode> {
    match verb {
        Verb::Demo(arguments) => demo::run(&arguments).map(|()| ExitCode::SUCCESS),
        Verb::Lint => lint::run(),
        Verb::Setup => setup::run(&setup::ALL).map(|()| ExitCode::SUCCESS),
        Verb::Test(arguments) => test::run(&arguments),
        Verb::Vm(arguments) => vm::run(&arguments),
    }
}
