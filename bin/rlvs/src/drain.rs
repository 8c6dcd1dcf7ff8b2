//! `rlvs drain` and `rlvs undrain`: a real server leaves its services without cutting anyone off.
//!
//! The director does it, with or without this command: which only says what it does.

mod watch;
mod which;

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use rlvs_control::drain::{Draining, RunningDrain};
use rlvs_control::{Change, Director, Transaction};

pub(crate) use which::Which;

use crate::remote::Whom;

/// Take a real server out of service: no new connections, and removal when none is left
///
/// Its weight is 0 from now on, and clients whom persistence has sent there are sent elsewhere.
/// Once it has no connection left, or at the deadline, it is removed. This is the director's
/// doing: it goes on if this command ends (Ctrl-C, --detach) and if the director is started anew.
/// Inactive connections are waited for as well: UDP's, and those of TCP that close, which by direct
/// routing takes two minutes (`ipvsadm --set`).
/// `ipvsadm -e` meanwhile sets the weight that `rlvs undrain` brings back; `-d` removes it at once.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The real server, ADDRESS:PORT, or ADDRESS for all of its ports; without one, what is being
    /// drained is listed
    #[arg(value_name = "DEST")]
    destination: Option<String>,
    #[command(flatten)]
    service: which::ServiceArguments,
    /// Remove it after so long whatever connections it has (90s, 5m, 1h 30m)
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration,
          requires = "destination")]
    deadline: Option<Duration>,
    /// Let clients whom persistence has sent there go on to be sent there
    #[arg(long, requires = "destination")]
    keep_clients: bool,
    /// Do not wait for its end
    #[arg(short, long, requires = "destination")]
    detach: bool,
    #[command(flatten)]
    whom: Whom,
}

/// Begins, and tells how it goes.
pub(crate) fn drain(arguments: &Arguments) -> Result<()> {
    let mut client = arguments.whom.client()?;
    let Some(destination) = &arguments.destination else {
        return list(&client.drains()?.running);
    };
    let found = which::find(destination, &arguments.service, &client.services()?)?;
    let deadline = arguments.deadline.map(seconds).transpose()?;
    let change = |&(service, destination): &which::Place| Change::Drain {
        service,
        destination,
        deadline,
        keep_clients: arguments.keep_clients,
    };
    client.apply(&Transaction::from(
        found.iter().map(change).collect::<Vec<_>>(),
    ))?;
    match arguments.detach {
        true => Ok(()),
        false => watch::until_ended(&mut client, &found),
    }
}

/// Takes it back.
pub(crate) fn undrain(which: &Which) -> Result<()> {
    let mut client = which.whom.client()?;
    let found = which::find(&which.destination, &which.service, &client.services()?)?;
    let running: BTreeSet<_> = client.drains()?.running.iter().map(place).collect();
    let change = |&(service, destination): &which::Place| Change::Undrain {
        service,
        destination,
    };
    let changes: Vec<_> = found
        .iter()
        .filter(|it| running.contains(it))
        .map(change)
        .collect();
    if changes.is_empty() {
        bail!(
            "{} is not being drained: `rlvs drain` lists what is",
            which.destination
        );
    }
    Ok(client.apply(&Transaction::from(changes))?)
}

fn seconds(deadline: Duration) -> Result<u32> {
    match u32::try_from(deadline.as_secs()) {
        Ok(0) => bail!("the deadline is less than a second: `ipvsadm -d` removes it at once"),
        Ok(seconds) => Ok(seconds),
        Err(_) => bail!("the deadline is too far away: leave it out"),
    }
}

fn place(running: &RunningDrain) -> which::Place {
    (running.service, running.destination)
}

fn list(running: &[RunningDrain]) -> Result<()> {
    for drain in running {
        println!(
            "{} of {}: {}",
            drain.destination,
            drain.service,
            present(drain)
        );
    }
    Ok(())
}

/// What it has, and how long it may have it.
fn present(drain: &RunningDrain) -> String {
    let counts = counts(drain.active_connections, drain.inactive_connections);
    counts + &left(&drain.draining)
}

fn counts(active: u32, inactive: u32) -> String {
    format!("{active} active, {inactive} inactive connections")
}

fn left(draining: &Draining) -> String {
    let left = draining.seconds_left.map(Duration::from_secs);
    left.map_or_else(String::new, |left| {
        format!(", {} left", humantime::format_duration(left))
    })
}
