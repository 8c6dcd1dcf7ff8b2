//! A director in memory, which no packets come to: what it tells, and what it learns.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rlvs_control::model::{Family as IpVersion, Granularity, Persistence};
use rlvs_control::{
    Change, Destination, DestinationKey, ForwardingMethod, Protocol, Service, ServiceKey,
    Transaction,
};
use rlvs_engine::connection::{Meta, State};
use rlvs_engine::family::Endpoints;
use rlvs_engine::memory::Memory as Tables;
use rlvs_engine::settings::{seconds, ticks};
use rlvs_engine::table::{self, Seat, slot_at};
use rlvs_engine::{Family, Tables as _, V4, V6};
use rlvs_sync::Record;

use super::super::counts::Counts;
use super::super::learner::Learner;
use super::super::master::walk;
use super::super::memory::Memory;
use super::super::portrait::{Audience, look};
use super::super::teller::{Due, Manner, Teller};
use super::{CLIENT, MANNER, MARK, VIP};
use crate::desired::Desired;
use crate::installed::{Installed, Now};

/// A director without packets: its tables, what it tells, and what it learns.
pub(super) struct Director {
    pub(super) tables: Arc<Tables>,
    pub(super) desired: Desired,
    pub(super) installed: Installed,
    pub(super) changes: Arc<AtomicU64>,
    pub(super) counts: Arc<Counts>,
    pub(super) memory: Arc<Memory>,
    pub(super) learner: Learner<Tables>,
}

pub(super) fn service(key: ServiceKey, persistent: bool) -> Service {
    let granularity = match key.family() {
        IpVersion::Ipv4 => Granularity::Mask([255, 255, 255, 0].into()),
        IpVersion::Ipv6 => Granularity::Prefix(64),
    };
    Service {
        key,
        scheduler: "rr".into(),
        scheduler_flags: 0,
        persistence: persistent.then_some(Persistence {
            timeout: 600,
            granularity,
        }),
        one_packet: false,
        persistence_engine: None,
        client_address: Default::default(),
        slow_start: 0,
    }
}

pub(super) fn at(protocol: Protocol, address: &str) -> ServiceKey {
    let address: SocketAddr = address.parse().unwrap();
    ServiceKey::Address {
        protocol,
        address: address.ip(),
        port: address.port(),
    }
}

pub(super) fn server(service: ServiceKey, address: &str, method: ForwardingMethod) -> Change {
    let address: SocketAddr = address.parse().unwrap();
    Change::AddDestination {
        service,
        destination: Destination {
            key: DestinationKey {
                address: address.ip(),
                port: address.port(),
            },
            method,
            weight: 1,
            upper_threshold: 0,
            lower_threshold: 0,
        },
    }
}

pub(super) fn http() -> [Change; 3] {
    let http = at(Protocol::Tcp, "192.0.2.1:80");
    [
        Change::AddService(service(http, true)),
        server(http, "10.0.0.1:8080", ForwardingMethod::Masquerade),
        server(http, "10.0.0.2:8080", ForwardingMethod::Masquerade),
    ]
}

pub(super) fn others() -> Vec<Change> {
    let dns = at(Protocol::Udp, "192.0.2.1:53");
    let six = at(Protocol::Tcp, "[2001:db8::1]:80");
    let marked = ServiceKey::Mark {
        family: IpVersion::Ipv4,
        mark: MARK,
    };
    vec![
        Change::AddService(service(dns, false)),
        server(dns, "10.0.0.1:53", ForwardingMethod::Route),
        Change::AddService(service(six, true)),
        server(six, "[2001:db8::b]:80", ForwardingMethod::Route),
        Change::AddService(service(marked, true)),
        server(marked, "10.0.0.3:0", ForwardingMethod::Route),
    ]
}

impl Director {
    pub(super) fn empty() -> Self {
        let tables = Arc::new(Tables::default());
        let changes: Arc<AtomicU64> = Arc::default();
        let counts: Arc<Counts> = Arc::default();
        let memory = Arc::new(Memory::new([1024; 2]));
        let learner = Learner::new(
            Arc::clone(&tables),
            Arc::clone(&memory),
            Arc::clone(&counts),
            Arc::clone(&changes),
        );
        Self {
            installed: Installed::new(&*tables),
            desired: Desired::default(),
            tables,
            changes,
            counts,
            memory,
            learner,
        }
    }

    pub(super) fn new() -> Self {
        let mut director = Self::empty();
        director.change(http().into_iter().chain(others()).collect());
        director
    }

