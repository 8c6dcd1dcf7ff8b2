//! Masqueraded real servers that are told when a connection is not known (`nat_icmp_send`): their
//! addresses and ports, which packets find in the index of services.

use std::collections::HashSet;
use std::net::IpAddr;

use rlvs_control::{Destination, ForwardingMethod, ServiceKey};
use rlvs_engine::service::{MARKED, ServiceKey as Key};
use rlvs_plane::{IndexKey, Store};

use super::{Installed, services};
use crate::desired::Desired;

impl Installed {
    /// Makes them those that are desired, or none.
    pub fn tell_servers<S: Store>(
        &mut self,
        store: &S,
        desired: &Desired,
        is_wanted: bool,
    ) -> Result<(), rlvs_plane::Error> {
        let wanted: HashSet<_> = match is_wanted {
            true => ends(desired).collect(),
            false => HashSet::new(),
        };
        let gone: Vec<_> = self.told.difference(&wanted).copied().collect();
        for end in gone {
            store.set_index(end, None)?;
            self.told.remove(&end);
        }
        for end in wanted {
            if !self.told.contains(&end) {
                store.set_index(end, Some(0))?;
                self.told.insert(end);
            }
        }
        Ok(())
    }
}

fn ends(desired: &Desired) -> impl Iterator<Item = IndexKey> {
    desired.services().flat_map(|service| {
        let protocol = match service.service().key {
            ServiceKey::Address { protocol, .. } => services::number(protocol),
            ServiceKey::Mark { .. } => MARKED,
        };
        let masqueraded = service
            .destinations()
            .filter(|it| it.method == ForwardingMethod::Masquerade);
        masqueraded.map(move |destination| end(destination, protocol))
    })
}

fn end(destination: &Destination, protocol: u8) -> IndexKey {
    let port = destination.key.port.to_be_bytes();
    match destination.key.address {
        IpAddr::V4(address) => IndexKey::V4(Key::of_server(address.octets(), port, protocol)),
        IpAddr::V6(address) => IndexKey::V6(Key::of_server(address.octets(), port, protocol)),
    }
}

/// Whether it is a service, and not a real server.
pub(super) fn is_service(key: &IndexKey) -> bool {
    match key {
        IndexKey::V4(key) => key.is_service(),
        IndexKey::V6(key) => key.is_service(),
    }
}
