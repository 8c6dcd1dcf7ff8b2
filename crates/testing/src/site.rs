//! A director over any tables, without a network: what the daemon does about a change, and a
//! small world of clients, virtual addresses and real servers for it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Instant;

use proptest::prelude::*;
use rlvs_control::model::{Family, Granularity, GueChecksum, Persistence, Tunnel};
use rlvs_control::{
    Change, Destination, DestinationKey, Error, ForwardingMethod, Protocol, Service, ServiceKey,
    Transaction,
};
use rlvs_director::desired::{Desired, DesiredService};
use rlvs_director::installed::{Hop, Installed, Now, Steps};
use rlvs_engine::connection::State;
use rlvs_engine::settings::ticks;
use rlvs_engine::sysctl::Sysctl;
use rlvs_engine::tables::interface;
use rlvs_plane::Store;

use crate::packet::DIRECTOR;

/// The interface that packets come in on: loopback's index, which is that of test runs in the
/// kernel.
pub const INTERFACE: u32 = 1;
/// Another one, behind which every fourth real server is.
pub const OTHER_INTERFACE: u32 = 7;

/// Real servers of each IP version.
pub const REAL_SERVERS: u8 = 6;

/// Desired and installed state over `S`.
#[derive(Debug)]
pub struct Site<S> {
    pub store: S,
    pub desired: Desired,
    pub installed: Installed,
}

impl<S: Store> Site<S> {
    /// Over fresh tables; all real servers' next hops are known.
    pub fn new(store: S) -> Self {
        if let Some(slot) = store.interface(interface::slot(INTERFACE)) {
            slot.store(interface::word(INTERFACE, DIRECTOR));
        }
        let installed = Installed::new(&store);
        let mut site = Self {
            store,
            desired: Desired::default(),
            installed,
        };
        site.resolve_all();
        site
    }

    /// As the daemon does every second; next hops that it forgets are found again.
    pub fn tidy(&mut self, now: Instant) {
        self.installed.tidy(&self.store, now);
        self.resolve_all();
    }

    fn resolve_all(&mut self) {
        for number in 0..REAL_SERVERS {
            self.resolve(real_server(false, number), number);
            self.resolve(real_server(true, number), number);
        }
    }

    fn resolve(&mut self, address: IpAddr, number: u8) {
        let hop = Hop::Resolved {
            interface: if number % 4 == 3 {
                OTHER_INTERFACE
            } else {
                INTERFACE
            },
            source: DIRECTOR,
            destination: mac(number),
            redirect: number % 4 == 2,
            mtu: mtu(number),
            local: Some(local(address.is_ipv6())),
        };
        self.installed.set_hop(&self.store, address, hop);
    }

    /// Makes a change; an error, and nothing done, if the director would refuse it.
    pub fn change(&mut self, change: Change, now: Instant) -> Result<(), Error> {
        let mut touched: Vec<ServiceKey> = match change {
            Change::Flush => self.desired.services().map(|it| it.service().key).collect(),
            _ => Vec::new(),
        };
        let mut steps = Steps::new();
        self.desired
            .apply(&Transaction::from(change), 0, &mut |desired, change| {
                touched.extend(service_of(change));
                if is_of_destination(change)
                    && let Some(service) = service_of(change).and_then(|key| desired.service(&key))
                {
                    steps.push(gcd_and_reach(service));
                }
            })?;
        let now = Now {
            instant: now,
            seconds: 0,
        };
        for key in touched {
            let desired = self.desired.service(&key);
            self.installed
                .install(&self.store, &key, desired, &steps, now)
                .expect("there is room");
        }
        self.installed
            .tell_servers(&self.store, &self.desired, true)
            .expect("there is room");
        self.write_settings();
        Ok(())
    }

    fn write_settings(&self) {
        let settings = self.store.settings().expect("every plane has settings");
        let timeouts = self.desired.timeouts();
        settings.set_timeout(State::Established, ticks(timeouts.tcp));
        settings.set_timeout(State::FinWait, ticks(timeouts.tcp_fin));
        settings.set_timeout(State::Udp, ticks(timeouts.udp));
        settings.calls.store(self.desired.reads_calls().into());
    }
}

