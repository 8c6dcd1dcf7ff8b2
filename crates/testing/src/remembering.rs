//! A director that only remembers.

use rlvs_control::listing::Statistics;
use rlvs_control::sync::{DaemonState, SyncDaemon, no_interface};
use rlvs_control::{
    Change, ConnectionEntry, DestinationStatus, Director, Error, Overall, ServiceStatus, Services,
    Synchronisation, Timeouts, Transaction, sysctl,
};
use rlvs_director::desired::{Desired, DesiredService};
use rlvs_director::supported;

/// Keeps what it is told, and no packet ever comes.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    pub desired: Desired,
    /// Transactions so far.
    pub number: u64,
    pub connections: Vec<ConnectionEntry>,
    pub overall: Overall,
    /// Refuse what the data plane cannot do yet.
    pub strict: bool,
    /// Interfaces that synchronisation finds, and their MTU.
    pub interfaces: Vec<(String, u32)>,
}

impl Director for Memory {
    fn apply(&mut self, transaction: &Transaction) -> Result<(), Error> {
        transaction.expect(self.number)?;
        if self.strict {
            for (index, change) in transaction.changes.iter().enumerate() {
                let at = |error| Error {
                    change: Some(index),
                    ..error
                };
                supported::check(change).map_err(at)?;
            }
        }
        for change in &transaction.changes {
            if let Change::StartDaemon(daemon) = change {
                self.mtu(&daemon.interface)?;
            }
        }
        self.desired.apply(transaction, 0, &mut |_, _| ())?;
        self.number += 1;
        Ok(())
    }

    fn services(&mut self) -> Result<Services, Error> {
        let services = self.desired.services().map(service_status).collect();
        Ok(Services {
            number: self.number,
            table_size: 4096,
            services,
        })
    }

    fn overall(&mut self) -> Result<Overall, Error> {
        Ok(self.overall.clone())
    }

    fn connections(&mut self, each: &mut dyn FnMut(ConnectionEntry) -> bool) -> Result<(), Error> {
        self.connections.iter().cloned().all(each);
        Ok(())
    }

    fn timeouts(&mut self) -> Result<Timeouts, Error> {
        Ok(self.desired.timeouts())
    }

    fn sysctls(&mut self) -> Result<Vec<sysctl::Value>, Error> {
        let value = |setting: &sysctl::Setting| sysctl::Value {
            name: setting.name.to_owned(),
            value: self
                .desired
                .sysctl(setting.name)
                .unwrap_or(setting.default)
                .to_owned(),
        };
        Ok(sysctl::SETTINGS.iter().map(value).collect())
    }

    fn synchronisation(&mut self) -> Result<Synchronisation, Error> {
        let state = |daemon: &SyncDaemon| {
            let mtu = self.mtu(&daemon.interface)?;
            Ok(DaemonState::new(daemon.filled(mtu)))
        };
        Ok(Synchronisation {
            peers: Vec::new(),
            caught_up: true,
            daemons: self
                .desired
                .daemons()
                .map(state)
                .collect::<Result<_, Error>>()?,
        })
    }
}

impl Memory {
    fn mtu(&self, interface: &str) -> Result<u32, Error> {
        let mut known = self.interfaces.iter();
        let found = known.find(|(name, _)| name == interface);
        found
            .map(|(_, mtu)| *mtu)
            .ok_or_else(|| no_interface(interface))
    }
}

fn service_status(known: &DesiredService) -> ServiceStatus {
    let destinations = known.destinations().map(|destination| DestinationStatus {
        destination: destination.clone(),
        active_connections: 0,
        inactive_connections: 0,
        persistent_connections: 0,
        statistics: Statistics::default(),
    });
    ServiceStatus {
        service: known.service().clone(),
        statistics: Statistics::default(),
        destinations: destinations.collect(),
        local_addresses: Vec::new(),
    }
}
