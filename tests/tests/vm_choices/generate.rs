//! Random scenarios, the same for the same seed.

use std::collections::BTreeMap;

use rlvs_control::Protocol;

use crate::scenario::{
    self, ADDRESSES, ALL_TCP, ALL_UDP, CLIENTS, Edit, FTP, Kind, MARKED, MARKED_PORTS, Method,
    Packet, Real, SERVERS, Scenario, Setting, Step, Virtual, protocol,
};

pub(crate) const SCHEDULERS: [&str; 13] = [
    "rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sed", "nq", "fo", "ovf", "dh", "sh", "mh",
];
/// The last four not with thresholds: rlvs does not look for a lighter destination through that
/// many passes of wrr when the heaviest is full.
const LARGE_WEIGHTS: [u32; 8] = [30, 100, 255, 1000, 4000, 65_535, 1_000_000, 0x7fff_ffff];

/// Seconds that nothing comes for: over the times of states, of which none is near any sum of two.
/// All times are multiples of ten seconds. Those above 131 seconds the kernel's timers may end 16
/// seconds too late; and whether a client is to be remembered beyond its time, for connections that
/// last longer, the kernel asks once a minute.
const WAITS: [u64; 8] = [4, 14, 14, 34, 64, 64, 124, 394];
const PERSISTENCE: [u32; 5] = [100, 110, 120, 130, 600];

/// Settings, and what they may be. With `expire_nodest_conn` rlvs ends connections that in the kernel
/// wait for their next packet.
const SETTINGS: [Setting; 5] = [
    setting("conn_reuse_mode", 0, 1),
    setting("drop_packet", 3, 0),
    setting("expire_quiescent_template", 1, 0),
    SECURE_TCP,
    setting("sloppy_tcp", 1, 0),
];
pub(crate) const SECURE_TCP: Setting = setting("secure_tcp", 3, 0);

const fn setting(name: &'static str, value: u8, default: u8) -> Setting {
    Setting {
        name,
        value,
        default,
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 up to, without, `end`.
    fn below(&mut self, end: u32) -> u32 {
        (self.next() % u64::from(end.max(1))) as u32
    }

    fn percent(&mut self, chance: u32) -> bool {
        self.below(100) < chance
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u32) as usize]
    }
}

/// A scenario that is valid: nothing is added twice, nothing changed that is not there.
pub(crate) fn scenario(seed: u64, only: Option<&'static str>) -> Scenario {
    let mut maker = Maker::new(seed, only);
    let services: &[u8] = match maker.random.below(10) {
        0 | 1 => &[1],
        2 | 3 => &[0, 1],
        4 => &[0, ALL_TCP],
        5 => &[1, ALL_UDP],
        6 => &[ALL_TCP, FTP],
        7 => &[MARKED],
        // Whose ports ALL_TCP takes as well.
        8 => &[ALL_TCP, MARKED],
        _ => &[0],
    };
    let mut steps: Vec<Step> = services
        .iter()
        .map(|&service| maker.begin(service))
        .collect();
    let mut waits = maker.waits();
    for _ in 0..6 + maker.random.below(12) {
        let service = maker.random.of(services);
        match maker.random.below(100) {
            0..65 => steps.push(Step::Send(maker.packets(service))),
            65..70 => steps.extend(waits.pop().map(Step::Wait)),
            _ => steps.extend(maker.edits(service)),
        }
    }
    Scenario {
        ipv6: maker.ipv6,
        settings: maker.settings(),
        steps,
    }
}

/// Without changes of what is changed again: rlvs makes the last alone, the kernel sets and clears
/// overload flags by each.
fn last_of_each(edits: Vec<Edit>) -> Vec<Edit> {
    let server = |edit: &Edit| match edit {
        Edit::Change(real) => Some(real.server),
        _ => None,
    };
    let is_last = |&place: &usize| {
        let mine = server(&edits[place]);
        let mut later = edits[place + 1..].iter();
        mine.is_none() || later.all(|edit| server(edit) != mine)
    };
    (0..edits.len())
        .filter(is_last)
        .map(|place| edits[place])
        .collect()
}

