//! Packets to a director in memory, from well-formed ones with a few bytes changed to noise.
//!
//! Each step of the input is a head of four bytes, and as many bytes as the fourth says: which kind
//! of packet, how much time goes by before it (ticks), and how it is marred: pairs of a place and a
//! byte, or for the kind 255 the frame itself.
#![no_main]

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Instant;

use libfuzzer_sys::fuzz_target;
use rlvs_control::model::{Family, Granularity, Persistence, Tunnel};
use rlvs_control::{Change, ForwardingMethod};
use rlvs_engine::connection::Meta;
use rlvs_engine::memory::{Bytes, Memory};
use rlvs_engine::process::process;
use rlvs_testing::Packet;
use rlvs_testing::packet::{ACK, FIN, RST, SYN};
use rlvs_testing::site::{
    INTERFACE, Site, clients, destination, local, service, service_addresses, service_keys,
};

const SCHEDULERS: [&str; 6] = ["rr", "wlc", "sh", "mh", "lblcr", "sed"];
const METHODS: [ForwardingMethod; 4] = [
    ForwardingMethod::Route,
    ForwardingMethod::Masquerade,
    ForwardingMethod::Tunnel(Tunnel::Ipip),
    ForwardingMethod::FullNat,
];
const RAW: u8 = 255;
const LONGEST: usize = 2048;

fuzz_target!(|steps: &[u8]| {
    let site = site();
    let mut steps = steps;
    while let [kind, later, more, length, rest @ ..] = steps {
        let (marks, rest) = rest.split_at(rest.len().min((*length).into()));
        steps = rest;
        site.store
            .clock
            .fetch_add((*later).into(), Ordering::Relaxed);
        let mut frame = frame(*kind, *more, marks);
        frame.truncate(LONGEST);
        let mut frame = Bytes::received(frame, INTERFACE);
        process(&mut frame, &site.store);
    }
    counts_are_right(&site.store);
});

/// What each destination counts is what there is of it.
fn counts_are_right(tables: &Memory) {
    let mut found = vec![0; tables.loads.len()];
    let four = tables.v4.buckets.iter().flat_map(|bucket| &bucket.slots);
    let six = tables.v6.buckets.iter().flat_map(|bucket| &bucket.slots);
    let metas = four.map(|slot| slot.meta.load());
    for meta in metas.chain(six.map(|slot| slot.meta.load())).map(Meta) {
        if meta.is_clients() && !meta.state().is_template() {
            found[meta.destination() as usize] += 1;
        }
    }
    for (number, (load, found)) in tables.loads.iter().zip(found).enumerate() {
        let (active, inactive) = load.counts();
        assert_eq!(active + inactive, found, "destination {number}");
    }
}

/// Services of each kind, with destinations by each method.
fn site() -> Site<Memory> {
    let mut site = Site::new(Memory::default());
    let now = Instant::now();
    for (number, key) in service_keys().into_iter().enumerate() {
        let persistence = (number % 3 == 2).then(|| Persistence {
            timeout: 60,
            granularity: match key.family() {
                Family::Ipv4 => Granularity::Mask([255, 255, 255, 0].into()),
                Family::Ipv6 => Granularity::Prefix(64),
            },
        });
        let scheduler = SCHEDULERS[number % SCHEDULERS.len()];
        let added = site.change(
            Change::AddService(service(key, scheduler, persistence)),
            now,
        );
        added.expect("the service is right");
        let address = local(key.family() == Family::Ipv6);
        let added = site.change(
            Change::AddLocalAddress {
                service: key,
                address,
            },
            now,
        );
        added.expect("the address is right");
        for server in 0..4 {
            let mut destination = destination(key, server, 1 + u32::from(server), (0, 0));
            destination.method = METHODS[(number + usize::from(server)) % METHODS.len()];
            // Not every method goes with every service.
            let _ = site.change(
                Change::AddDestination {
                    service: key,
                    destination,
                },
                now,
            );
        }
    }
    site
}

fn frame(kind: u8, more: u8, marks: &[u8]) -> Vec<u8> {
    if kind == RAW {
        return marks.to_vec();
    }
    let mut frame = packet(kind, more).build();
    for mark in marks.chunks_exact(2) {
        let place = usize::from(mark[0]);
        if let Some(byte) = frame.get_mut(place) {
            *byte = mark[1];
        }
    }
    frame
}

fn packet(kind: u8, more: u8) -> Packet {
    let services = service_addresses();
    let to = services[usize::from(kind >> 3) % services.len()];
    let from = clients(4).into_iter().cycle().skip(more.into());
    let from: SocketAddr = from
        .take(16)
        .find(|client| client.is_ipv4() == to.is_ipv4())
        .expect("there are clients of both versions");
    match kind & 7 {
        0 => Packet::tcp(from, to, SYN),
        1 => Packet::tcp(from, to, ACK),
        2 => Packet::tcp(from, to, FIN | ACK),
        3 => Packet::tcp(from, to, RST),
        4 => Packet::udp(from, to),
        5 => Packet::sctp(from, to, more),
        6 => Packet::other(from, to, more),
        _ => Packet::tcp(to, from, ACK),
    }
}
