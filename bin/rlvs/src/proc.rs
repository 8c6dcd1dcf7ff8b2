//! `rlvs proc`: the files that the kernel's IPVS has in /proc/net, to the byte
//! (net/netfilter/ipvs/ip_vs_ctl.c, ip_vs_conn.c, ip_vs_app.c), for programs that read those.

mod connections;
mod helpers;
mod services;
mod statistics;

use std::io::{self, BufWriter, Write};

use anyhow::Result;
use clap::{Args, ValueEnum};
use rlvs_control::{Client, ConnectionEntry, Director};

/// Print what the kernel's IPVS would show in /proc/net/NAME
#[derive(Debug, Args)]
pub struct Arguments {
    /// Which of the files
    #[arg(value_enum, value_name = "NAME")]
    file: File,
}

/// The files of IPVS in /proc/net.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum File {
    /// Services and destinations
    IpVs,
    /// Helpers for protocols that name addresses in their data: there is FTP's
    IpVsApp,
    /// Connections
    IpVsConn,
    /// Connections, and which director they began at
    IpVsConnSync,
    /// What all services count together
    IpVsStats,
    /// What each CPU counts
    IpVsStatsPercpu,
}

/// Asks the director of this network namespace.
pub(crate) fn start(arguments: &Arguments) -> Result<()> {
    let mut output = BufWriter::new(io::stdout().lock());
    let written = write(arguments.file, &mut Client::connect()?, &mut output);
    match written.and_then(|()| Ok(output.flush()?)) {
        // `rlvs proc ip_vs_conn | head` has seen enough.
        Err(error) if is_broken_pipe(&error) => Ok(()),
        outcome => outcome,
    }
}

/// Writes `file` as any director has it. Connections are written as they come, there may be millions.
pub fn write(file: File, director: &mut dyn Director, output: &mut dyn Write) -> Result<()> {
    match file {
        File::IpVs => Ok(services::write(&director.services()?, output)?),
        File::IpVsApp => Ok(helpers::write(&director.services()?, output)?),
        File::IpVsConn => stream(connections::HEADER, connections::entry, director, output),
        File::IpVsConnSync => {
            let (header, entry) = (connections::SYNC_HEADER, connections::sync_entry);
            stream(header, entry, director, output)
        }
        File::IpVsStats => Ok(statistics::all(&director.overall()?, output)?),
        File::IpVsStatsPercpu => Ok(statistics::each_cpu(&director.overall()?, output)?),
    }
}

type Line = fn(&ConnectionEntry) -> String;

fn stream(
    header: &str,
    line: Line,
    director: &mut dyn Director,
    output: &mut dyn Write,
) -> Result<()> {
    let mut written = writeln!(output, "{header}");
    if written.is_ok() {
        director.connections(&mut |entry| {
            written = writeln!(output, "{}", line(&entry));
            written.is_ok()
        })?;
    }
    Ok(written?)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let cause = error.downcast_ref::<io::Error>();
    cause.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// As the kernel writes addresses here: IPv4 as one number, IPv6 in full.
fn address(address: std::net::IpAddr) -> String {
    match address {
        std::net::IpAddr::V4(address) => format!("{:08X}", address.to_bits()),
        std::net::IpAddr::V6(address) => address
            .segments()
            .map(|segment| format!("{segment:04x}"))
            .join(":"),
    }
}
