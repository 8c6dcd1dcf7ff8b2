//! `rlvs realserver`: what is done on each real server for direct routing.

use std::net::IpAddr;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use rlvs_realserver::{Directors, GUE_PORT, Kind, Report, Tunnels, Wanted, down, status, up};

use crate::output::report;

/// Make this host a real server, or look whether it is one
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Put virtual addresses on lo, and keep this host from answering for them on its segment
    Up {
        /// A virtual address; may be given several times
        #[arg(long, value_name = "ADDRESS", required = true)]
        vip: Vec<IpAddr>,
        #[command(flatten)]
        segment: Segment,
        #[command(flatten)]
        arrival: Arrival,
    },
    /// Take virtual addresses away; with the last one, settings become what they were
    Down {
        /// A virtual address; all that were brought up where none is given
        #[arg(long, value_name = "ADDRESS")]
        vip: Vec<IpAddr>,
    },
    /// Show each setting, and how to mend those that are wrong; exit status 1 if one is
    Status {
        /// A virtual address; all that were brought up where none is given
        #[arg(long, value_name = "ADDRESS")]
        vip: Vec<IpAddr>,
        #[command(flatten)]
        segment: Segment,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

/// What is not said stays as it is.
#[derive(Debug, Args)]
struct Arrival {
    /// Take packets out of these tunnels, without a tunnel device: ipip, gre, gue
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    tunnel: Vec<Kind>,
    /// Tell servers the address of the client where the director sends in its own name (FULLNAT)
    #[arg(long)]
    client_address: bool,
    /// The directors' addresses as this host sees them: ADDRESS, ADDRESS/LENGTH or any
    #[arg(long, value_name = "DIRECTOR")]
    from: Option<Directors>,
    /// The UDP port of gue
    #[arg(long, value_name = "PORT", default_value_t = GUE_PORT, requires = "tunnel",
          value_parser = clap::value_parser!(u16).range(1..))]
    tun_port: u16,
}

#[derive(Debug, Args)]
struct Segment {
    /// The interface that faces the director; every one where none is given
    #[arg(long, value_name = "NAME")]
    interface: Option<String>,
}

/// Does what was asked, in this network namespace.
pub(crate) fn run(arguments: Arguments) -> ExitCode {
    attempt(arguments.verb).unwrap_or_else(|error| {
        eprintln!("{error:#}");
        ExitCode::FAILURE
    })
}

fn attempt(verb: Verb) -> anyhow::Result<ExitCode> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_io().build()?.block_on(answer(verb))
}

async fn answer(verb: Verb) -> anyhow::Result<ExitCode> {
    match verb {
        Verb::Up {
            vip,
            segment,
            arrival,
        } => {
            let mut wanted = wanted(vip, segment.interface);
            wanted.directors = arrival.from;
            wanted.client_address = arrival.client_address;
            if !arrival.tunnel.is_empty() {
                wanted.tunnels = Some(Tunnels::new(arrival.tunnel, arrival.tun_port));
            }
            up(&wanted).await?;
            show(&status(&wanted).await?, false)
        }
        Verb::Down { vip } => {
            down(&wanted(vip, None)).await?;
            Ok(ExitCode::SUCCESS)
        }
        Verb::Status { vip, segment, json } => {
            show(&status(&wanted(vip, segment.interface)).await?, json)
        }
    }
}

fn wanted(vips: Vec<IpAddr>, interface: Option<String>) -> Wanted {
    Wanted {
        vips: vips.into_iter().collect(),
        interface,
        ..Wanted::default()
    }
}

fn show(found: &Report, json: bool) -> anyhow::Result<ExitCode> {
    report(found, found.right, json)
}
