//! `cargo xtask bench reload`: what it takes to read a large file again in which one weight has
//! changed, beside keepalived on the kernel's IPVS, in one run in the emulated machine.
//!
//! * [`site`]: the file, which is keepalived's
//! * [`sides`]: keepalived, and a director

mod sides;
mod site;

use std::time::Duration;

use anyhow::{Context, Result};
use rlvs_lab::{Lab, vm};

use sides::{Cost, Keepalived, Ours, Side};
use site::Site;

use crate::again;

/// keepalived alone may take most of it.
const LIMIT: Duration = Duration::from_secs(3000);

/// Measure reading a large file again beside keepalived, in an emulated machine
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How often each reads it again; medians are shown
    #[arg(long, value_name = "N", default_value_t = 3)]
    runs: u32,
    /// Virtual servers
    #[arg(long, value_name = "N", default_value_t = 2277)]
    services: u32,
    /// Real servers of all of them
    #[arg(long, value_name = "N", default_value_t = 37_205)]
    destinations: u32,
    /// Measure ours alone, on this machine's kernel
    #[arg(long)]
    here: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if vm::inside() || arguments.here {
        return measure(arguments);
    }
    println!("a machine boots, and both begin in it: that takes some minutes");
    let words = [
        "reload".to_owned(),
        format!("--runs={}", arguments.runs),
        format!("--services={}", arguments.services),
        format!("--destinations={}", arguments.destinations),
    ];
    again::in_machine(&words, LIMIT)
}

fn measure(arguments: &Arguments) -> Result<()> {
    let site = Site {
        services: arguments.services,
        destinations: arguments.destinations,
    };
    site.write(1)?;
    let lab = Lab::new()?;
    let mut ours = Ours::new(&lab, site)?;
    let keepalived = (!arguments.here).then(|| Keepalived::new(&lab, site));
    let mut keepalived = keepalived.transpose()?;
    println!(
        "{} real servers of {} virtual servers: seconds, and of these the daemon's own (CPU)",
        site.destinations, site.services
    );
    println!();
    println!(
        "{:<32} {:>16} {:>16} {:>7}",
        "", "keepalived", "rlvs", "ratio"
    );
    let theirs = keepalived.as_mut().map(|side| side.start()).transpose()?;
    row("start, until all is there", theirs, ours.start()?);
    let (mut theirs, mut own) = (Vec::new(), Vec::new());
    for weight in 2..2 + arguments.runs {
        site.write(weight)?;
        if let Some(side) = &mut keepalived {
            theirs.push(side.reload(site, weight)?);
        }
        own.push(ours.reload(site, weight)?);
    }
    row(
        "reload, until it is seen",
        Cost::median(theirs),
        Cost::median(own).context("no run")?,
    );
    Ok(())
}

fn row(name: &str, theirs: Option<Cost>, own: Cost) {
    let ratio = |theirs: Cost| own.time.as_secs_f64() / theirs.time.as_secs_f64();
    println!(
        "{name:<32} {:>16} {:>16} {:>7}",
        theirs.map_or_else(|| "-".to_owned(), |cost| cost.to_string()),
        own.to_string(),
        theirs.map_or_else(|| "-".to_owned(), |cost| format!("{:.3}", ratio(cost))),
    );
}
