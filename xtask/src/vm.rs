//! `cargo xtask vm`: one command on Debian's stock kernel.

use std::env;
use std::io::{stderr, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rlvs_lab::interrupt;
use rlvs_lab::vm::{VM_FAILED, Vm};

use crate::setup;

/// The guest sees the host's files under the same paths; what it writes is lost, except below a
/// share. The exit status is the command's, or 125 where the machine died or ran out of time.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// One CPU whose clock counts executed instructions (1 ns each), idle time skipped
    #[arg(long)]
    icount: bool,
    /// How many CPUs (one with --icount)
    #[arg(long, value_name = "N", default_value_t = 2)]
    smp: u32,
    /// Memory of the guest in MiB
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    mem: u32,
    /// Seconds until the machine is killed
    #[arg(long, value_name = "S", default_value_t = 300)]
    timeout: u64,
    /// A directory that the guest may write to, at the same path or at GUEST
    #[arg(long, value_name = "DIR[:GUEST]", value_parser = share)]
    share: Vec<(PathBuf, PathBuf)>,
    /// Keep the kernel's console there
    #[arg(long, value_name = "FILE")]
    klog: Option<PathBuf>,
    /// The command, run as root in the current directory
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    setup::run(&[setup::VM])?;
    match machine(arguments).run_into(&arguments.command, &mut stdout(), &mut stderr()) {
        Ok(status) => Ok(ExitCode::from(u8::try_from(status).unwrap_or(VM_FAILED))),
        Err(error) if interrupt::raised() => Err(error),
        Err(error) => {
            eprintln!("{error:#}");
            Ok(ExitCode::from(VM_FAILED))
        }
    }
}

fn machine(arguments: &Arguments) -> Vm {
    let mut vm = Vm::new()
        .icount(arguments.icount)
        .smp(arguments.smp)
        .memory_mib(arguments.mem)
        .limit(Duration::from_secs(arguments.timeout));
    for (host, guest) in &arguments.share {
        vm = vm.share(host, guest);
    }
    match &arguments.klog {
        Some(file) => vm.kernel_log(file),
        None => vm,
    }
}

/// `DIR` or `DIR:GUEST`.
fn share(text: &str) -> Result<(PathBuf, PathBuf)> {
    let (host, guest) = text.split_once(':').unwrap_or((text, text));
    let host = Path::new(host).canonicalize().context(host.to_owned())?;
    ensure!(host.is_dir(), "not a directory");
    Ok((host, env::current_dir()?.join(guest)))
}