struct Maker {
    random: Random,
    only: Option<&'static str>,
    ipv6: bool,
    has_thresholds: bool,
    has_large_weights: bool,
    persistent: bool,
    /// Of each server.
    methods: [Method; SERVERS as usize],
    /// Servers of each service.
    services: BTreeMap<u8, Vec<u8>>,
    schedulers: BTreeMap<u8, &'static str>,
    /// The first packets of all connections.
    known: Vec<Packet>,
    port: u16,
}

impl Maker {
    fn new(seed: u64, only: Option<&'static str>) -> Self {
        let mut random = Random(seed);
        let ipv6 = random.percent(30);
        let has_thresholds = random.percent(30);
        let has_large_weights = random.percent(20);
        let persistent = random.percent(30);
        let has_methods = random.percent(40);
        let methods = std::array::from_fn(|_| match random.below(3) {
            1 if has_methods => Method::Masquerade,
            2 if has_methods => Method::Tunnel,
            _ => Method::DirectRoute,
        });
        Self {
            random,
            only,
            ipv6,
            has_thresholds,
            has_large_weights,
            persistent,
            methods,
            services: BTreeMap::new(),
            schedulers: BTreeMap::new(),
            known: Vec::new(),
            port: 1024,
        }
    }

    fn waits(&mut self) -> Vec<u64> {
        match self.random.percent(50) {
            true => vec![self.random.of(&WAITS), self.random.of(&WAITS)],
            false => Vec::new(),
        }
    }

    fn settings(&mut self) -> Vec<Setting> {
        match self.random.percent(30) {
            true => vec![self.random.of(&SETTINGS)],
            false => Vec::new(),
        }
    }

    /// The service with its first destinations.
    fn begin(&mut self, service: u8) -> Step {
        let mut edits = vec![Edit::BeginService(self.service(service))];
        self.services.insert(service, Vec::new());
        for _ in 0..1 + self.random.below(u32::from(SERVERS)) {
            edits.extend(self.add(service));
        }
        Step::Edit(edits)
    }

    fn service(&mut self, service: u8) -> Virtual {
        let bits: &[u8] = if self.ipv6 {
            &[128, 112, 64, 16]
        } else {
            &[32, 30, 24, 16, 8]
        };
        let persistent = match service {
            ALL_TCP | ALL_UDP => true,
            FTP => self.random.percent(70),
            _ => self.persistent && self.random.percent(80),
        };
        let persistence = persistent.then(|| (self.random.of(&PERSISTENCE), self.random.of(bits)));
        let scheduler = self.scheduler();
        self.schedulers.insert(service, scheduler);
        let flags = match scheduler {
            "sh" | "mh" => self.random.below(4) as u8,
            _ => 0,
        };
        Virtual {
            service,
            scheduler,
            flags,
            persistence,
            one_packet: protocol(service) == Protocol::Udp && self.random.percent(30),
        }
    }

