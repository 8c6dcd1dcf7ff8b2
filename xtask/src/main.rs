//! The project's own commands, as `cargo xtask VERB`.
//!
//! * [`bench`]: nanoseconds a packet
//! * [`deb`]: a package for Debian
//! * [`demo`]: LVS-DR shown in a laboratory of namespaces
//! * [`fuzz`]: inputs that nobody thought of
//! * [`lint`]: formatting and lints, those of the eBPF crate too
//! * [`oracle`]: the kernel's IPVS and rlvs, compared
//! * [`setup`]: what Debian and cargo have to install
//! * [`test`]: all of that, and every test
//! * [`vm`]: a command on Debian's stock kernel, emulated
#![forbid(unsafe_code)]

mod bench;
mod console;
mod deb;
mod demo;
mod fuzz;
mod lint;
mod oracle;
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
    /// Measure nanoseconds per packet of the XDP program
    Bench(bench::Arguments),
    /// Make a package for Debian
    Deb(deb::Arguments),
    /// Show LVS-DR at work: real servers, real requests, in network namespaces
    Demo(demo::Arguments),
    /// Give what comes from outside to libFuzzer: command lines, rules, transactions, packets
    Fuzz(fuzz::Arguments),
    /// Check formatting and lints, warnings being errors
    Lint,
    /// Compare rlvs with the kernel's IPVS in generated scenarios, in the emulated machine
    Oracle(oracle::Arguments),
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
        Verb::Bench(arguments) => bench::run(&arguments),
        Verb::Deb(arguments) => deb::run(&arguments),
        Verb::Demo(arguments) => demo::run(&arguments).map(|()| ExitCode::SUCCESS),
        Verb::Fuzz(arguments) => fuzz::run(&arguments),
        Verb::Lint => lint::run(),
        Verb::Oracle(arguments) => oracle::run(&arguments),
        Verb::Setup => setup::run(&setup::ALL).map(|()| ExitCode::SUCCESS),
        Verb::Test(arguments) => test::run(&arguments),
        Verb::Vm(arguments) => vm::run(&arguments),
    }
}
