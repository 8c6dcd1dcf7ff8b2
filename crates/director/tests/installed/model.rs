//! A director that is easy to believe: maps, lists, and no care for speed or memory.
//!
//! It reads no bytes: it is told what a packet is.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use rlvs_control::model::{Granularity, Persistence};
use rlvs_control::{Change, Destination, DestinationKey, Protocol, Service, ServiceKey};
use rlvs_engine::settings::ticks;
use rlvs_testing::Packet;
use rlvs_testing::packet::{ACK, FIN, RST, SCTP, SYN, TCP, UDP, Upper, chunk};

use crate::reference::{Candidate, Memory};

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

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum State {
    Udp,
    Established,
    SynRecv,
    FinWait,
    TimeWait,
    Close,
    /// SCTP's from here on.
    Init1,
    Init,
    CookieEchoed,
    Associated,
    ShutdownReceived,
    Closed,
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

#[derive(Debug)]
struct Known {
    upper: u32,
    lower: u32,
    active: u32,
    inactive: u32,
    templates: u32,
    overloaded: bool,
    totals: Totals,
    removed: Option<Instant>,
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
    pub(crate) reuse_mode: u32,
    pub(crate) tick: u64,
}

/// How much later than packets the sweep calls something over.
const GRACE: u64 = 954;
const DEFAULT_PERSISTENCE: u32 = 360;
const REMEMBERED: Duration = Duration::from_secs(120);

impl Model {
    pub(crate) fn new() -> Self {
        let timeouts = [
            (State::Udp, 300),
            (State::Established, 900),
            (State::SynRecv, 60),
            (State::FinWait, 120),
            (State::TimeWait, 120),
            (State::Close, 10),
            (State::Init1, 4),
            (State::Init, 61),
            (State::CookieEchoed, 61),
            (State::Associated, 900),
            (State::ShutdownReceived, 61),
            (State::Closed, 61),
        ];
        Self {
            services: HashMap::new(),
            known: HashMap::new(),
            connections: HashMap::new(),
            templates: HashMap::new(),
            timeouts: timeouts.into(),
            reuse_mode: 1,
            tick: 0,
        }
    }

    /// A change that the director took.
    pub(crate) fn change(&mut self, change: &Change, now: Instant) {
        match change {
            Change::AddService(service) => self.add_service(service),
            Change::EditService(service) => {
                let listed = self.services.get_mut(&service.key).expect("it was taken");
                if listed.service.scheduler != service.scheduler {
                    listed.scheduler = Memory::fresh(&service.scheduler, &listed.weights());
                }
                listed.service = service.clone();
            }
            Change::DeleteService(key) => {
                let listed = self.services.remove(key).expect("it was taken");
                for destination in listed.destinations {
                    self.remove((*key, destination.key), now);
                }
            }
            Change::AddDestination {
                service,
                destination,
            } => {
                self.write((*service, destination.key), destination);
                let listed = self.services.get_mut(service).expect("it was taken");
                listed.destinations.insert(0, destination.clone());
                let weights = listed.weights();
                listed.scheduler.added(&listed.service.scheduler, &weights);
            }
            Change::EditDestination {
                service,
                destination,
            } => {
                self.write((*service, destination.key), destination);
                let listed = self.services.get_mut(service).expect("it was taken");
                let place = listed.place(&destination.key);
                listed.destinations[place] = destination.clone();
                let weights = listed.weights();
                listed
                    .scheduler
                    .changed(&listed.service.scheduler, &weights);
            }
            Change::DeleteDestination {
                service,
                destination,
            } => {
                let listed = self.services.get_mut(service).expect("it was taken");
                let place = listed.place(destination);
                listed.destinations.remove(place);
                let weights = listed.weights();
                listed
                    .scheduler
                    .removed(place, &listed.service.scheduler, &weights);
                self.remove((*service, *destination), now);
            }
            Change::SetTimeouts { tcp, tcp_fin, udp } => {
                let all = [
                    (State::Established, tcp),
                    (State::FinWait, tcp_fin),
                    (State::Udp, udp),
                ];
                for (state, &seconds) in all {
                    if seconds != 0 {
                        self.timeouts.insert(state, seconds);
                    }
                }
            }
            Change::Flush
            | Change::Zero { .. }
            | Change::AddLocalAddress { .. }
            | Change::DeleteLocalAddress { .. } => unreachable!("not of this world"),
        }
    }

    fn add_service(&mut self, service: &Service) {
        let listed = Listed {
            service: service.clone(),
            destinations: Vec::new(),
            scheduler: Memory::fresh(&service.scheduler, &[]),
            totals: Totals::default(),
        };
        self.services.insert(service.key, listed);
        for ((of, _), known) in &mut self.known {
            if *of == service.key {
                known.totals = Totals::default();
            }
        }
    }

    fn write(&mut self, identity: Identity, destination: &Destination) {
        let known = self.known.entry(identity).or_insert_with(|| Known {
            upper: 0,
            lower: 0,
            active: 0,
            inactive: 0,
            templates: 0,
            overloaded: false,
            totals: Totals::default(),
            removed: None,
        });
        let (upper, lower) = (destination.upper_threshold, destination.lower_threshold);
        let connections = known.active + known.inactive;
        let relieved = if lower == 0 {
            (3 * upper).div_ceil(4)
        } else {
            lower
        };
        known.overloaded |= connections >= upper;
        known.overloaded &= upper != 0 && connections >= relieved;
        (known.upper, known.lower) = (upper, lower);
        known.removed = None;
    }

    fn remove(&mut self, identity: Identity, now: Instant) {
        self.known.get_mut(&identity).expect("it is known").removed = Some(now);
    }

    pub(crate) fn tidy(&mut self, now: Instant) {
        self.known.retain(|_, known| {
            let in_use = known.active + known.inactive + known.templates > 0;
            match &mut known.removed {
                Some(since) if in_use => *since = now,
                Some(since) => return now.duration_since(*since) < REMEMBERED,
                None => {}
            }
            true
        });
    }

    /// A well-formed packet to the director.
    pub(crate) fn packet(&mut self, packet: &Packet) -> Fate {
        let (protocol, flags) = match packet.upper {
            Upper::Tcp { flags, .. } => (TCP, flags),
            Upper::Udp => (UDP, 0),
            Upper::Sctp { chunk, second, .. } => (SCTP, meant(chunk, second)),
            Upper::Other(_) => return Fate::Pass,
        };
        let key = (protocol, packet.source, packet.destination);
        if let Some(connection) = self.connections.get(&key).cloned() {
            if !self.begins_anew(&connection, flags) {
                return self.follow(key, connection.to, flags, packet);
            }
            self.end(&key);
        }
        self.begin(key, flags, packet)
    }

    fn begins_anew(&self, connection: &Connection, flags: u8) -> bool {
        if self.is_over(connection.state, connection.seen, 0) {
            return true;
        }
        let reuse = match connection.state {
            State::TimeWait | State::Close | State::Closed => self.reuse_mode != 0,
            State::FinWait => self.reuse_mode & 2 != 0,
            _ => false,
        };
        reuse && asks(connection.state, flags) && connection.template.is_none()
    }

    fn follow(&mut self, key: ConnectionKey, to: Identity, flags: u8, packet: &Packet) -> Fate {
        if self.known[&to].removed.is_some() {
            return Fate::Drop;
        }
        let connection = self.connections.get_mut(&key).expect("it was found");
        connection.seen = self.tick;
        let before = connection.state;
        connection.state = next(before, flags);
        let after = connection.state;
        self.count_state(to, before, false);
        self.count_state(to, after, true);
        self.count(to, packet, false);
        leave(packet, to)
    }

    fn begin(&mut self, key: ConnectionKey, flags: u8, packet: &Packet) -> Fate {
        let begins = match key.0 {
            TCP => flags & (SYN | RST) == SYN,
            SCTP => flags == chunk::INIT,
            _ => true,
        };
        if !begins {
            return Fate::Pass;
        }
        let Some(service) = self.service(&key) else {
            return Fate::Pass;
        };
        let Some((to, template)) = self.choose(service, &key) else {
            return Fate::Drop;
        };
        let state = match key.0 {
            TCP => State::SynRecv,
            SCTP => State::Init1,
            _ => State::Udp,
        };
        let connection = Connection {
            to,
            state,
            seen: self.tick,
            template,
        };
        self.connections.insert(key, connection);
        self.count_state(to, state, true);
        let known = self.known.get_mut(&to).expect("it was chosen");
        if known.upper != 0 && known.active + known.inactive >= known.upper {
            known.overloaded = true;
        }
        self.count(to, packet, true);
        leave(packet, to)
    }

    fn service(&self, &(protocol, _, to): &ConnectionKey) -> Option<ServiceKey> {
        self.services.keys().copied().find(|key| match key {
            ServiceKey::Address {
                protocol: of,
                address,
                port,
            } => {
                let number = match of {
                    Protocol::Tcp => TCP,
                    Protocol::Udp => UDP,
                    Protocol::Sctp => SCTP,
                };
                number == protocol && SocketAddr::new(*address, *port) == to
            }
            ServiceKey::Mark { .. } => false,
        })
    }

    fn choose(
        &mut self,
        service: ServiceKey,
        key: &ConnectionKey,
    ) -> Option<(Identity, Option<TemplateKey>)> {
        let Some(persistence) = self.services[&service].service.persistence else {
            return Some((self.schedule(service)?, None));
        };
        let template = (key.0, masked(key.1.ip(), persistence.granularity), key.2);
        if let Some(to) = self.recall(&template) {
            return Some((to, Some(template)));
        }
        let to = self.schedule(service)?;
        self.templates.insert(
            template,
            Template {
                to,
                seen: self.tick,
                children: 1,
            },
        );
        self.known.get_mut(&to).expect("it was chosen").templates += 1;
        Some((to, Some(template)))
    }

    fn recall(&mut self, key: &TemplateKey) -> Option<Identity> {
        let found = self.templates.get(key)?;
        let to = found.to;
        if self.known[&to].removed.is_some() || self.template_is_over(found, 0) {
            self.end_template(key);
            return None;
        }
        let found = self.templates.get_mut(key)?;
        found.seen = self.tick;
        found.children += 1;
        Some(to)
    }

    fn schedule(&mut self, service: ServiceKey) -> Option<Identity> {
        let listed = self.services.get_mut(&service)?;
        let candidate = |destination: &Destination| {
            let known = &self.known[&(service, destination.key)];
            Candidate {
                weight: destination.weight,
                overloaded: known.overloaded,
                active: known.active,
                inactive: known.inactive,
            }
        };
        let candidates: Vec<_> = listed.destinations.iter().map(candidate).collect();
        let place = listed
            .scheduler
            .pick(&listed.service.scheduler, &candidates)?;
        Some((service, listed.destinations[place].key))
    }

    /// One sweep.
    pub(crate) fn sweep(&mut self) {
        let over: Vec<_> = self
            .connections
            .iter()
            .filter(|(_, it)| self.is_over(it.state, it.seen, GRACE))
            .map(|(key, _)| *key)
            .collect();
        over.iter().for_each(|key| self.end(key));
    }

    /// The same for templates, which wait for connections.
    pub(crate) fn sweep_templates(&mut self) {
        let over: Vec<_> = self
            .templates
            .iter()
            .filter(|(_, it)| self.template_is_over(it, GRACE))
            .map(|(key, _)| *key)
            .collect();
        over.iter().for_each(|key| self.end_template(key));
    }

    fn end(&mut self, key: &ConnectionKey) {
        let ended = self.connections.remove(key).expect("it is there");
        self.count_state(ended.to, ended.state, false);
        let known = self.known.get_mut(&ended.to).expect("it is known");
        let left = known.active + known.inactive;
        let enough = if known.lower != 0 {
            left < known.lower
        } else {
            known.upper == 0 || left * 4 < known.upper * 3
        };
        known.overloaded &= !enough;
        if let Some(template) = ended.template.and_then(|key| self.templates.get_mut(&key))
            && template.to == ended.to
        {
            template.children = template.children.saturating_sub(1);
        }
    }

    fn end_template(&mut self, key: &TemplateKey) {
        let ended = self.templates.remove(key).expect("it is there");
        self.known
            .get_mut(&ended.to)
            .expect("it is known")
            .templates -= 1;
    }

    fn is_over(&self, state: State, seen: u64, grace: u64) -> bool {
        self.tick - seen > u64::from(ticks(self.timeouts[&state])) + grace
    }

    fn template_is_over(&self, template: &Template, grace: u64) -> bool {
        let service = self.services.get(&template.to.0);
        let persistence = service.and_then(|listed| listed.service.persistence);
        let timeout =
            persistence.map_or(DEFAULT_PERSISTENCE, |Persistence { timeout, .. }| timeout);
        let is_held = template.children > 0 && self.known[&template.to].removed.is_none();
        !is_held && self.tick - template.seen > u64::from(ticks(timeout)) + grace
    }

    fn count_state(&mut self, to: Identity, state: State, begins: bool) {
        let known = self.known.get_mut(&to).expect("it is known");
        let is_active = matches!(
            state,
            State::Established | State::SynRecv | State::Associated
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
}

impl Listed {
    fn weights(&self) -> Vec<u32> {
        self.destinations.iter().map(|it| it.weight).collect()
    }

    fn place(&self, key: &DestinationKey) -> usize {
        self.destinations
            .iter()
            .position(|it| it.key == *key)
            .expect("it is listed")
    }
}

fn leave(packet: &Packet, (_, to): Identity) -> Fate {
    if packet.hops <= 1 {
        Fate::Drop
    } else {
        Fate::To(to)
    }
}

/// What a director sees of a connection in direct routing: the client's packets.
fn next(state: State, flags: u8) -> State {
    use State::{Close, Established, FinWait, SynRecv, TimeWait, Udp};
    let has = |flag| flags & flag != 0;
    match state {
        Udp => Udp,
        _ if is_sctp(state) => associate(state, flags),
        SynRecv if has(RST) => SynRecv,
        _ if has(RST) => Close,
        Established if has(SYN) => Established,
        _ if has(SYN) => SynRecv,
        Established if has(FIN) => FinWait,
        SynRecv if has(FIN) => TimeWait,
        SynRecv if has(ACK) => Established,
        _ if has(FIN) || has(ACK) => state,
        _ => Close,
    }
}

fn is_sctp(state: State) -> bool {
    use State::{Associated, Closed, CookieEchoed, Init, Init1, ShutdownReceived};
    matches!(
        state,
        Init1 | Init | CookieEchoed | Associated | ShutdownReceived | Closed
    )
}

/// The same of SCTP.
fn associate(state: State, chunk: u8) -> State {
    use State::{Associated, Closed, CookieEchoed, Init, Init1, ShutdownReceived};
    match (chunk, state) {
        (chunk::ABORT, _) => Closed,
        (chunk::INIT, Init1 | Closed) => Init,
        (chunk::INIT_ACK, Init1 | Init) => CookieEchoed,
        (chunk::COOKIE_ECHO, Init1 | Init) => Associated,
        (chunk::COOKIE_ACK, CookieEchoed) => Associated,
        (chunk::SHUTDOWN, Associated) => ShutdownReceived,
        (chunk::SHUTDOWN_ACK, Init1) => Init,
        (chunk::SHUTDOWN_ACK, Associated) => Closed,
        (chunk::SHUTDOWN_COMPLETE, Init1 | Init | ShutdownReceived) => Closed,
        _ => state,
    }
}

/// The chunk by which a packet is judged.
fn meant(first: u8, second: Option<u8>) -> u8 {
    match (first, second) {
        (chunk::COOKIE_ECHO | chunk::COOKIE_ACK, Some(chunk::ABORT)) => chunk::ABORT,
        _ => first,
    }
}

/// Whether a packet asks for a new connection in place of one in `state`.
fn asks(state: State, flags: u8) -> bool {
    match is_sctp(state) {
        true => flags == chunk::INIT,
        false => flags & SYN != 0,
    }
}

fn masked(client: IpAddr, granularity: Granularity) -> IpAddr {
    match (client, granularity) {
        (IpAddr::V4(client), Granularity::Mask(mask)) => (client & mask).into(),
        (IpAddr::V6(client), Granularity::Prefix(length)) => {
            let mut octets = client.octets();
            for bit in usize::from(length)..128 {
                octets[bit / 8] &= !(0x80 >> (bit % 8));
            }
            octets.into()
        }
        _ => panic!("{client} and {granularity:?}"),
    }
}
