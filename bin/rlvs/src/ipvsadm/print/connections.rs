//! The list of connections, written one by one as they come: there may be millions.

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
        let protocol = entry.protocol.to_lowercase();
        let name = |address: SocketAddr| {
            self.names
                .endpoint(address.ip(), address.port(), Some(&protocol))
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
