//! `rlvs check`, `rlvs convert` and `rlvs schema`: configuration files, without a director.

mod names;
mod read;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use rlvs_config::problem::pictures;
use rlvs_config::{Failure, Reading, Severity, written};

use crate::output;

/// Problems that are shown with their lines; more are counted.
const SHOWN: usize = 50;

/// Read a configuration file, and say what is wrong with it and what is not acted on
#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    source: Source,
}

/// Print a configuration file of keepalived, ldirectord or ipvsadm as rlvs.toml
#[derive(Debug, Args)]
pub(crate) struct Convert {
    #[command(flatten)]
    source: Source,
    /// Write it to this file, which must not be there yet
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// What is read.
#[derive(Debug, Args)]
pub(crate) struct Source {
    /// rlvs.toml, keepalived.conf, ldirectord.cf or what ipvsadm-save prints; `-` is the input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Which of them it is, where its name and what is in it do not tell
    #[arg(long, visible_alias = "from", value_enum)]
    format: Option<Format>,
    /// What lines after `@` in keepalived.conf are for; the first part of this host's name
    #[arg(short = 'i', long, value_name = "ID")]
    config_id: Option<String>,
}

/// [`rlvs_config::Format`] as an argument.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Toml,
    Keepalived,
    Ldirectord,
    Ipvsadm,
}

/// Whether nothing is wrong; what is not acted on is only said.
pub(crate) fn check(arguments: &Check) -> Result<ExitCode> {
    let Some(reading) = read(&arguments.source)? else {
        return Ok(ExitCode::FAILURE);
    };
    let services = &reading.site.services;
    let (addresses, real) = services.iter().fold((0, 0), |(addresses, real), server| {
        (addresses + server.services.len(), real + server.real.len())
    });
    let worst = reading.warnings.worst();
    let (wrong, notes) = rlvs_director::judge_vrrp(&reading.site);
    notes.iter().for_each(|note| eprintln!("  ℹ {note}"));
    wrong.iter().for_each(|problem| eprintln!("  × {problem}"));
    let right = worst.is_none_or(|worst| worst < Severity::Warning) && wrong.is_empty();
    let said = match right {
        true => "is right",
        false if wrong.is_empty() => "can be used, without what is left out",
        false => "cannot be used",
    };
    let file = arguments.source.file.display();
    output::print(&format!(
        "{file} {said}: virtual services: {addresses}, real servers: {real}\n"
    ))?;
    Ok(output::exit_code(right))
}

/// Prints or writes it.
pub(crate) fn convert(arguments: &Convert) -> Result<ExitCode> {
    let Some(reading) = read(&arguments.source)? else {
        return Ok(ExitCode::FAILURE);
    };
    let text = written::write(&reading.site);
    match &arguments.output {
        None => output::print(&text)?,
        Some(path) => {
            let mut file = fs::File::create_new(path)
                .with_context(|| format!("cannot make {}", path.display()))?;
            std::io::Write::write_all(&mut file, text.as_bytes())
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the JSON schema of rlvs.toml, or what the API is.
pub(crate) fn schema(api: bool) -> Result<()> {
    let text = match api {
        true => rlvs_director::server::openapi(),
        false => written::schema(),
    };
    Ok(output::print(&text)?)
}

/// What is in a file of any kind; else what is wrong, for people.
pub(crate) fn load(path: &Path) -> Result<Reading, String> {
    let source = Source {
        file: path.to_owned(),
        format: None,
        config_id: None,
    };
    match read::read(&source) {
        Ok(outcome) => outcome.map_err(|failure| failure.pictures()),
        Err(error) => Err(format!("{error:#}")),
    }
}

/// What is in the file; what is wrong is said on stderr.
pub(crate) fn read(source: &Source) -> Result<Option<Reading>> {
    match read::read(source)? {
        Ok(reading) => {
            let problems = reading.warnings.iter();
            say(
                problems.len(),
                &pictures(&reading.sources, problems.take(SHOWN)),
            );
            Ok(Some(reading))
        }
        Err(failure) => {
            let Failure { sources, problems } = &failure;
            let problems = problems.iter();
            say(problems.len(), &pictures(sources, problems.take(SHOWN)));
            Ok(None)
        }
    }
}

fn say(count: usize, pictures: &str) {
    eprint!("{pictures}");
    if count > SHOWN {
        eprintln!("and {} more", count - SHOWN);
    }
}
