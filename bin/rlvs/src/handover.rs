//! `rlvs handover`: another director becomes master, as planned.

use anyhow::Result;
use clap::Args;
use rlvs_control::handover::Handover;

use crate::output;
use crate::remote::Whom;

/// Let another director be master of VRRP instances, and wait until it is: before work on this
/// machine. It stays master until it ends or hands over in turn, whatever its priority
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// An instance or a sync group; all that are master here by default
    name: Option<String>,
    #[command(flatten)]
    whom: Whom,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let name = arguments.name.clone();
    let handed = arguments.whom.client()?.hand_over(&Handover { name })?;
    let line =
        |it: &rlvs_control::handover::Taken| format!("{}: {} is master\n", it.name, it.master);
    Ok(output::print(
        &handed.instances.iter().map(line).collect::<String>(),
    )?)
}
