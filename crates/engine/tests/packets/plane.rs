//! A data plane in memory with hand-written records: no daemon between test and engine.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering;

use rlvs_engine::connection::{Bucket, Key, Meta, State};
use rlvs_engine::destination::Destination;
use rlvs_engine::frame::{Route, Way};
use rlvs_engine::memory::{Bytes, Memory, Sizes};
use rlvs_engine::process::process;
use rlvs_engine::schedule::mh::{self, Taker};
use rlvs_engine::schedule::{Flags, Scheduler, layout, rows, sh};
use rlvs_engine::service::{Service, ServiceKey, filter, store_octets};
use rlvs_engine::settings::ticks;
use rlvs_engine::sysctl::Sysctl;
use rlvs_engine::tables::{Context, interface};
use rlvs_engine::{Family, Reason, Tables, V4, V6, Verdict, table};
use rlvs_testing::Packet;
use rlvs_testing::packet::{DIRECTOR, TCP, UDP};

/// The interface that packets come in on, and by which real servers are reached.
pub(crate) const INTERFACE: u32 = 2;

/// A data plane; `send` is its network.
pub(crate) struct Plane {
    pub(crate) memory: Memory,
    region: Cell<u32>,
    schedulers: RefCell<HashMap<u32, Scheduler>>,
    /// Where the kernel would send anything.
    route: Cell<Route>,
}

/// What became of a packet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) verdict: Verdict,
    pub(crate) bytes: Vec<u8>,
    pub(crate) reason: Option<Reason>,
    /// The ICMP error that its sender got; the packet then counts as dropped.
    pub(crate) told: Option<Vec<u8>>,
}

impl Outcome {
    /// The destination that the frame went to.
    pub(crate) fn to(&self) -> Option<u32> {
        matches!(self.verdict, Verdict::Transmit | Verdict::Redirect(_))
            .then(|| u32::from(self.bytes[5]))
    }
}

/// The MAC address of a destination.
pub(crate) fn mac(destination: u32) -> [u8; 6] {
    [0x02, 0, 0, 0, 1, destination as u8]
}

/// A client, one for every number.
pub(crate) fn client(number: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::from([198, 51, 100, 1]), 1024 + number)
}

pub(crate) fn client6(number: u16) -> SocketAddr {
    SocketAddr::new(
        IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]),
        1024 + number,
    )
}

/// The virtual address that tests balance.
pub(crate) fn vip(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::from([192, 0, 2, 80]), port)
}

pub(crate) fn vip6(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x80]), port)
}

impl Plane {
    pub(crate) fn new() -> Self {
        Self::of(Sizes::default())
    }

    pub(crate) fn of(sizes: Sizes) -> Self {
        let memory = Memory::new(sizes);
        memory.interfaces[interface::slot(INTERFACE) as usize]
            .store(interface::word(INTERFACE, DIRECTOR));
        Self {
            memory,
            region: Cell::new(1),
            schedulers: RefCell::default(),
            route: Cell::new(Route::NONE),
        }
    }

    pub(crate) fn route(&self, route: Route) {
        self.route.set(route);
    }

    /// TCP on port 80 (service 0) and UDP on port 53 (service 1), IPv4, and IPv6 (2 and 3), each
    /// round robin to destination 1.
    pub(crate) fn with_services() -> Self {
        let plane = Self::new();
        let services = [
            (vip(80), TCP),
            (vip(53), UDP),
            (vip6(80), TCP),
            (vip6(53), UDP),
        ];
        for (number, (address, protocol)) in services.into_iter().enumerate() {
            plane.service(number as u32, address, protocol, Scheduler::Rr);
            plane.members(number as u32, &[(1, 1)]);
        }
        plane
    }

    /// One TCP service with members (weight, destination), the one added last first.
    pub(crate) fn with_members(scheduler: Scheduler, members: &[(u32, u32)]) -> Self {
        let plane = Self::new();
        plane.service(0, vip(80), TCP, scheduler);
        plane.members(0, members);
        plane
    }

    pub(crate) fn service(
        &self,
        number: u32,
        address: SocketAddr,
        protocol: u8,
        scheduler: Scheduler,
    ) {
        self.schedulers.borrow_mut().insert(number, scheduler);
        let port = address.port().to_be_bytes();
        let (word, bit) = match address.ip() {
            IpAddr::V4(ip) => {
                let key = ServiceKey::new(ip.octets(), port, protocol);
                self.memory.v4.set_service(key, Some(number));
                filter::place::<V4>(ip.octets())
            }
            IpAddr::V6(ip) => {
                let key = ServiceKey::new(ip.octets(), port, protocol);
                self.memory.v6.set_service(key, Some(number));
                filter::place::<V6>(ip.octets())
            }
        };
        let word = &self.memory.filter[word as usize];
        word.store(word.load() | bit);
    }

