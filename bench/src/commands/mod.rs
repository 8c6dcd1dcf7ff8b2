//! `cargo xtask bench commands`: what `ipvsadm` takes on the kernel's IPVS and on a director, in one
//! run in the emulated machine.
//!
//! * [`sides`]: the two, and what both are asked
//! * [`rules`]: the services
//! * [`connections`]: a million of them, made without a packet
//! * [`sync`]: the messages by which the kernel takes some over
//! * [`clock`]: how long a program takes, and its memory
//! * [`table`]: what is printed

mod clock;
mod connections;
mod rules;
mod sides;
mod sync;
mod table;

use std::ops::Range;
use std::time::Duration;

use anyhow::Result;
use rlvs_lab::{Lab, vm};

use clock::Measured;
use rules::Rules;
use sides::{Kernel, LIMIT, Ours, Side};
use table::Table;

use crate::again;

/// On a busy host it is half of that.
const MACHINE_LIMIT: Duration = Duration::from_secs(3600);

/// Measure ipvsadm beside the kernel's own, in an emulated machine
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How often each command is run; medians are shown
    #[arg(long, value_name = "N", default_value_t = 3)]
    runs: u32,
    /// How many services are restored and listed
    #[arg(long, value_name = "N", default_value_t = 1000)]
    services: u32,
    /// How many destinations each of them has
    #[arg(long, value_name = "N", default_value_t = 20)]
    destinations: u32,
    /// How many connections both list first
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    connections: u32,
    /// How many both list then
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    most: u32,
    /// When the kernel's listing of those is ended: its time grows with the square of their number
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    patience: u64,
    /// Measure ours alone, on this machine's kernel
    #[arg(long)]
    here: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if vm::inside() || arguments.here {
        return measure(arguments);
    }
    println!("a machine boots, and a director begins in it: that takes two minutes");
    let words = [vec!["commands".to_owned()], arguments.words()].concat();
    again::in_machine(&words, MACHINE_LIMIT)
}

impl Arguments {
    fn words(&self) -> Vec<String> {
        [
            ("--runs", self.runs.into()),
            ("--services", self.services.into()),
            ("--destinations", self.destinations.into()),
            ("--connections", self.connections.into()),
            ("--most", self.most.into()),
            ("--patience", self.patience),
        ]
        .into_iter()
        .flat_map(|(flag, number)| [flag.to_owned(), number.to_string()])
        .collect()
    }
}

fn measure(arguments: &Arguments) -> Result<()> {
    let most = arguments.connections.max(arguments.most);
    let rules = Rules::new(arguments.services, arguments.destinations)?;
    let lab = Lab::new()?;
    let sides = Sides {
        kernel: (!arguments.here).then(|| Kernel::start(&lab)).transpose()?,
        ours: Ours::start(&lab, &rules, arguments.runs, most)?,
        runs: arguments.runs,
        table: Table::begin(),
    };
    sides.row(&format!("-R, {rules}"), |side| {
        side.clear()?;
        side.restore(&rules)
    })?;
    sides.row(&format!("-Ln, {rules}"), |side| {
        side.list(&["-Ln"], rules.lines() + 3, LIMIT)
    })?;
    list_connections(arguments, &sides)
}

/// Whom to measure, and how.
struct Sides {
    kernel: Option<Kernel>,
    ours: Ours,
    runs: u32,
    table: Table,
}

fn list_connections(arguments: &Arguments, sides: &Sides) -> Result<()> {
    let count = arguments.connections;
    for side in sides.all() {
        side.clear()?;
        side.balance_connections()?;
    }
    sides.connect(0..count)?;
    let name = |count| format!("-Lcn, {count} connections");
    sides.row(&name(count), |side| list(side, count, LIMIT))?;
    let most = arguments.most;
    if most <= count {
        return Ok(());
    }
    sides.connect(count..most)?;
    let patience = Duration::from_secs(arguments.patience);
    let kernel = sides.kernel.as_ref();
    let theirs = kernel.map(|side| list(side, most, patience)).transpose()?;
    let own = (0..sides.runs).map(|_| list(&sides.ours, most, LIMIT));
    let own = Measured::median(own.collect::<Result<_>>()?);
    sides.table.row(&name(most), theirs.as_ref(), &own);
    Ok(())
}

fn list(side: &dyn Side, count: u32, limit: Duration) -> Result<Measured> {
    side.list(&["-Lcn"], count as usize + 2, limit)
}

impl Sides {
    fn all(&self) -> impl Iterator<Item = &dyn Side> {
        let kernel = self.kernel.as_ref().map(|kernel| kernel as &dyn Side);
        kernel.into_iter().chain([&self.ours as &dyn Side])
    }

    /// Runs in turn on both, so that a busy host is busy for both.
    fn row(&self, name: &str, run: impl Fn(&dyn Side) -> Result<Measured>) -> Result<()> {
        let (mut theirs, mut own) = (Vec::new(), Vec::new());
        for _ in 0..self.runs {
            if let Some(kernel) = &self.kernel {
                theirs.push(run(kernel)?);
            }
            own.push(run(&self.ours)?);
        }
        let theirs = (!theirs.is_empty()).then(|| Measured::median(theirs));
        self.table
            .row(name, theirs.as_ref(), &Measured::median(own));
        Ok(())
    }

    fn connect(&self, clients: Range<u32>) -> Result<()> {
        self.all()
            .try_for_each(|side| side.connect(clients.clone()))
    }
}
