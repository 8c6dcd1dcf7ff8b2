//! The list of connections, written one by one as they come: there may be millions.

use std::fmt;
use std::io::{self, Write};
use std::net::SocketAddr;

use rlvs_control::ConnectionEntry;

use super::name::Namer;

const HEADER: &str = "\
IPVS connection entries
pro expire state       source             virtual            destination";
const ENGINE_HEADER: &str = "        pe name          pe_data";

pub(in crate::ipvsadm) struct ConnectionListing<'a> {
    pub(in crate::ipvsadm) names: Namer<'a>,
    pub(in crate::ipvsadm) persistence_engines: bool,
}

impl ConnectionListing<'_> {
    pub(in crate::ipvsadm) fn header(&self, output: &mut dyn Write) -> io::Result<()> {
        let more = if self.persistence_engines {
            ENGINE_HEADER
        } else {
            ""
        };
        writeln!(output, "{HEADER}{more}")
    }

    pub(in crate::ipvsadm) fn entry(
        &self,
        entry: &ConnectionEntry,
        output: &mut dyn Write,
    ) -> io::Result<()> {
        let name = |address: SocketAddr| Shown {
            names: self.names,
            address,
            protocol: &entry.protocol,
        };
        write!(
            output,
            "{:<3} {:<6} {:<11} {:<18} {:<18} ",
            entry.protocol,
            format_args!("{:02}:{:02}", entry.expires / 60, entry.expires % 60).to_string(),
            entry.state,
            name(entry.client),
            name(entry.virtual_address),
        )?;
        let destination = name(entry.destination);
        match &entry.persistence_engine {
            Some((engine, data)) if self.persistence_engines => {
                writeln!(output, "{destination:<16} {engine:<18} {data}")
            }
            _ => writeln!(output, "{destination}"),
        }
    }
}

/// An end of a connection, written without a detour where it is a number.
struct Shown<'a> {
    names: Namer<'a>,
    address: SocketAddr,
    protocol: &'a str,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.names.0.is_none() {
            return self.address.fmt(f);
        }
        let protocol = self.protocol.to_lowercase();
        let (ip, port) = (self.address.ip(), self.address.port());
        f.pad(&self.names.endpoint(ip, port, Some(&protocol)))
    }
}