    /// A service by firewall mark.
    pub(crate) fn mark(&self, number: u32, is_six: bool, mark: u32, scheduler: Scheduler) {
        self.schedulers.borrow_mut().insert(number, scheduler);
        self.memory.services[number as usize].mark.store(mark);
        if is_six {
            let key = ServiceKey::of_mark::<V6>(mark);
            self.memory.v6.set_service(key, Some(number));
        } else {
            let key = ServiceKey::of_mark::<V4>(mark);
            self.memory.v4.set_service(key, Some(number));
        }
    }

    pub(crate) fn persistent(&self, service: u32, seconds: u32, mask: [u8; 16]) {
        let record = &self.memory.services[service as usize];
        record.mode.store(record.mode.load() | Service::PERSISTENT);
        record.persistence.store(ticks(seconds));
        store_octets(&record.mask, mask);
    }

    pub(crate) fn members(&self, service: u32, members: &[(u32, u32)]) {
        for &(weight, number) in members {
            let record = self.destination(number);
            record.service.store(service);
            record.weight.store(weight);
            record.next_hop.store(interface::mac(mac(number)));
            record.source.store(interface::mac(DIRECTOR));
            record.interface.store(INTERFACE);
            record
                .flags
                .store(Destination::USED | Destination::AVAILABLE | Destination::RESOLVED);
        }
        let scheduler = self.schedulers.borrow()[&service];
        let write = |node: u32, word| self.memory.nodes[node as usize].store(word);
        let region = layout(self.region.get(), members, scheduler, write);
        let rows = self.rows(scheduler, members);
        rows::lay(region, &rows, write);
        let length = region.nodes() + rows::nodes(rows.len() as u32);
        self.region.set(region.base() + length);
        self.memory.services[service as usize]
            .members
            .store(region.0);
    }

    pub(crate) fn flags(&self, service: u32, flags: u32) {
        let mode = &self.memory.services[service as usize].mode;
        mode.store(mode.load() | Service::with_flags(Flags(flags)));
    }

    fn rows(&self, scheduler: Scheduler, members: &[(u32, u32)]) -> Vec<u16> {
        let mut rows = vec![
            0;
            if scheduler == Scheduler::Sh {
                sh::ROWS
            } else {
                251
            }
        ];
        match scheduler {
            Scheduler::Sh => sh::fill(&mut rows, members.iter().map(|member| member.0)),
            _ => {
                let taker = |&(weight, number): &(u32, u32)| Taker::new(number, 80, weight);
                let mut takers: Vec<_> = members.iter().map(taker).collect();
                mh::fill(&mut rows, &mut takers);
            }
        }
        rows
    }

    pub(crate) fn destination(&self, number: u32) -> &Destination {
        &self.memory.destinations[number as usize]
    }

    pub(crate) fn turn_off(&self, destination: u32, flag: u32) {
        let flags = &self.destination(destination).flags;
        flags.store(flags.load() & !flag);
    }

    pub(crate) fn turn_on(&self, destination: u32, flag: u32) {
        let flags = &self.destination(destination).flags;
        flags.store(flags.load() | flag);
    }

    /// Sends a frame and checks what holds for every one: who is not forwarded is counted under
    /// one reason and not changed.
    pub(crate) fn send(&self, packet: &Packet) -> Outcome {
        self.send_frame(packet.build(), INTERFACE)
    }

    pub(crate) fn send_frame(&self, bytes: Vec<u8>, interface: u32) -> Outcome {
        let before = self.reasons();
        let mut frame = Bytes {
            bytes: bytes.clone(),
            interface,
            route: self.route.get(),
            way: Way::In,
            led: None,
        };
        let mut verdict = process(&mut frame, &self.memory);
        let after = self.reasons();
        let counted: Vec<_> = Reason::ALL
            .iter()
            .filter(|&&it| after[it as usize] != before[it as usize])
            .collect();
        let reason = counted.first().map(|&&reason| reason);
        let mut told = None;
        if verdict == Verdict::Redirect(interface) && reason.is_some() {
            told = Some(std::mem::replace(&mut frame.bytes, bytes.clone()));
            verdict = Verdict::Drop;
        }
        match verdict {
            Verdict::Transmit | Verdict::Redirect(_) | Verdict::Neighbour(_) | Verdict::Deliver => {
                assert_eq!(counted.len(), 0)
            }
            Verdict::Drop | Verdict::Pass => {
                assert_eq!(
                    (counted.len(), after.iter().sum::<u64>()),
                    (1, before.iter().sum::<u64>() + 1)
                );
                assert_eq!(frame.bytes, bytes, "it is not forwarded and was changed");
                assert_eq!(reason.map(Reason::verdict), Some(verdict));
            }
        }
        Outcome {
            verdict,
            bytes: frame.bytes,
            reason,
            told,
        }
    }

