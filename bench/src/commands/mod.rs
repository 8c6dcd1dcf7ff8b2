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

use std::io::{stderr, stdout};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rlvs_lab::{Lab, Vm, interrupt, vm};

use clock::Measured;
use rules::Rules;
use sides::{Kernel, Ours, Side};
use table::Table;

/// On a busy host it is half of that.
const LIMIT: Duration = Duration::from_secs(3600);

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
    /// How many connections both list: the kernel's time grows with the square, and 100,000 take it
    /// minutes
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    connections: u32,
    /// How many connections ours lists besides
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    alone: u32,
    /// Measure ours alone, on this machine's kernel
    #[arg(long)]
    here: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if vm::inside() || arguments.here {
        return measure(arguments);
    }
    interrupt::watch()?;
    println!("a machine boots, and a director begins in it: that takes two minutes");
    let program = std::env::current_exe()?;
    let program = program
        .to_str()
        .context("the program's path is not UTF-8")?;
    let mut words = vec![program.to_owned(), "commands".to_owned()];
    words.extend(arguments.words());
    let machine = Vm::new().memory_mib(3072).limit(LIMIT);
    let status = machine.run_into(&words, &mut stdout(), &mut stderr())?;
    ensure!(status == 0, "the bench in the machine ended with {status}");
    Ok(())
}

impl Arguments {
    fn words(&self) -> Vec<String> {
        [
            ("--runs", self.runs),
            ("--services", self.services),
            ("--destinations", self.destinations),
            ("--connections", self.connections),
            ("--alone", self.alone),
        ]
        .into_iter()
        .flat_map(|(flag, number)| [flag.to_owned(), number.to_string()])
        .collect()
    }
}

fn measure(arguments: &Arguments) -> Result<()> {
    let most = arguments.connections.max(arguments.alone);
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
        side.list(&["-Ln"], rules.lines() + 3)
    })?;
    connections(arguments, &sides)
}

/// Whom to measure, and how.
struct Sides {
    kernel: Option<Kernel>,
    ours: Ours,
    runs: u32,
    table: Table,
}

fn connections(arguments: &Arguments, sides: &Sides) -> Result<()> {
    let count = arguments.connections;
    for side in sides.all() {
        side.clear()?;
        side.balance_connections()?;
        side.connect(0..count)?;
    }
    let name = |count| format!("-Lcn, {count} connections");
    let list = |count: u32| move |side: &dyn Side| side.list(&["-Lcn"], count as usize + 2);
    sides.row(&name(count), list(count))?;
    if arguments.alone <= count {
        return Ok(());
    }
    sides.ours.connect(count..arguments.alone)?;
    sides.own_row(&name(arguments.alone), list(arguments.alone))
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

    fn own_row(&self, name: &str, run: impl Fn(&dyn Side) -> Result<Measured>) -> Result<()> {
        let own = (0..self.runs).map(|_| run(&self.ours));
        let own = Measured::median(own.collect::<Result<_>>()?);
        self.table.row(name, None, &own);
        Ok(())
    }
}