    /// Hears peers instead of the group.
    pub(super) fn hearing_peers(mut self) -> Self {
        self.learner = self.learner.comparing(Vec::new());
        self
    }

    pub(super) fn change(&mut self, changes: Vec<Change>) {
        let transaction = Transaction::from(changes);
        self.desired.apply(&transaction, 0, &mut |_, _| ()).unwrap();
        let now = Now {
            instant: Instant::now(),
            seconds: 0,
        };
        let keys: Vec<_> = self.desired.services().map(|it| it.service().key).collect();
        for key in keys {
            let desired = self.desired.service(&key);
            let steps = Default::default();
            self.installed
                .install(&*self.tables, &key, desired, &steps, now)
                .unwrap();
        }
        self.changes.fetch_add(1, Ordering::Release);
    }

    pub(super) fn number(&self, service: ServiceKey, address: &str) -> u32 {
        let address: SocketAddr = address.parse().unwrap();
        let key = DestinationKey {
            address: address.ip(),
            port: address.port(),
        };
        self.installed.destination(&service, &key).unwrap()
    }

    pub(super) fn http(&self) -> u32 {
        self.number(at(Protocol::Tcp, "192.0.2.1:80"), "10.0.0.1:8080")
    }

    /// A packet of the client's begins it.
    pub(super) fn begin(&self, client_port: u16, state: State) -> Seat {
        let meta = Meta::new(self.http(), state, 0);
        let now = self.tables.now();
        table::learn::<V4, _>(&*self.tables, &key(client_port), meta, now).unwrap()
    }

    pub(super) fn seat(&self, client_port: u16) -> Option<Seat> {
        table::locate::<V4, _>(&*self.tables, &key(client_port), false, Seat::NONE)
    }

    /// Its state, and seconds until it ends.
    pub(super) fn found(&self, client_port: u16) -> Option<(State, u32)> {
        let context = rlvs_engine::tables::Context::new(&*self.tables)?;
        let slot = slot_at::<V4, _>(&*self.tables, self.seat(client_port)?)?;
        let sight = look::<V4, _>(context, slot)?;
        Some((sight.meta.state(), seconds(sight.left(self.tables.now()))))
    }

    /// A packet comes.
    pub(super) fn touch(&self, client_port: u16) {
        let slot = slot_at::<V4, _>(&*self.tables, self.seat(client_port).unwrap()).unwrap();
        slot.seen.store(self.tables.now());
    }

    pub(super) fn set_state(&self, client_port: u16, state: State) {
        let slot = slot_at::<V4, _>(&*self.tables, self.seat(client_port).unwrap()).unwrap();
        slot.meta.store(Meta(slot.meta.load()).with_state(state).0);
    }

    pub(super) fn pass(&self, time: u32) {
        self.tables.clock.fetch_add(ticks(time), Ordering::Relaxed);
    }

    pub(super) fn tells_as(&self, manner: &Manner) -> Vec<Due> {
        self.tells_to(manner, Audience::Group)
    }

    pub(super) fn tells_to(&self, manner: &Manner, audience: Audience) -> Vec<Due> {
        let (memory, counts) = (Arc::clone(&self.memory), Arc::clone(&self.counts));
        let teller = Teller::new(memory, counts, manner, audience);
        let mut told = Vec::new();
        let mut tell = |due: Option<Due>| {
            told.extend(due);
            true
        };
        assert!(walk::<V4, _>(&*self.tables, &teller, &mut tell));
        assert!(walk::<V6, _>(&*self.tables, &teller, &mut tell));
        told
    }

    pub(super) fn tells(&self) -> Vec<Due> {
        self.tells_as(&MANNER)
    }

    pub(super) fn hear(&mut self, record: Record) {
        self.learner.hear(record, 0, Instant::now());
    }

    pub(super) fn dropped(&self) -> Vec<(String, u64)> {
        let all = self.counts.dropped().into_iter();
        all.map(|it| (it.reason, it.count)).collect()
    }

    /// Active and inactive connections, and templates.
    pub(super) fn loads(&self, number: u32) -> (u32, u32, u32) {
        let load = &self.tables.loads[number as usize];
        let (active, inactive) = load.counts();
        (active, inactive, load.persistent.load())
    }
}

pub(super) fn key(client_port: u16) -> [u64; 2] {
    V4::key(&Endpoints {
        client: CLIENT,
        virtual_address: VIP,
        client_port: client_port.to_be_bytes(),
        virtual_port: 80u16.to_be_bytes(),
        protocol: 6,
    })
}