    fn reasons(&self) -> Vec<u64> {
        Reason::ALL
            .iter()
            .map(|&reason| self.memory.counted(reason))
            .collect()
    }

    /// Sends TCP of one client's port with each of these flags; where the last one went.
    pub(crate) fn tcp(&self, number: u16, flags: &[u8]) -> Option<u32> {
        let last = flags
            .iter()
            .map(|&flags| self.send(&Packet::tcp(client(number), vip(80), flags)));
        last.last().and_then(|outcome| outcome.to())
    }

    pub(crate) fn sysctl(&self, which: Sysctl, value: u32) {
        self.memory.settings.set_sysctl(which, value);
    }

    pub(crate) fn pass_seconds(&self, seconds: u32) {
        self.pass_ticks(ticks(seconds));
    }

    pub(crate) fn pass_ticks(&self, ticks: u32) {
        self.memory.clock.fetch_add(ticks, Ordering::Relaxed);
    }

    /// Active and inactive connections of a destination.
    pub(crate) fn counts(&self, destination: u32) -> (u32, u32) {
        self.memory.loads[destination as usize].counts()
    }

    /// Connections, packets and bytes that a destination counted.
    pub(crate) fn counted(&self, destination: u32) -> (u64, u64, u64) {
        let counters = &self.memory.counters[destination as usize];
        (
            counters.connections.load(),
            counters.packets.load(),
            counters.bytes.load(),
        )
    }

    /// Everything that is live: who, where to, state.
    pub(crate) fn entries(&self) -> Vec<(SocketAddr, u32, State)> {
        fn of<F: Family>(buckets: &[Bucket<F::Key>]) -> Vec<(SocketAddr, u32, State)> {
            let slots = buckets.iter().flat_map(|bucket| &bucket.slots);
            let live = slots.map(|slot| (Meta(slot.meta.load()), slot.key.load()));
            live.filter(|(meta, _)| meta.is_live())
                .map(|(meta, key)| {
                    let ends = F::endpoints(&key);
                    let port = u16::from_be_bytes(ends.client_port);
                    let client = SocketAddr::new(F::ip(ends.client), port);
                    (client, meta.destination(), meta.state())
                })
                .collect()
        }
        let mut all = of::<V4>(&self.memory.v4.buckets);
        all.extend(of::<V6>(&self.memory.v6.buckets));
        all.sort_by_key(|&(client, ..)| client);
        all
    }

    /// State of the connection of this client's port.
    pub(crate) fn state(&self, number: u16) -> Option<State> {
        let entries = self.entries();
        let of_client = |entry: &&(SocketAddr, u32, State)| entry.0 == client(number);
        entries.iter().find(of_client).map(|&(_, _, state)| state)
    }

    /// One sweep; how many entries it ended.
    pub(crate) fn sweep(&self) -> usize {
        let context = Context::new(&self.memory).expect("memory has settings");
        context.settings.age(context.now);
        let of4 = self
            .memory
            .v4
            .buckets
            .iter()
            .flat_map(|bucket| &bucket.slots);
        let of6 = self
            .memory
            .v6
            .buckets
            .iter()
            .flat_map(|bucket| &bucket.slots);
        of4.filter(|slot| table::sweep::<V4, _>(context, slot))
            .count()
            + of6
                .filter(|slot| table::sweep::<V6, _>(context, slot))
                .count()
    }

    /// Nothing is counted as there that is not: for when everything has ended.
    pub(crate) fn assert_empty(&self) {
        assert_eq!(self.entries(), []);
        for (number, load) in self.memory.loads.iter().enumerate() {
            assert_eq!(load.counts(), (0, 0), "of destination {number}");
            assert_eq!(
                load.persistent.load(),
                0,
                "templates of destination {number}"
            );
        }
        let displaced = self
            .memory
            .v4
            .displaced
            .iter()
            .chain(&self.memory.v6.displaced);
        assert!(displaced.into_iter().all(|word| word.load() == 0));
    }

    pub(crate) fn now(&self) -> u32 {
        self.memory.now()
    }
}