    fn scheduler(&mut self) -> &'static str {
        match self.only {
            Some(only) => only,
            None => self.random.of(&SCHEDULERS),
        }
    }

    /// Changes of a service are made alone: rlvs makes a transaction's changes at once, and where
    /// a scheduler stands after several of them is compared for destinations only.
    fn edits(&mut self, service: u8) -> Vec<Step> {
        match self.random.below(20) {
            0..=2 => vec![Step::Edit(vec![Edit::ChangeService(self.service(service))])],
            3 => vec![
                Step::Edit(vec![Edit::EndService(service)]),
                self.begin(service),
            ],
            _ => {
                let count = self.random.of(&[1, 1, 1, 2, 3]);
                let kind = self.random.below(3);
                let edits = (0..count).filter_map(|_| self.edit(service, kind));
                vec![Step::Edit(last_of_each(edits.collect()))]
            }
        }
    }

    /// One kind at a time: a destination that is removed and added again by one transaction is the
    /// same one all the time to rlvs, and so rr stays behind it.
    fn edit(&mut self, service: u8, kind: u32) -> Option<Edit> {
        let servers = self.services[&service].clone();
        if servers.is_empty() {
            return (kind == 0).then(|| self.add(service)).flatten();
        }
        let server = self.random.of(&servers);
        match kind {
            0 => self.add(service),
            1 => Some(Edit::Change(self.real(service, server))),
            _ => {
                let left = servers
                    .into_iter()
                    .filter(|&other| other != server)
                    .collect();
                self.services.insert(service, left);
                Some(Edit::Remove { service, server })
            }
        }
    }

    fn add(&mut self, service: u8) -> Option<Edit> {
        let server = self.random.below(u32::from(SERVERS)) as u8;
        let servers = self.services.entry(service).or_default();
        if servers.contains(&server) {
            return None;
        }
        servers.push(server);
        Some(Edit::Add(self.real(service, server)))
    }

    fn real(&mut self, service: u8, server: u8) -> Real {
        let mut weight = self.random.below(21);
        if self.has_large_weights && self.random.percent(50) {
            let count = LARGE_WEIGHTS.len() - 4 * usize::from(self.has_thresholds);
            weight = self.random.of(&LARGE_WEIGHTS[..count]);
        }
        let (mut upper, mut lower) = (0, 0);
        if self.has_thresholds && self.random.percent(60) {
            upper = 1 + self.random.below(6);
            lower = self.random.below(upper + 1);
        }
        Real {
            service,
            server,
            method: self.methods[usize::from(server)],
            weight,
            upper,
            lower,
        }
    }

    fn packets(&mut self, service: u8) -> Vec<Packet> {
        (0..1 + self.random.below(14))
            .map(|_| self.packet(service))
            .collect()
    }

    fn packet(&mut self, service: u8) -> Packet {
        let known: Vec<_> = self
            .known
            .iter()
            .filter(|known| known.service == service)
            .copied()
            .collect();
        if known.is_empty() || self.random.percent(55) {
            return self.first_packet(service);
        }
        let first = self.random.of(&known);
        let kind = match (service, self.random.below(20)) {
            (1 | ALL_UDP, _) => Kind::Datagram,
            (_, 0..=8) => Kind::Ack,
            (_, 9..=13) => Kind::Fin,
            (_, 14..=16) => Kind::Rst,
            (_, 17..=18) if self.may_begin_again(service) => Kind::SynAgain,
            _ => Kind::Bare,
        };
        Packet { kind, ..first }
    }

    /// Where a port is used again, the kernel still counts the old connection when it chooses for
    /// the new one, and rlvs does not.
    fn may_begin_again(&self, service: u8) -> bool {
        (service == MARKED || scenario::port(service) >= 80)
            && !self.has_thresholds
            && matches!(self.schedulers[&service], "rr" | "wrr")
    }

    fn first_packet(&mut self, service: u8) -> Packet {
        let client = self.random.below(u32::from(CLIENTS)) as u8;
        self.port += 1;
        let to = self.target(service);
        let address = match service {
            MARKED => self.random.below(ADDRESSES.into()) as u8,
            _ => 0,
        };
        let kind = match service {
            1 | ALL_UDP => Kind::Datagram,
            // Now and then one that must not begin a connection.
            _ if self.random.percent(3) => self.random.of(&[Kind::Ack, Kind::Rst, Kind::Fin]),
            _ => Kind::Syn,
        };
        let packet = Packet {
            service,
            client,
            port: self.port,
            address,
            to,
            kind,
        };
        self.known.push(packet);
        packet
    }

    /// To which port; of a service with many, also to others' and to nobody's.
    fn target(&mut self, service: u8) -> u16 {
        match service {
            ALL_TCP | ALL_UDP => {
                let marked = MARKED_PORTS[0];
                self.random
                    .of(&[20, 21, 80, 81, marked, 1023, 1024, 40_000])
            }
            MARKED => self.random.of(&MARKED_PORTS),
            FTP => self.random.of(&[20, 21, 21, 21, 80, 1023, 1024, 40_000]),
            _ => scenario::port(service),
        }
    }
}
