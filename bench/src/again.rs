//! The bench itself, once more in the emulated machine.

use std::io::{stderr, stdout};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rlvs_lab::{Vm, interrupt};

/// Room for two large tables.
const MEMORY_MIB: u32 = 3072;
/// With all that the emulator knows. docs/BENCH.md has figures of it.
const PROCESSOR: &str = "max,la57=off";

/// Runs it there with these words, for so long at most.
pub(crate) fn in_machine(words: &[String], limit: Duration) -> Result<()> {
    interrupt::watch()?;
    let program = std::env::current_exe()?;
    let program = program
        .to_str()
        .context("the program's path is not UTF-8")?;
    let words = [&[program.to_owned()], words].concat();
    let machine = Vm::new()
        .processor(PROCESSOR)
        .memory_mib(MEMORY_MIB)
        .limit(limit);
    let status = machine.run_into(&words, &mut stdout(), &mut stderr())?;
    ensure!(status == 0, "the bench in the machine ended with {status}");
    Ok(())
}
