//! What a reconciler writes: the tables by position, and the index of services.

use rlvs_engine::call_id::{from_words, to_words};
use rlvs_engine::destination::{Destination, Load};
use rlvs_engine::lease::Local;
use rlvs_engine::locality::{Locality, Site};
use rlvs_engine::memory::Memory;
use rlvs_engine::service::{Service, ServiceKey};
use rlvs_engine::statistics::Counters;
use rlvs_engine::{FamilyTables, V4, V6};
use rlvs_word::Shared64;

use crate::error::Error;

/// A service's address or a real server's, in either IP version.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum IndexKey {
    V4(ServiceKey<[u8; 4]>),
    V6(ServiceKey<[u8; 16]>),
}

/// A Call-ID, and the client that sent it first: under its service's mask, in 16 bytes, IPv4 first in them.
pub type CallOf = (Vec<u8>, [u8; 16]);

/// What lblc and lblcr remember of an address.
#[derive(Clone, Debug)]
pub struct Remembered {
    pub site: Site,
    /// Tick of the last connection.
    pub used: u32,
    /// Numbers of its destinations.
    pub destinations: Vec<u32>,
}

impl Remembered {
    fn of(site: Site, locality: &Locality) -> Self {
        Self {
            site,
            used: locality.used.load(),
            destinations: locality.all().collect(),
        }
    }
}

/// The tables of a data plane: in the kernel, or in memory.
pub trait Store: FamilyTables<V4> + FamilyTables<V6> {
    fn services(&self) -> &[Service];

    fn destinations(&self) -> &[Destination];

    fn loads(&self) -> &[Load];

    /// Local addresses of full NAT.
    fn locals(&self) -> &[Local];

    fn nodes(&self) -> &[Shared64];

    fn filters(&self) -> &[Shared64];

    /// Of all CPUs, each with one for every destination.
    fn all_counters(&self) -> &[Counters];

    /// What is taken off the counters: of every destination, of every service, of all together. Then,
    /// for every CPU, what it counted in records that were given back, which is added.
    fn bases(&self) -> &[Counters];

    /// Lets packets find the service or real server, or no longer.
    fn set_index(&self, key: IndexKey, service: Option<u32>) -> Result<(), Error>;

    /// Returns when no packet is under way any more that was so at the call: what was taken out
    /// of the tables before may then be used again.
    fn wait_for_packets(&self);

    /// All services and real servers that packets find.
    fn index(&self) -> Result<Vec<(IndexKey, u32)>, Error>;

    /// All that lblc and lblcr remember.
    fn localities(&self) -> Result<Vec<Remembered>, Error>;

    fn forget_locality(&self, site: &Site) -> Result<(), Error>;

    /// The Call-ID of a template's [`call`](rlvs_engine::template::call), unless newer ones have taken its
    /// place.
    fn call_id_of(&self, call: u64) -> Result<Option<CallOf>, Error>;

    /// Keeps one that another director told.
    fn learn_call_id(&self, call: u64, id: &[u8], client: [u8; 16]) -> Result<(), Error>;
}

impl Store for Memory {
    fn services(&self) -> &[Service] {
        &self.services
    }

    fn destinations(&self) -> &[Destination] {
        &self.destinations
    }

    fn loads(&self) -> &[Load] {
        &self.loads
    }

    fn locals(&self) -> &[Local] {
        &self.locals
    }

    fn nodes(&self) -> &[Shared64] {
        &self.nodes
    }

    fn filters(&self) -> &[Shared64] {
        &self.filter
    }

    fn all_counters(&self) -> &[Counters] {
        &self.counters
    }

    fn bases(&self) -> &[Counters] {
        &self.bases
    }

    fn set_index(&self, key: IndexKey, service: Option<u32>) -> Result<(), Error> {
        match key {
            IndexKey::V4(key) => self.v4.set_service(key, service),
            IndexKey::V6(key) => self.v6.set_service(key, service),
        }
        Ok(())
    }

    /// In memory a packet is never under way while something else is done.
    fn wait_for_packets(&self) {}

    fn index(&self) -> Result<Vec<(IndexKey, u32)>, Error> {
        let four = self
            .v4
            .all_services()
            .into_iter()
            .map(|(key, n)| (IndexKey::V4(key), n));
        let six = self
            .v6
            .all_services()
            .into_iter()
            .map(|(key, n)| (IndexKey::V6(key), n));
        Ok(four.chain(six).collect())
    }

    fn localities(&self) -> Result<Vec<Remembered>, Error> {
        let all = self.localities.all().into_iter();
        Ok(all.map(|(site, it)| Remembered::of(site, it)).collect())
    }

    fn forget_locality(&self, site: &Site) -> Result<(), Error> {
        self.localities.forget(site);
        Ok(())
    }

    fn call_id_of(&self, call: u64) -> Result<Option<CallOf>, Error> {
        Ok(self.call_ids.find(call).map(|words| from_words(&words)))
    }

    fn learn_call_id(&self, call: u64, id: &[u8], client: [u8; 16]) -> Result<(), Error> {
        self.call_ids.keep(call, to_words(id, client));
        Ok(())
    }
}
