//! A director that only remembers.

use rlvs_control::listing::Statistics;
use rlvs_control::{
    ConnectionEntry, DestinationStatus, Director, Error, Overall, ServiceStatus, Services,
    Timeouts, Transaction, sysctl,
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
