//! A director with one service after the other, and packets both ways.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rlvs_control::{Change, Destination, ForwardingMethod, Protocol, ServiceKey};
use rlvs_director::installed::Totals;
use rlvs_director::sweep;
use rlvs_engine::answers::answers;
use rlvs_engine::frame::{Route, RouteKind, Way};
use rlvs_engine::memory::{Bytes, Memory};
use rlvs_engine::process::process;
use rlvs_engine::service::filter;
use rlvs_engine::settings::ticks;
use rlvs_engine::tables::interface;
use rlvs_engine::{V4, V6, Verdict};
use rlvs_testing::packet::{ETHERNET, ROUTER};
use rlvs_testing::site::{self, INTERFACE, OTHER_INTERFACE, Site, clients, service_keys};
use rlvs_testing::{Packet, packet};

/// The interface towards clients.
pub(crate) const UPLINK: u32 = 9;

pub(crate) struct Scene {
    pub(crate) site: Site<Memory>,
    pub(crate) now: Instant,
}

/// What became of a frame: the verdict, and whose it was then.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Sent {
    pub(crate) verdict: Verdict,
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self {
            site: Site::new(Memory::default()),
            now: Instant::now(),
        }
    }

    /// With one service that has one destination.
    pub(crate) fn with(service: ServiceKey, destination: &Destination) -> Self {
        let mut scene = Self::new();
        scene.change(Change::AddService(site::service(service, "rr", None)));
        scene.add(service, destination);
        scene
    }

    pub(crate) fn add(&mut self, service: ServiceKey, destination: &Destination) {
        let destination = destination.clone();
        self.change(Change::AddDestination {
            service,
            destination,
        });
    }

    pub(crate) fn edit(&mut self, service: ServiceKey, destination: &Destination) {
        let destination = destination.clone();
        self.change(Change::EditDestination {
            service,
            destination,
        });
    }

    pub(crate) fn delete(&mut self, service: ServiceKey, destination: &Destination) {
        let destination = destination.key;
        self.change(Change::DeleteDestination {
            service,
            destination,
        });
    }

    pub(crate) fn change(&mut self, change: Change) {
        let made = self.site.change(change, self.now);
        made.expect("it is a change that can be made");
    }

    pub(crate) fn send(&self, packet: &Packet) -> Sent {
        self.send_by(Way::In, packet).0
    }

    /// The same by another way; with it the frame as it leaves.
    pub(crate) fn send_by(&self, way: Way, packet: &Packet) -> (Sent, Vec<u8>) {
        let (verdict, frame) = self.process_by(way, packet.build());
        let (from, to) = ends(&frame[ETHERNET..], packet.source.is_ipv4());
        (Sent { verdict, from, to }, frame)
    }

    /// What becomes of a frame, and of its bytes.
    pub(crate) fn process(&self, bytes: Vec<u8>) -> (Verdict, Vec<u8>) {
        self.process_by(Way::In, bytes)
    }

    fn process_by(&self, way: Way, bytes: Vec<u8>) -> (Verdict, Vec<u8>) {
        let mut frame = Bytes {
            bytes,
            interface: INTERFACE,
            route: Route {
                kind: RouteKind::Known,
                interface: UPLINK,
                destination: interface::mac(ROUTER),
                source: interface::mac(packet::DIRECTOR),
            },
            way,
            led: None,
        };
        let verdict = match way {
            Way::Out => answers(&mut frame, &self.site.store),
            Way::In | Way::Loopback => process(&mut frame, &self.site.store),
        };
        (verdict, frame.bytes)
    }

    pub(crate) fn totals(&self, service: ServiceKey, destination: &Destination) -> Totals {
        let (store, installed) = (&self.site.store, &self.site.installed);
        let of_service = installed.service_totals(store, &service);
        let of_destination = installed.destination_totals(store, &service, &destination.key);
        assert_eq!(of_service, of_destination, "it is the only one");
        of_service
    }

    /// Whether packets from this real server are looked at.
    pub(crate) fn expects_answers_of(&self, server: IpAddr) -> bool {
        let (word, bit) = match server {
            IpAddr::V4(address) => filter::place_of_server::<V4>(address.octets()),
            IpAddr::V6(address) => filter::place_of_server::<V6>(address.octets()),
        };
        self.site.store.filter[word as usize].load() & bit != 0
    }

    /// Seconds pass, and the daemon does what it does in them.
    pub(crate) fn pass(&mut self, seconds: u32) {
        self.now += Duration::from_secs(seconds.into());
        let store = &self.site.store;
        store.clock.fetch_add(ticks(seconds), Ordering::Relaxed);
        let mut filter = vec![0; filter::WORDS as usize];
        sweep::buckets::<V4, _>(store, &store.v4.buckets, &mut filter, &mut HashMap::new());
        sweep::buckets::<V6, _>(store, &store.v6.buckets, &mut filter, &mut HashMap::new());
        self.site.tidy(self.now);
        let (store, installed) = (&self.site.store, &self.site.installed);
        installed.narrow_filter(store, &filter);
    }
}

/// A real server in a service, by masquerading.
pub(crate) fn masqueraded(service: ServiceKey, number: u8, port: u16) -> Destination {
    let mut destination = site::destination(service, number, 1, (0, 0));
    destination.key.port = port;
    destination.method = ForwardingMethod::Masquerade;
    destination
}

/// The first TCP services of both IP versions, with a client and their address.
pub(crate) fn services() -> Vec<(ServiceKey, SocketAddr, SocketAddr)> {
    services_of(Protocol::Tcp, 80)
}

/// The services of both IP versions, with a client and their address.
pub(crate) fn services_of(of: Protocol, at: u16) -> Vec<(ServiceKey, SocketAddr, SocketAddr)> {
    let clients = clients(1);
    let service = |key| match key {
        ServiceKey::Address {
            protocol,
            address,
            port,
        } if (protocol, port) == (of, at) => {
            let client = clients.iter().find(|it| it.is_ipv4() == address.is_ipv4());
            let client = *client.expect("there are both");
            Some((key, client, SocketAddr::new(address, port)))
        }
        _ => None,
    };
    service_keys().into_iter().filter_map(service).collect()
}

/// The packet as it shall leave, by its next hop's MAC address and ours.
pub(crate) fn left(packet: &Packet, to: [u8; 6]) -> Vec<u8> {
    let packet = Packet {
        to,
        from: packet::DIRECTOR,
        hops: packet.hops - 1,
        ..packet.clone()
    };
    packet.build()
}

/// How a frame leaves for a real server of the site.
pub(crate) fn leaves(number: u8) -> Verdict {
    match number % 4 {
        2 => Verdict::Redirect(INTERFACE),
        3 => Verdict::Redirect(OTHER_INTERFACE),
        _ => Verdict::Transmit,
    }
}

/// Sender and receiver of a packet without options.
pub(crate) fn ends(packet: &[u8], is_ipv4: bool) -> (SocketAddr, SocketAddr) {
    let address = |at: usize| -> IpAddr {
        if is_ipv4 {
            <[u8; 4]>::try_from(&packet[at..at + 4]).unwrap().into()
        } else {
            <[u8; 16]>::try_from(&packet[at..at + 16]).unwrap().into()
        }
    };
    let port = |at: usize| u16::from_be_bytes([packet[at], packet[at + 1]]);
    let (from, to, ports) = if is_ipv4 { (12, 16, 20) } else { (8, 24, 40) };
    (
        SocketAddr::new(address(from), port(ports)),
        SocketAddr::new(address(to), port(ports + 2)),
    )
}
