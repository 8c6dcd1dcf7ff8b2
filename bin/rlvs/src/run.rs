//! `rlvs run` and `rlvs down`: a director begins and ends.

use std::io::IsTerminal;
use std::path::Path;

use anyhow::{Result, ensure};
use rlvs_config::Site;
use tracing_subscriber::EnvFilter;

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
    let reading = rlvs_config::load(config)?;
    only_settings(&reading.site)?;
    Ok(rlvs_director::run(reading.site.settings)?)
}

/// The daemon does not take more than its settings from a file yet.
fn only_settings(site: &Site) -> Result<()> {
    let settings = Site {
        settings: site.settings.clone(),
        ..Site::default()
    };
    ensure!(
        *site == settings,
        "the daemon takes only its settings from rlvs.toml as yet: set services by ipvsadm"
    );
    Ok(())
}

/// Detaches and removes all that a director has in this network namespace.
pub(crate) fn down() -> Result<()> {
    match rlvs_director::down()? {
        true => println!("The director's programs, tables and rules are removed."),
        false => println!("There was nothing of a director here."),
    }
    Ok(())
}
