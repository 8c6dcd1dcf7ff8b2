//! The filter of virtual addresses: packets to others pass at once.

use std::net::IpAddr;

use rlvs_control::ServiceKey;
use rlvs_engine::service::filter::{WORDS, place};
use rlvs_engine::{V4, V6};
use rlvs_plane::Store;

use super::Installed;

/// Lets a service's address through.
pub(super) fn add<S: Store>(store: &S, key: &ServiceKey) {
    if let ServiceKey::Address { address, .. } = key {
        let (word, bit) = place_of(*address);
        let word = &store.filters()[word as usize];
        word.store(word.load() | bit);
    }
}

impl Installed {
    /// Takes out addresses that are no service's and that no connection is left of.
    pub fn narrow_filter<S: Store>(&self, store: &S, of_connections: &[u64]) {
        let mut wanted = of_connections.to_vec();
        wanted.resize(WORDS as usize, 0);
        let of_services = self.services.keys().filter_map(|key| match key {
            ServiceKey::Address { address, .. } => Some(*address),
            ServiceKey::Mark { .. } => None,
        });
        for address in of_services {
            let (word, bit) = place_of(address);
            wanted[word as usize] |= bit;
        }
        for (word, wanted) in store.filters().iter().zip(wanted) {
            if word.load() != wanted {
                word.store(wanted);
            }
        }
    }
}

fn place_of(address: IpAddr) -> (u32, u64) {
    match address {
        IpAddr::V4(address) => place::<V4>(address.octets()),
        IpAddr::V6(address) => place::<V6>(address.octets()),
    }
}