fn service_of(change: &Change) -> Option<ServiceKey> {
    match change {
        Change::AddService(service) | Change::EditService(service) => Some(service.key),
        Change::DeleteService(service)
        | Change::AddDestination { service, .. }
        | Change::EditDestination { service, .. }
        | Change::DeleteDestination { service, .. }
        | Change::Drain { service, .. }
        | Change::Undrain { service, .. }
        | Change::AddLocalAddress { service, .. }
        | Change::DeleteLocalAddress { service, .. } => Some(*service),
        Change::Flush
        | Change::SetTimeouts { .. }
        | Change::SetSysctl { .. }
        | Change::StartDaemon(_)
        | Change::StopDaemon(_)
        | Change::Zero { .. } => None,
    }
}

fn is_of_destination(change: &Change) -> bool {
    matches!(
        change,
        Change::AddDestination { .. }
            | Change::EditDestination { .. }
            | Change::DeleteDestination { .. }
            | Change::Drain { .. }
            | Change::Undrain { .. }
    )
}

/// What weighted round robin reads off all weights: the largest number that divides them, and
/// the weight its passes begin at.
fn gcd_and_reach(service: &DesiredService) -> (u32, u32) {
    let weights: Vec<u32> = service.destinations().map(|it| it.weight).collect();
    let most = weights.iter().copied().max().unwrap_or(0);
    let divides = |by: &u32| weights.iter().all(|weight| weight.is_multiple_of(*by));
    let gcd = (1..=most).rev().find(divides).unwrap_or(1);
    (gcd, if most == 0 { 0 } else { most - gcd + 1 })
}

/// The director's own address towards its real servers.
pub fn local(ipv6: bool) -> IpAddr {
    match ipv6 {
        true => Ipv6Addr::new(0x2001, 0xdb8, 0, 0xa, 0, 0, 0, 0xd).into(),
        false => Ipv4Addr::new(10, 0, 0, 254).into(),
    }
}

/// The largest packet for the way to a real server: to one of them not much.
fn mtu(number: u8) -> u32 {
    if number == 1 { 90 } else { 1500 }
}

/// The MAC address of a real server.
pub fn mac(number: u8) -> [u8; 6] {
    [0x02, 0, 0, 0, 1, number]
}

pub fn real_server(ipv6: bool, number: u8) -> IpAddr {
    if ipv6 {
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0xa, 0, 0, 0, u16::from(number) + 1).into()
    } else {
        Ipv4Addr::new(10, 0, 0, number + 1).into()
    }
}

/// Some clients' addresses and ports, of both IP versions; from the first port keys are exchanged.
pub fn clients(count: u16) -> Vec<SocketAddr> {
    let of_each = (0..count).map(|number| {
        let (host, port) = (number % 7, 500 + number / 7);
        let four = Ipv4Addr::new(198, 51, (100 + host / 4) as u8, host as u8);
        let six = Ipv6Addr::new(0x2001, 0xdb8, 1, host / 4, 0, 0, 0, host);
        [
            SocketAddr::new(four.into(), port),
            SocketAddr::new(six.into(), port),
        ]
    });
    of_each.flatten().collect()
}

/// Every service there may be.
pub fn service_keys() -> Vec<ServiceKey> {
    let four = IpAddr::from([192, 0, 2, 80]);
    let six = IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x80]);
    let ports = [
        (Protocol::Tcp, 80),
        (Protocol::Tcp, 443),
        (Protocol::Udp, 80),
        (Protocol::Sctp, 80),
        // What AH and ESP follow.
        (Protocol::Udp, 500),
    ];
    let of = |address| {
        ports.map(|(protocol, port)| ServiceKey::Address {
            protocol,
            address,
            port,
        })
    };
    [of(four), of(six)].concat()
}

/// Services with connections to more than one port: on all ports, and for FTP.
pub fn keys_of_many_ports() -> Vec<ServiceKey> {
    let ports = [(Protocol::Tcp, 0), (Protocol::Udp, 0), (Protocol::Tcp, 21)];
    let keys = service_keys();
    let mut addresses: Vec<_> = keys.iter().filter_map(address).map(|it| it.ip()).collect();
    addresses.sort_unstable();
    addresses.dedup();
    let of = |address| {
        ports.map(|(protocol, port)| ServiceKey::Address {
            protocol,
            address,
            port,
        })
    };
    addresses.into_iter().flat_map(of).collect()
}

