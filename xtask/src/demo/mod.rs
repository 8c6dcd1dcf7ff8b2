//! `cargo xtask demo`: the classical walk through LVS-DR, on an XDP data plane; with
//! `--health` a director from a file, which checks its real servers; with `--ha` two directors, of which
//! one dies; with `--three-tier` the set-up of director, web servers and storage behind them.
//!
//! What is printed as a command is what is run, in the host that the prompt names. Every step is
//! bounded in time, and whatever ends the walk, the lab is removed: see `rlvs_lab::warden`.

mod ha;
mod health;
mod narrate;
mod table;
mod three_tier;
mod traffic;
mod walk;

use std::time::Duration;

use anyhow::{Result, bail};
use rlvs_lab::{interrupt, warden};

use crate::{progress, setup, workspace};
use walk::Walk;

/// Namespaces are named `rlvs-demo-HOST`, as a person will type them.
const LAB: &str = "rlvs-demo";

const BUILD_LIMIT: Duration = Duration::from_secs(1800);

#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// Leave the lab up, and say how to enter it
    #[arg(long)]
    keep: bool,
    /// Remove a lab that was kept, and do nothing else
    #[arg(long, conflicts_with = "keep")]
    down: bool,
    /// A director from a file: real servers die, hang and come back; the file changes
    #[arg(long, conflicts_with_all = ["keep", "down", "three_tier"])]
    health: bool,
    /// Two directors: one dies while a download goes on
    #[arg(long, conflicts_with_all = ["keep", "down", "health", "three_tier"])]
    ha: bool,
    /// Director, web servers, and their content on an NFS server, in the emulated machine, whose
    /// kernel has both sides of NFS
    #[arg(long, conflicts_with_all = ["keep", "down"])]
    three_tier: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.down {
        return down();
    }
    if arguments.three_tier {
        return three_tier::run();
    }
    if warden::exists(LAB) {
        bail!("the lab of an earlier demo is there: cargo xtask demo --down");
    }
    if arguments.health {
        return health::run();
    }
    if arguments.ha {
        return ha::run();
    }
    setup::run(&[setup::BUILD, setup::LAB])?;
    build()?;
    let mut walk = Walk::begin(LAB)?;
    let walked = walk.go();
    if walked.is_err() && !interrupt::raised() {
        walk.show_daemon_log();
    }
    match walked {
        Ok(()) if arguments.keep => walk.keep(),
        walked => walk.end().and(walked),
    }
}

fn down() -> Result<()> {
    if !warden::exists(LAB) {
        println!("there is no lab of a demo");
        return Ok(());
    }
    progress::step("remove the lab", |_| warden::remove(LAB))
}

fn build() -> Result<()> {
    if std::env::var_os("RLVS_BIN").is_some() {
        return Ok(());
    }
    let mut cargo = workspace::cargo();
    cargo.args(["build", "--release", "--package", "rlvs"]);
    progress::run("build rlvs, with its eBPF object", &mut cargo, BUILD_LIMIT)
}
