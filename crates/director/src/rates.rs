//! What is counted of services and destinations: present rates, and beginning anew at zero.

use std::iter::once;

use rlvs_control::{DestinationKey, ServiceKey};

use crate::core::Core;
use crate::desired::DesiredService;
use crate::installed::Totals;

/// A service, or a destination of it.
pub(crate) type Counted = (ServiceKey, Option<DestinationKey>);

impl Core {
    pub(crate) fn estimate(&mut self) {
        if self.sysctl("run_estimation") == "0" {
            return;
        }
        let services = self.desired.services();
        let counted = services.flat_map(counted_of);
        let totals: Vec<_> = counted.map(|key| (key, self.totals(&key))).collect();
        self.rates.tick(totals);
        let all = self.installed.all_totals(&*self.tables);
        if !self.rates_of_all.knows(&()) {
            self.rates_of_all.begin((), all);
        }
        self.rates_of_all.tick([((), all)]);
    }

    /// What is new has rates from now on.
    pub(crate) fn begin_rates(&mut self, service: &ServiceKey) {
        let Some(service) = self.desired.service(service) else {
            return;
        };
        let new: Vec<_> = counted_of(service)
            .filter(|key| !self.rates.knows(key))
            .map(|key| (key, self.totals(&key)))
            .collect();
        for (key, totals) in new {
            self.rates.begin(key, totals);
        }
    }

    /// `-Z`, of one service or of all.
    pub(crate) fn zero(&mut self, service: Option<&ServiceKey>) {
        let keys: Vec<_> = match service {
            Some(key) => vec![*key],
            None => {
                self.installed.zero_all(&*self.tables);
                self.rates_of_all.reset(&());
                let services = self.desired.services();
                services.map(|service| service.service().key).collect()
            }
        };
        for key in keys {
            self.installed.zero(&*self.tables, &key);
            let service = self.desired.service(&key);
            for counted in service.into_iter().flat_map(counted_of) {
                self.rates.reset(&counted);
            }
        }
    }

    fn totals(&self, (service, destination): &Counted) -> Totals {
        let (store, installed) = (&*self.tables, &self.installed);
        match destination {
            Some(destination) => installed.destination_totals(store, service, destination),
            None => installed.service_totals(store, service),
        }
    }
}

/// A service and its destinations.
fn counted_of(service: &DesiredService) -> impl Iterator<Item = Counted> {
    let key = service.service().key;
    let destinations = service.destinations();
    once((key, None)).chain(destinations.map(move |it| (key, Some(it.key))))
}
