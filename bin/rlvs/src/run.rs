//! `rlvs run` and `rlvs down`: a director begins and ends.

use std::path::Path;

use anyhow::{Error, Result};
use rlvs_director::Configuration;

use crate::{configuration, log};

/// Runs the director of this network namespace in the foreground; logs go to stderr.
pub(crate) fn run(config: Option<&Path>, log: &log::Arguments) -> Result<()> {
    let reading = match config {
        Some(path) => configuration::load(path).map_err(Error::msg)?,
        None => rlvs_config::load(None)?,
    };
    log::begin(log, &reading.site.settings.log);
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
