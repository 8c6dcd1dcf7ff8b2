//! rlvs.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use rlvs_control::status::{Attachment, NextHop};
use rlvs_control::{Change, Client, Director as _, Transaction};
use rlvs_lab::{Lab, Process, director, wait};
use rlvs_tests::place::Place;

use crate::scenario::SERVERS;
use crate::side::{Connection, Side, mark_packets};

const SOON: Duration = Duration::from_secs(240);

/// The director under test, asked through its API.
#[derive(Debug)]
pub(crate) struct Rlvs {
    // Ends before its namespace does.
    _daemon: Process,
    place: Place,
    client: Client,
}

impl Rlvs {
    pub(crate) fn start(lab: &Lab) -> Result<Self> {
        let binary = director::rlvs_binary();
        // All of it is in memory, then: the clock skips the time that the host takes to read parts of
        // it, and the director would be silent for a minute.
        io::copy(&mut File::open(&binary)?, &mut io::sink())?;
        lab.install_rlvs(&binary)?;
        let place = Place::new(lab, "rlvs", SERVERS)?;
        mark_packets(&place)?;
        let file = place.host.directory()?.join("rlvs.toml");
        // Without a program on lo, which the kernel would verify for nothing.
        fs::write(
            &file,
            format!("{}loopback = false\n", director::CONFIGURATION),
        )?;
        let words = ["run".as_ref(), "--config".as_ref(), file.as_os_str()];
        let mut daemon = place.host.spawn("rlvs", "rlvs", words)?;
        let mut client = Client::connect()?;
        daemon.wait_until(SOON, |_| place.within(|| Ok(is_attached(&mut client))))?;
        Ok(Self {
            _daemon: daemon,
            place,
            client,
        })
    }

    /// Waits until the next hops of all destinations are known.
    pub(crate) fn wait_resolved(&mut self) -> Result<()> {
        let (place, client) = (&self.place, &mut self.client);
        wait::until("next hops are known", SOON, || {
            let status = place.within(|| Ok(client.status()?))?;
            let mut all = status
                .services
                .iter()
                .flat_map(|service| &service.destinations);
            Ok(all.all(|it| matches!(it.next_hop, NextHop::Resolved { .. })))
        })
    }
}

fn is_attached(client: &mut Client) -> bool {
    client.status().is_ok_and(|status| {
        let mut interfaces = status.interfaces.iter();
        interfaces.any(|it| it.name == "eth0" && it.attachment == Attachment::Tc)
    })
}

impl Side for Rlvs {
    fn place(&mut self) -> &mut Place {
        &mut self.place
    }

    fn apply(&mut self, changes: &[Change]) -> Result<()> {
        let transaction = Transaction::from(changes.to_vec());
        let client = &mut self.client;
        self.place.within(|| Ok(client.apply(&transaction)?))
    }

    fn set(&mut self, setting: &str, value: &str) -> Result<()> {
        self.apply(&[Change::SetSysctl {
            name: setting.to_owned(),
            value: value.to_owned(),
        }])
    }

    fn connections(&mut self) -> Result<Vec<Connection>> {
        let mut connections = Vec::new();
        let client = &mut self.client;
        self.place.within(|| {
            Ok(client.connections(&mut |entry| {
                connections.push(Connection {
                    protocol: entry.protocol,
                    client: entry.client,
                    virtual_address: entry.virtual_address,
                    destination: entry.destination,
                    state: entry.state,
                    expires: entry.expires,
                });
                true
            })?)
        })?;
        Ok(connections)
    }

    fn file(&mut self, name: &str) -> Result<String> {
        self.place.host.run("rlvs", ["proc", name])
    }

    fn listing(&mut self, options: &str) -> Result<String> {
        self.place.listing(Path::new("ipvsadm"), options)
    }
}
