//! `rlvs events`: what happens, as it happens.

use anyhow::Result;
use clap::Args;
use rlvs_control::event::Event;

use crate::output;
use crate::remote::Whom;

/// Tell what happens from now on: real servers that go down or come up, VRRP instances that
/// become master, files that are applied
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Print each event as a line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    whom: Whom,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut outcome = Ok(());
    arguments.whom.client()?.events(&mut |event| {
        outcome = line(&event, arguments.json).and_then(|line| Ok(output::print(&line)?));
        outcome.is_ok()
    })?;
    outcome
}

fn line(event: &Event, json: bool) -> Result<String> {
    Ok(match json {
        true => serde_json::to_string(event)? + "\n",
        false => {
            let at = std::time::UNIX_EPOCH + std::time::Duration::from_millis(event.at);
            let at = humantime::format_rfc3339_seconds(at);
            format!("{at}  {}\n", event.what)
        }
    })
}
