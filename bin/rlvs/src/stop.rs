//! `rlvs stop`: the daemon ends, and forwarding with it or not.

use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use rlvs_control::stop::{AtStop, Stop};
use rlvs_control::{Client, Code};

/// How often it is looked whether it has ended.
const PERIOD: Duration = Duration::from_millis(100);

/// End the daemon of this network namespace, and wait for its end; `[stop]` in its file says what
/// becomes of forwarding, unless it is said here
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Forwarding goes on without the daemon
    #[arg(long, group = "forwarding")]
    leave: bool,
    /// No new connections; when those there are have ended, or after SECONDS, all is removed
    #[arg(long, group = "forwarding", value_name = "SECONDS", num_args = 0..=1,
          value_parser = clap::value_parser!(u32).range(1..=86_400))]
    drain: Option<Option<u32>>,
    /// All is removed at once, as by `rlvs down`
    #[arg(long, group = "forwarding")]
    remove: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut client = Client::connect()?;
    let stopping = client.stop(&asked(arguments))?;
    if stopping.forwarding == AtStop::Drain {
        println!(
            "No new connections; those there are have {} seconds.",
            stopping.drain_timeout
        );
    }
    while is_there(&mut client) {
        sleep(PERIOD);
    }
    match stopping.forwarding {
        AtStop::Leave => println!("The daemon has ended; forwarding goes on."),
        AtStop::Drain | AtStop::Remove => println!("The daemon has ended, and forwarding with it."),
    }
    Ok(())
}

fn asked(arguments: &Arguments) -> Stop {
    let (forwarding, drain_timeout) = match arguments {
        Arguments { leave: true, .. } => (Some(AtStop::Leave), None),
        Arguments { remove: true, .. } => (Some(AtStop::Remove), None),
        Arguments {
            drain: Some(seconds),
            ..
        } => (Some(AtStop::Drain), *seconds),
        _ => (None, None),
    };
    Stop {
        forwarding,
        drain_timeout,
    }
}

/// Who is busy does not answer, and is there.
fn is_there(client: &mut Client) -> bool {
    !matches!(client.version(), Err(error) if error.code == Code::NotRunning)
}
