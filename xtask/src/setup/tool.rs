//! Subcommands of cargo that others have made.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use rlvs_lab::command;

use super::LIMIT;
use crate::{progress, workspace};

const QUESTION: Duration = Duration::from_secs(60);

/// Installs `name`, unless `asked` says that it is there.
pub(crate) fn install(name: &str, asked: &mut Command) -> Result<()> {
    if command::finish(asked, QUESTION)?.status.success() {
        return Ok(());
    }
    let mut install = workspace::cargo();
    install.args(["install", "--locked", name]);
    progress::run(&format!("installing {name}"), &mut install, LIMIT)
}
