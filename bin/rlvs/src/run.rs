//! `rlvs run` and `rlvs down`: a director begins and ends.

use std::io::IsTerminal;
use std::path::Path;

use anyhow::{Error, Result};
use rlvs_director::Configuration;
use tracing_subscriber::EnvFilter;

use crate::configuration;

/// Runs the director of this network namespace in the foreground; logs go to stderr.
pub(crate) fn run(config: Option<&Path>) -> Result<()> {
    let filter = EnvFilter::builder()
        .with_default_directive(tracing::Level::INFO.into())
        .with_env_var("RLVS_LOG")
        .from_env_lossy();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
    let reading = match config {
        Some(path) => configuration::load(path).map_err(Error::msg)?,
        None => rlvs_config::load(None)?,
    };
    let path = config.unwrap_or(Path::new(rlvs_config::DEFAULT_PATH));
    Ok(rlvs_director::run(Configuration {
        path: std::path::absolute(path)?,
        reading,
        read: configuration::load,
    })?)
}

/// Detaches and removes all that a director has in this network namespace.
pub(crate) fn down() -> Result<()> {
    match rlvs_director::down()? {
        true => println!("The director's programs, tables and rules are removed."),
        false => println!("There was nothing of a director here."),
    }
    Ok(())
}
