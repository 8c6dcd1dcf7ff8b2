//! A director that is easy to believe: maps, lists, and no care for speed or memory.
//!
//! It reads no bytes: it is told what a packet is.

mod changes;
mod end;
mod packets;
mod state;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use rlvs_control::{Destination, DestinationKey, Service, ServiceKey};
use rlvs_testing::Packet;

use self::state::{State, TIMEOUTS};
use crate::reference::Memory;

/// A real server of a service, for as long as it is remembered.
type Identity = (ServiceKey, DestinationKey);

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Totals {
    pub(crate) connections: u64,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
}

/// What shall become of a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fate {
    Pass,
    Drop,
    To(DestinationKey),
}

#[derive(Clone, Debug)]
struct Connection {
    to: Identity,
    state: State,
    seen: u64,
    template: Option<TemplateKey>,
}

type ConnectionKey = (u8, SocketAddr, SocketAddr);
type TemplateKey = (u8, IpAddr, SocketAddr);

#[derive(Debug)]
struct Template {
    to: Identity,
    seen: u64,
    children: u32,
}

/// What a real server counts, and what it may take.
#[derive(Debug, Default)]
struct Known {
    upper: u32,
    lower: u32,
    active: u32,
    inactive: u32,
    templates: u32,
    overloaded: bool,
    totals: Totals,
    removed: Option<Instant>,
    weight: u32,
}

#[derive(Debug)]
struct Listed {
    service: Service,
    /// The one added last first.
    destinations: Vec<Destination>,
    scheduler: Memory,
    totals: Totals,
}

/// The model.
#[derive(Debug)]
pub(crate) struct Model {
    services: HashMap<ServiceKey, Listed>,
    known: HashMap<Identity, Known>,
    connections: HashMap<ConnectionKey, Connection>,
    templates: HashMap<TemplateKey, Template>,
    timeouts: HashMap<State, u32>,
    /// By name; 0 is left out.
    pub(crate) sysctls: HashMap<&'static str, u32>,
    /// Packets until `drop_packet` drops one.
    shed_in: i64,
    pub(crate) tick: u64,
}

impl Model {
    pub(crate) fn new() -> Self {
        Self {
            services: HashMap::new(),
            known: HashMap::new(),
            connections: HashMap::new(),
            templates: HashMap::new(),
            timeouts: TIMEOUTS.into(),
            sysctls: HashMap::from([("conn_reuse_mode", 1)]),
            shed_in: 0,
            tick: 0,
        }
    }

    pub(crate) fn services(&self) -> impl Iterator<Item = (ServiceKey, Totals)> {
        self.services
            .iter()
            .map(|(key, listed)| (*key, listed.totals))
    }

    /// Every destination in service: what it counted, its active and inactive connections, its
    /// templates.
    pub(crate) fn destinations(&self) -> impl Iterator<Item = (Identity, Totals, (u32, u32), u32)> {
        let listed = self
            .known
            .iter()
            .filter(|(_, known)| known.removed.is_none());
        listed.map(|(&identity, it)| (identity, it.totals, (it.active, it.inactive), it.templates))
    }

    /// Everything that has an entry.
    pub(crate) fn entries(&self) -> usize {
        self.connections.len() + self.templates.len()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.len()
    }

    fn sysctl(&self, name: &str) -> u32 {
        self.sysctls.get(name).copied().unwrap_or_default()
    }

    fn count_state(&mut self, to: Identity, state: State, begins: bool) {
        let known = self.known.get_mut(&to).expect("it is known");
        let is_active = matches!(
            state,
            State::Established | State::SynRecv | State::SynAck | State::Associated
        );
        let count = if is_active {
            &mut known.active
        } else {
            &mut known.inactive
        };
        *count = if begins { *count + 1 } else { *count - 1 };
    }

    fn count(&mut self, to: Identity, packet: &Packet, begins: bool) {
        let of_service = self
            .services
            .get_mut(&to.0)
            .map(|listed| &mut listed.totals);
        let of_destination = self.known.get_mut(&to).map(|known| &mut known.totals);
        for totals in of_service.into_iter().chain(of_destination) {
            totals.connections += u64::from(begins);
            totals.packets += 1;
            totals.bytes += packet.ip_length() as u64;
        }
    }
}
