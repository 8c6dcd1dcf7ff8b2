//! `rlvs token`: somebody may ask a director over TCP.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use rlvs_director::server::Role;
use rlvs_director::server::tokens::Tokens;

use crate::output;

/// Make a token for the API over TCP: it is printed once, and its hash added to the file of tokens
///
/// The director takes it up at its next reload. To take a token back, delete its line, and reload.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Whose it is: one word, for the file and the log
    #[arg(value_name = "NAME")]
    name: String,
    /// What it allows: read (all but the site), operate (rules, drains, counters too) or admin (all)
    #[arg(long)]
    role: Role,
    /// The file that `tokens` of [api] in rlvs.toml names
    #[arg(long, value_name = "FILE", default_value = "/etc/rlvs/tokens")]
    file: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let token = Tokens::add(&arguments.file, &arguments.name, arguments.role)?;
    Ok(output::print(&(token + "\n"))?)
}
