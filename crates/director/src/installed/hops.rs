//! Next hops into the records of the real servers they lead to.

use std::net::IpAddr;

use rlvs_engine::destination::Destination;
use rlvs_engine::service::{load_octets, store_octets};
use rlvs_engine::tables::interface;
use rlvs_plane::Store;

use super::Installed;
use super::destinations::octets;

/// Where frames for a real server go, or why they cannot.
#[derive(Clone, Debug)]
pub enum Hop {
    Resolved {
        interface: u32,
        source: [u8; 6],
        destination: [u8; 6],
        /// Frames go by redirect even when they leave where they came in: veth devices send back
        /// only what came from an XDP program on their peer.
        redirect: bool,
        /// The largest IP packet that goes this way.
        mtu: u32,
        /// The address of this host that packets to there come from, in tunnels.
        local: Option<IpAddr>,
    },
    /// It is this host.
    Local,
    Unresolved(String),
}

impl Installed {
    /// Notes the next hop of a real server and writes it to all its records.
    pub fn set_hop<S: Store>(&mut self, store: &S, address: IpAddr, hop: Hop) {
        self.hops.insert(address, hop);
        for &number in self.by_address.get(&address).map_or(&[][..], Vec::as_slice) {
            self.write_hop(store, number, address);
        }
    }

    /// Notes a next hop, and writes nothing yet.
    pub(crate) fn note_hop(&mut self, address: IpAddr, hop: Hop) {
        self.hops.insert(address, hop);
    }

    /// Decides anew for every next hop whether frames go by redirect.
    pub fn redirect<S: Store>(&mut self, store: &S, needs: impl Fn(u32) -> bool) {
        let mut changed = Vec::new();
        for (&address, hop) in &mut self.hops {
            if let Hop::Resolved {
                interface,
                redirect,
                ..
            } = hop
                && *redirect != needs(*interface)
            {
                *redirect = !*redirect;
                changed.push(address);
            }
        }
        for address in changed {
            for &number in self.by_address.get(&address).map_or(&[][..], Vec::as_slice) {
                self.write_hop(store, number, address);
            }
        }
    }

    /// What routers told of path MTUs is forgotten in time.
    pub(super) fn forget_told_mtus<S: Store>(&self, store: &S) {
        let now = store.now();
        for (address, hop) in &self.hops {
            let Hop::Resolved { mtu, .. } = hop else {
                continue;
            };
            let numbers = self.by_address.get(address);
            let records = numbers.map_or(&[][..], Vec::as_slice).iter();
            records
                .map(|&number| &store.destinations()[number as usize])
                .filter(|record| record.is_told_mtu_over(now))
                .for_each(|record| record.known_mtu(*mtu, now));
        }
    }

    pub fn hop(&self, address: &IpAddr) -> Option<&Hop> {
        self.hops.get(address)
    }

    /// A hop that is not known yet leaves the record as it is: after a restart packets go where
    /// they went before until the kernel says otherwise.
    pub(super) fn write_hop<S: Store>(&self, store: &S, number: u32, address: IpAddr) {
        let record = &store.destinations()[number as usize];
        let flags = record.flags.load() & !OF_HOP;
        match self.hops.get(&address) {
            Some(Hop::Resolved {
                interface,
                source,
                destination,
                redirect,
                mtu,
                local,
            }) => {
                if record.next_hop.load() != interface::mac(*destination)
                    || record.interface.load() != *interface
                {
                    record.forget_told_mtu();
                }
                write_tunnel_ends(store, record, *mtu, *local);
                record.next_hop.store(interface::mac(*destination));
                record.source.store(interface::mac(*source));
                record.interface.store(*interface);
                let redirect = if *redirect { Destination::REDIRECT } else { 0 };
                record.flags.store(flags | Destination::RESOLVED | redirect);
            }
            Some(Hop::Local) => record.flags.store(flags | Destination::LOCAL),
            Some(Hop::Unresolved(_)) => record.flags.store(flags),
            None => {}
        }
    }
}

/// What tunnels need besides the next hop. No address is zeros, by which packets are dropped.
fn write_tunnel_ends<S: Store>(store: &S, record: &Destination, mtu: u32, local: Option<IpAddr>) {
    let local = local.map_or([0; 16], octets);
    if load_octets(&record.outer_source) != local {
        store_octets(&record.outer_source, local);
    }
    record.known_mtu(mtu, store.now());
}

/// What a hop says in a record's flags.
const OF_HOP: u32 = Destination::RESOLVED | Destination::REDIRECT | Destination::LOCAL;
