//! The filter of addresses: packets to and from others pass at once.

use std::net::IpAddr;

use rlvs_control::ServiceKey;
use rlvs_engine::service::filter::{WORDS, place, place_of_server};
use rlvs_engine::{V4, V6};
use rlvs_plane::Store;

use super::{Hop, Installed};

/// Lets through what goes to a service's address.
pub(super) fn add<S: Store>(store: &S, key: &ServiceKey) {
    if let ServiceKey::Address { address, .. } = key {
        set(store, place_of(*address));
    }
}

/// Lets through what comes from a masqueraded real server.
pub(super) fn add_server<S: Store>(store: &S, address: IpAddr) {
    set(store, place_of_answers(address));
}

impl Installed {
    /// Takes out addresses that are no service's and that no connection is left of, and those of
    /// real servers that are masqueraded no longer.
    pub fn narrow_filter<S: Store>(&self, store: &S, of_connections: &[u64]) {
        let mut wanted = of_connections.to_vec();
        wanted.resize(WORDS as usize, 0);
        let of_services = self.services.keys().filter_map(|key| match key {
            ServiceKey::Address { address, .. } => Some(place_of(*address)),
            ServiceKey::Mark { .. } => None,
        });
        let of_servers = self.masqueraded(store).map(place_of_answers);
        for (word, bit) in of_services.chain(of_servers) {
            wanted[word as usize] |= bit;
        }
        for (word, wanted) in store.filters().iter().zip(wanted) {
            if word.load() != wanted {
                word.store(wanted);
            }
        }
    }

    /// Lets all packets pass.
    pub fn close_filter<S: Store>(&self, store: &S) {
        store.filters().iter().for_each(|word| word.store(0));
    }

    /// Whether a masqueraded real server is this host.
    pub fn masquerades_to_itself<S: Store>(&self, store: &S) -> bool {
        self.masqueraded(store)
            .any(|address| matches!(self.hops.get(&address), Some(Hop::Local)))
    }

    /// Real servers whose answers pass here. Removed ones are among them for as long as they have
    /// a record, so longer than they have connections.
    fn masqueraded<S: Store>(&self, store: &S) -> impl Iterator<Item = IpAddr> {
        let is_masqueraded = |&number: &u32| {
            store.destinations()[number as usize]
                .method()
                .answers_pass()
        };
        let servers = self.by_address.iter();
        servers
            .filter(move |(_, numbers)| numbers.iter().any(is_masqueraded))
            .map(|(address, _)| *address)
    }
}

fn set<S: Store>(store: &S, (word, bit): (u32, u64)) {
    let word = &store.filters()[word as usize];
    word.store(word.load() | bit);
}

fn place_of(address: IpAddr) -> (u32, u64) {
    match address {
        IpAddr::V4(address) => place::<V4>(address.octets()),
        IpAddr::V6(address) => place::<V6>(address.octets()),
    }
}

fn place_of_answers(address: IpAddr) -> (u32, u64) {
    match address {
        IpAddr::V4(address) => place_of_server::<V4>(address.octets()),
        IpAddr::V6(address) => place_of_server::<V6>(address.octets()),
    }
}
