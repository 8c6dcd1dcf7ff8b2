//! `rlvs director`: what the scripts of LVS's tutorials do on a director, in one command.
//!
//! Virtual addresses, forwarding where services need it, and rules: `up` sets them, after a note of
//! what was there before; `down` takes back what `up` did, and nothing else; `status` looks.

mod addresses;
mod forwarding;
mod report;
mod rules;
mod run;
mod saved;

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::output;
use report::Report;

/// Make this host serve as a director, or look whether it does
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Set rules, forwarding where they need it, and virtual addresses; what an earlier `up` set and
    /// this one does not name is taken back
    Up(Asked),
    /// Take back what `up` did, and nothing else
    Down,
    /// Show what `up` set, and how to mend what is missing; exit status 1 if something is
    Status {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

/// What this host is to serve.
#[derive(Debug, Args)]
struct Asked {
    /// A file with rules, as `ipvsadm -S` prints them; `-` is the input
    #[arg(long, value_name = "FILE", required_unless_present_any = ["rule", "vip"])]
    rules: Option<PathBuf>,
    /// A rule in ipvsadm's words, such as '-A -t 192.0.2.100:80 -s wrr'; may be given several times
    #[arg(long, value_name = "RULE", allow_hyphen_values = true)]
    rule: Vec<String>,
    /// A virtual address beside those that rules name; may be given several times
    #[arg(long, value_name = "ADDRESS")]
    vip: Vec<IpAddr>,
    /// Where virtual addresses go; on the interface whose network has them where none is given
    #[arg(long, value_name = "NAME")]
    interface: Option<String>,
}

/// Does what was asked, in this network namespace.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    attempt(&arguments.verb).unwrap_or_else(|error| {
        eprintln!("{error:#}");
        ExitCode::FAILURE
    })
}

fn attempt(verb: &Verb) -> anyhow::Result<ExitCode> {
    match verb {
        Verb::Up(asked) => {
            run::up(asked)?;
            show(&run::status()?, false)
        }
        Verb::Down => run::down().map(|()| ExitCode::SUCCESS),
        Verb::Status { json } => show(&run::status()?, *json),
    }
}

fn show(report: &Report, json: bool) -> anyhow::Result<ExitCode> {
    output::report(report, report.right, json)
}