/// Their addresses at ports of theirs.
pub fn addresses_of_many_ports() -> Vec<SocketAddr> {
    let keys = keys_of_many_ports();
    let addresses = keys.iter().filter_map(address);
    addresses
        .zip([20, 21, 2100].into_iter().cycle())
        .map(|(address, port)| SocketAddr::new(address.ip(), port))
        .collect()
}

/// Where their packets go, and now and then a port or an address that is never a service's.
pub fn service_addresses() -> Vec<SocketAddr> {
    let all: Vec<_> = service_keys().iter().filter_map(address).collect();
    let mut all = all.repeat(6);
    for text in [
        "192.0.2.80:81",
        "[2001:db8::80]:81",
        "192.0.2.81:80",
        "[2001:db8::81]:80",
    ] {
        all.push(text.parse().expect("it is an address"));
    }
    all
}

fn address(key: &ServiceKey) -> Option<SocketAddr> {
    match key {
        ServiceKey::Address { address, port, .. } => Some(SocketAddr::new(*address, *port)),
        ServiceKey::Mark { .. } => None,
    }
}

/// A service as `ipvsadm -A` makes it.
pub fn service(key: ServiceKey, scheduler: &str, persistence: Option<Persistence>) -> Service {
    Service {
        key,
        scheduler: scheduler.to_owned(),
        scheduler_flags: 0,
        persistence,
        one_packet: false,
        persistence_engine: None,
        client_address: Default::default(),
        slow_start: 0,
    }
}

/// A real server in a service.
pub fn destination(
    service: ServiceKey,
    number: u8,
    weight: u32,
    (upper_threshold, lower_threshold): (u32, u32),
) -> Destination {
    let port = match service {
        ServiceKey::Address { port, .. } => port,
        ServiceKey::Mark { .. } => 0,
    };
    let key = DestinationKey {
        address: real_server(service.family() == Family::Ipv6, number),
        port,
    };
    let method = ForwardingMethod::Route;
    Destination {
        key,
        method,
        weight,
        upper_threshold,
        lower_threshold,
    }
}

/// Changes of this world; many are refused, for instance because a service is not there.
pub fn changes() -> BoxedStrategy<Change> {
    changes_of(service_keys())
}

/// Changes of these services only.
pub fn changes_of(services: Vec<ServiceKey>) -> BoxedStrategy<Change> {
    let of_service = (
        prop::sample::select(services.clone()),
        scheduler(),
        persistence(),
    );
    let of_service = of_service.prop_map(|(key, scheduler, persistence)| {
        let persistence = persistence.map(|(timeout, long)| Persistence {
            timeout,
            granularity: granularity(&key, long),
        });
        service(key, scheduler, persistence)
    });
    let of_destination = (
        prop::sample::select(services.clone()),
        0..REAL_SERVERS,
        prop_oneof![1 => Just(0u32), 6 => 1u32..8, 1 => Just(1000u32)],
        thresholds(),
    );
    let of_destination = of_destination.prop_map(|(service, number, weight, thresholds)| {
        (service, destination(service, number, weight, thresholds))
    });
    let key = prop::sample::select(services);
    prop_oneof![
        9 => of_service.clone().prop_map(Change::AddService),
        3 => of_service.prop_map(Change::EditService),
        1 => key.prop_map(Change::DeleteService),
        20 => of_destination.clone().prop_map(|(service, destination)| {
            Change::AddDestination { service, destination }
        }),
        10 => of_destination.clone().prop_map(|(service, destination)| {
            Change::EditDestination { service, destination }
        }),
        5 => of_destination.prop_map(|(service, destination)| {
            Change::DeleteDestination { service, destination: destination.key }
        }),
    ]
    .boxed()
}

/// The same changes, some with one-packet scheduling or persistence by Call-ID.
pub fn with_ways_of_udp(changes: BoxedStrategy<Change>) -> BoxedStrategy<Change> {
    (changes, 0u8..4)
        .prop_map(|(mut change, chance)| {
            if let Change::AddService(service) | Change::EditService(service) = &mut change
                && let ServiceKey::Address {
                    protocol: Protocol::Udp,
                    ..
                } = service.key
            {
                service.one_packet = chance == 0;
                service.persistence_engine = (chance < 2).then(|| "sip".to_owned());
            }
            change
        })
        .boxed()
}

