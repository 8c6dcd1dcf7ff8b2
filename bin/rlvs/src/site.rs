//! `rlvs plan` and `rlvs apply`: the services of a file become the director's.

mod picture;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use rlvs_config::written;
use rlvs_control::site::{Plan, Site};

use crate::configuration::{Source, read};
use crate::output;
use crate::remote::Whom;

/// Show what `rlvs apply` would change, and change nothing
#[derive(Debug, Args)]
pub(crate) struct Preview {
    #[command(flatten)]
    source: Source,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    whom: Whom,
}

/// Make the director's services those of a configuration file, all at once or not at all
#[derive(Debug, Args)]
pub(crate) struct Apply {
    #[command(flatten)]
    source: Source,
    /// Only if the director's site has this number, which `rlvs status` shows
    #[arg(long, value_name = "N")]
    expect: Option<u64>,
    /// Print what was changed as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    whom: Whom,
}

pub(crate) fn plan(arguments: &Preview) -> Result<ExitCode> {
    let Some(site) = site(&arguments.source, None)? else {
        return Ok(ExitCode::FAILURE);
    };
    show(
        &arguments.whom.client()?.plan(&site)?,
        arguments.json,
        "nothing would change",
    )
}

pub(crate) fn apply(arguments: &Apply) -> Result<ExitCode> {
    let Some(site) = site(&arguments.source, arguments.expect)? else {
        return Ok(ExitCode::FAILURE);
    };
    let changed = arguments.whom.client()?.apply_site(&site)?;
    show(&changed, arguments.json, "nothing had to be changed")
}

/// None if the file cannot be used, which is said.
fn site(source: &Source, expected: Option<u64>) -> Result<Option<Site>> {
    if source.file == Path::new("-") {
        bail!("a file is wanted, for it is read again at reload: `-' cannot be");
    }
    let Some(reading) = read(source)? else {
        return Ok(None);
    };
    Ok(Some(Site {
        path: std::path::absolute(&source.file)?,
        text: written::write(&reading.site),
        expected,
    }))
}

fn show(plan: &Plan, json: bool, nothing: &str) -> Result<ExitCode> {
    match json {
        true => output::print(&(serde_json::to_string_pretty(plan)? + "\n"))?,
        false => output::print(&picture::draw(plan, nothing))?,
    }
    Ok(ExitCode::SUCCESS)
}
