//! What the director puts into a tunnel comes out of it as it was, but for the hop that it took.

mod frame;

use std::net::SocketAddr;

use frame::Bytes;
use proptest::prelude::*;
use rlvs_arrival::address::mapped;
use rlvs_arrival::{IP, Kind, Settings, concerns, ecn, inspect};
use rlvs_engine::destination::{Destination, Tunnel};
use rlvs_engine::frame::{Route, Way};
use rlvs_engine::memory::{self, Memory};
use rlvs_engine::service::store_octets;
use rlvs_engine::{V4, V6, forward};
use rlvs_testing::{Packet, strategy};
use rlvs_wire::{Ipv4, Ipv6};
use zerocopy::FromBytes;

const PORT: u16 = 6080;
const DIRECTOR4: [u8; 4] = [192, 0, 2, 1];
const REAL4: [u8; 4] = [192, 0, 2, 11];

fn packets() -> BoxedStrategy<Packet> {
    let all = |addresses: [&str; 2]| {
        addresses
            .map(|it| it.parse::<SocketAddr>().unwrap())
            .to_vec()
    };
    let clients = all(["203.0.113.7:4242", "[2001:db8::7]:4242"]);
    let services = all(["192.0.2.100:80", "[2001:db8:1::100]:80"]);
    strategy::dressed(strategy::packets(clients, services))
}

fn tunnels() -> impl Strategy<Value = Tunnel> {
    let kinds = prop_oneof![Just(Tunnel::IPIP), Just(Tunnel::GRE), Just(Tunnel::GUE)];
    let flags = prop_oneof![Just(0), Just(Tunnel::CHECKSUM)];
    (kinds, flags).prop_map(|(kind, flags)| Tunnel::new(kind, flags, PORT))
}

/// A director's tables with one real server behind a tunnel.
fn tables(tunnel: Tunnel, is_six: bool) -> Memory {
    let tables = Memory::default();
    let destination = &tables.destinations[0];
    let six = if is_six { Destination::IPV6 } else { 0 };
    destination.flags.store(Destination::RESOLVED | six);
    destination.tunnel.store(tunnel.0);
    let ends = match is_six {
        true => [[0x20; 16], [0x21; 16]],
        false => [DIRECTOR4, REAL4].map(|four| {
            let mut octets = [0; 16];
            octets[..4].copy_from_slice(&four);
            octets
        }),
    };
    store_octets(&destination.outer_source, ends[0]);
    store_octets(&destination.address, ends[1]);
    tables
}

/// The frame in a tunnel; none if its last hop was the one before.
fn encapsulated(frame: &[u8], tables: &Memory, is_four: bool) -> Option<Vec<u8>> {
    let mut frame = memory::Bytes {
        bytes: frame.to_vec(),
        interface: 1,
        way: Way::In,
        route: Route::NONE,
        led: None,
    };
    let hash = 0x1234_5678;
    let verdict = match is_four {
        true => forward::tunnel::<V4, _, _>(&mut frame, tables, 0, hash),
        false => forward::tunnel::<V6, _, _>(&mut frame, tables, 0, hash),
    };
    verdict.ok().map(|_| frame.bytes)
}

/// The IP packet in a frame without what is behind it, one hop further.
fn one_hop_on(frame: &[u8], is_four: bool) -> Vec<u8> {
    let mut packet = frame[IP..].to_vec();
    let length = if is_four {
        let (ip, _) = Ipv4::mut_from_prefix(&mut packet).unwrap();
        ip.decrement_ttl();
        ip.total_length.get() as usize
    } else {
        let (ip, _) = Ipv6::mut_from_prefix(&mut packet).unwrap();
        ip.hop_limit -= 1;
        40 + ip.payload_length.get() as usize
    };
    packet.truncate(length);
    packet
}

proptest! {
    #[test]
    fn what_goes_in_comes_out(packet in packets(), tunnel in tunnels(), is_six: bool) {
        let frame = packet.build();
        let is_four = packet.source.is_ipv4();
        let sent = encapsulated(&frame, &tables(tunnel, is_six), is_four);
        prop_assume!(sent.is_some());
        let sent = sent.unwrap();
        let received = Bytes::raw(&sent);
        let kind = match tunnel.kind() {
            Tunnel::GRE => Kind::Gre,
            Tunnel::GUE => Kind::Gue,
            _ => Kind::Ipip,
        };
        prop_assert!(concerns(&received, Settings::new([kind], PORT)));
        let found = inspect(&received, false).unwrap();
        prop_assert_eq!(&sent[found.begin..found.end], one_hop_on(&frame, is_four));
        prop_assert_eq!((found.outer_is_six, found.inner_is_six), (is_six, !is_four));
        let source = if is_six { [0x20; 16] } else { mapped(DIRECTOR4) };
        prop_assert_eq!(found.source, source);
        let vip = match packet.destination.ip() {
            std::net::IpAddr::V4(vip) => mapped(vip.octets()),
            std::net::IpAddr::V6(vip) => vip.octets(),
        };
        prop_assert_eq!(found.destination, vip);
        // No mark is lost, and none is made up.
        let class = ecn::decapsulate(found.outer_class, found.inner_class);
        prop_assert_eq!(class, Some(found.inner_class));
    }
}