/// A setting and a value for it, which is often that of the setting being off.
pub fn sysctl() -> impl Strategy<Value = (Sysctl, u32)> {
    let which = prop::sample::select(Sysctl::ALL.to_vec());
    let value = prop_oneof![2 => Just(0), 3 => 1u32..4];
    (which, value).prop_map(|(which, value)| match which {
        // So that most connections begin.
        Sysctl::DropPacket => (which, value * 10),
        _ => (which, value),
    })
}

/// The same changes with destinations of all forwarding methods.
pub fn with_methods(changes: BoxedStrategy<Change>) -> BoxedStrategy<Change> {
    (changes, method(), any::<bool>(), 0u8..12)
        .prop_map(|(mut change, method, other_version, local)| {
            if let Some(service) = service_of(&change).filter(|_| local < 2) {
                let address = local_end(service.family() == Family::Ipv6, local);
                return Change::AddLocalAddress { service, address };
            }
            let destination = match &mut change {
                Change::AddDestination { destination, .. }
                | Change::EditDestination { destination, .. } => destination,
                _ => return change,
            };
            destination.method = method;
            let tunnel = matches!(method, ForwardingMethod::Tunnel(_));
            let address = &mut destination.key.address;
            if tunnel && other_version {
                *address = of_other_version(*address);
            }
            change
        })
        .boxed()
}

/// Addresses of the director for full NAT.
fn local_end(ipv6: bool, number: u8) -> IpAddr {
    let last = 0xe0 + number;
    match ipv6 {
        true => Ipv6Addr::new(0x2001, 0xdb8, 0, 0xa, 0, 0, 0, last.into()).into(),
        false => Ipv4Addr::new(10, 0, 0, last).into(),
    }
}

/// The same real server's address of the other IP version.
fn of_other_version(address: IpAddr) -> IpAddr {
    let same = |number: &u8| real_server(address.is_ipv6(), *number) == address;
    let number = (0..REAL_SERVERS).find(same).unwrap_or(0);
    real_server(address.is_ipv4(), number)
}

fn method() -> impl Strategy<Value = ForwardingMethod> + Clone {
    let gue = |checksum| Tunnel::Gue {
        port: 6080,
        checksum,
    };
    let tunnels = vec![
        Tunnel::Ipip,
        Tunnel::Gre { checksum: false },
        Tunnel::Gre { checksum: true },
        gue(GueChecksum::None),
        gue(GueChecksum::Full),
        gue(GueChecksum::Remote),
    ];
    prop_oneof![
        1 => Just(ForwardingMethod::Route),
        1 => Just(ForwardingMethod::Masquerade),
        2 => Just(ForwardingMethod::FullNat),
        2 => prop::sample::select(tunnels).prop_map(ForwardingMethod::Tunnel),
    ]
}

fn scheduler() -> impl Strategy<Value = &'static str> + Clone {
    prop::sample::select(vec!["rr", "wrr", "lc", "wlc"])
}

/// Timeout in seconds, and whether the mask is a long one.
fn persistence() -> impl Strategy<Value = Option<(u32, bool)>> + Clone {
    prop::option::weighted(
        0.3,
        (prop::sample::select(vec![1500u32, 4500]), any::<bool>()),
    )
}

fn granularity(key: &ServiceKey, long: bool) -> Granularity {
    match (key.family() == Family::Ipv6, long) {
        (false, true) => Granularity::Mask(Ipv4Addr::BROADCAST),
        (false, false) => Granularity::Mask(Ipv4Addr::new(255, 255, 255, 0)),
        (true, true) => Granularity::Prefix(128),
        (true, false) => Granularity::Prefix(64),
    }
}

fn thresholds() -> impl Strategy<Value = (u32, u32)> + Clone {
    prop_oneof![
        4 => Just((0u32, 0u32)),
        1 => (1u32..12).prop_map(|upper| (upper, 0)),
        1 => (3u32..12, 1u32..4).prop_map(|(upper, lower)| (upper, lower.min(upper))),
    ]
}
