//! `cargo xtask bench`: what a packet costs in the real XDP program, in nanoseconds.
//!
//! The kernel runs the program again and again (BPF_PROG_TEST_RUN) within a wrapper that gives it
//! a packet of another flow each round; docs/BENCH.md says how to read the numbers.
//!
//! * [`case`]: what is measured; [`packet`]: the packets of it
//! * [`subject`]: the data plane that is measured, with its service and connections
//! * [`measure`]: runs, medians, and whether the program did what it should
//! * [`report`]: the table on the screen, the JSON file, the comparison
//! * [`machine`]: the CPU
//! * [`again`]: the same in the emulated machine
//! * [`commands`]: what `ipvsadm` takes, beside the kernel's own
//! * [`reload`]: what a large file takes that has changed, beside keepalived
//! * [`ha`]: how long nobody is served while another director takes over
//! * [`sync`]: how long a director takes to catch up with its peer

mod again;
mod case;
mod commands;
mod ha;
mod machine;
mod measure;
mod packet;
#[path = "../../crates/ebpf/src/plan.rs"]
mod plan;
mod reload;
mod report;
mod subject;
mod sync;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};
use rlvs_lab::Way;

use crate::machine::Machine;
use crate::packet::{CLIENT, DIRECTOR};
use crate::report::{Memory, Report};

/// Measures nanoseconds per packet of the real XDP program.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench")]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    instead: Option<Instead>,
    /// Write the results there too, to compare with later
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Show the change since the run that wrote this file
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
    /// Only rows whose names contain this
    #[arg(long, value_name = "NAME")]
    filter: Option<String>,
    /// The CPU to run on; by default the last one
    #[arg(long, value_name = "N")]
    cpu: Option<usize>,
}

#[derive(Debug, Subcommand)]
enum Instead {
    Commands(commands::Arguments),
    Reload(reload::Arguments),
    Ha(ha::Arguments),
    Sync(sync::Arguments),
    /// What `ha` runs in a client's network namespace
    #[command(hide = true)]
    HaProbe(ha::probe::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match &arguments.instead {
        Some(Instead::Commands(arguments)) => commands::run(arguments),
        Some(Instead::Reload(arguments)) => reload::run(arguments),
        Some(Instead::Ha(arguments)) => ha::run(arguments),
        Some(Instead::Sync(arguments)) => sync::run(arguments),
        Some(Instead::HaProbe(arguments)) => ha::probe::run(arguments),
        None => run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let before = arguments.compare.as_ref().map(Report::read).transpose()?;
    let part = arguments.filter.as_deref().unwrap_or("");
    let cases = case::all()
        .into_iter()
        .filter(|case| case.name.contains(part));
    let cases: Vec<_> = cases.collect();
    ensure!(!cases.is_empty(), "no row's name contains {part}");
    // Answers need a way to clients.
    let _way = Way::enter(DIRECTOR, CLIENT)?;
    let machine = Machine::pinned(arguments.cpu)?;
    report::print_machine(&machine);
    let floors = measure::floors()?;
    report::print_floors(&floors);
    let memory = Memory::of_tables()?;
    report::print_memory(&memory);
    let mut report = Report {
        machine,
        floors,
        memory,
        rows: Vec::new(),
    };
    report::print_heading(before.is_some());
    for case in cases {
        let row = report::progress(&case.name, || measure::case(&case))?;
        report::print_row(&row, before.as_ref());
        report.rows.push(row);
    }
    match &arguments.json {
        Some(file) => fs::write(file, report.to_json()?).context(file.display().to_string()),
        None => Ok(()),
    }
}
