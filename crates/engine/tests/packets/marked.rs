//! Packets with the firewall marks of services.

use std::net::SocketAddr;

use rlvs_engine::frame::Route;
use rlvs_engine::memory::Bytes;
use rlvs_engine::process::process;
use rlvs_engine::schedule::Scheduler;
use rlvs_engine::service::{ServiceKey, filter};
use rlvs_engine::sysctl::Sysctl;
use rlvs_engine::{Family, Frame, Reason, V4, V6, Verdict, marked};
use rlvs_testing::Packet;
use rlvs_testing::packet::{ACK, SYN};

use crate::plane::{INTERFACE, Plane, client, client6, vip, vip6};

/// The interface that marked packets are handed to.
const DEVICE: u32 = 9;
const WHOLE: [u8; 16] = [255; 16];

/// A plane whose services 0 and 1, of IPv4 and IPv6, have mark 7, with two destinations each.
fn marked() -> Plane {
    let plane = Plane::new();
    plane.mark(0, false, 7, Scheduler::Rr);
    plane.members(0, &[(1, 1), (1, 2)]);
    plane.mark(1, true, 7, Scheduler::Rr);
    plane.members(1, &[(1, 3), (1, 4)]);
    plane
}

/// What becomes of a packet that comes by its mark; the destination it goes to.
fn send(plane: &Plane, packet: &Packet, mark: u32) -> (Verdict, Option<u32>) {
    let mut frame = Bytes {
        led: Some(mark),
        route: Route::NONE,
        ..Bytes::received(packet.build(), DEVICE)
    };
    let verdict = process(&mut frame, &plane.memory);
    let is_sent = matches!(verdict, Verdict::Redirect(out) if out == INTERFACE);
    (verdict, is_sent.then(|| u32::from(frame.bytes[5])))
}

fn syn(plane: &Plane, from: SocketAddr, to: SocketAddr, mark: u32) -> Option<u32> {
    send(plane, &Packet::tcp(from, to, SYN), mark).1
}

fn shown<F: Family>(plane: &Plane, address: F::Address) -> bool {
    let (word, bit) = filter::place::<F>(address);
    plane.memory.filter[word as usize].load() & bit != 0
}

#[test]
fn the_mark_alone_names_the_service() {
    let plane = marked();
    // Any address, any port, any MAC address.
    for (number, to) in [vip(80), vip(9), SocketAddr::from(([203, 0, 113, 9], 443))]
        .into_iter()
        .enumerate()
    {
        let from = client(number as u16);
        assert_eq!(
            syn(&plane, from, to, 7),
            Some(1 + number as u32 % 2),
            "{to}"
        );
    }
    assert_eq!(syn(&plane, client6(1), vip6(80), 7), Some(3));
    let unknown = Packet::tcp(client(9), vip(80), SYN);
    assert_eq!(send(&plane, &unknown, 8), (Verdict::Pass, None));
    assert_eq!(plane.memory.counted(Reason::NoService), 1);
}

#[test]
fn without_a_destination_packets_may_go_on() {
    let plane = marked();
    plane.members(0, &[(0, 1)]);
    let packet = Packet::tcp(client(1), vip(80), SYN);
    assert_ne!(send(&plane, &packet, 7).0, Verdict::Pass);
    plane.sysctl(Sysctl::CacheBypass, 1);
    assert_eq!(send(&plane, &packet, 7), (Verdict::Pass, None));
    assert_eq!(plane.memory.counted(Reason::Bypassed), 1);
    plane.service(2, vip(80), rlvs_testing::packet::TCP, Scheduler::Rr);
    assert_ne!(plane.send(&packet).verdict, Verdict::Pass, "not by a mark");
}

#[test]
fn the_mark_comes_before_the_address() {
    let plane = marked();
    plane.service(2, vip(80), rlvs_testing::packet::TCP, Scheduler::Rr);
    plane.members(2, &[(1, 5)]);
    assert_eq!(syn(&plane, client(1), vip(80), 7), Some(1));
    assert_eq!(plane.tcp(2, &[SYN]), Some(5));
}

/// Where the kernel's routing leads first packets to, no address service takes one that is yet to
/// get its mark.
#[test]
fn a_service_waits_where_marks_are_not_seen() {
    let plane = marked();
    for (index, service, to) in [(0, 2, vip(80)), (1, 3, vip6(80))] {
        let client = |port| match to.is_ipv4() {
            true => client(port),
            false => client6(port),
        };
        let packet = |port, flags| Packet::tcp(client(port), to, flags);
        plane.service(service, to, rlvs_testing::packet::TCP, Scheduler::Rr);
        plane.members(service, &[(1, 3 + service)]);
        plane.memory.settings.led[index].store(1);
        let waits = plane.send(&packet(1, SYN));
        assert_eq!(
            (waits.verdict, waits.reason),
            (Verdict::Pass, Some(Reason::MarkFirst))
        );
        // Without a mark, or with one that is no service's, it is the address's.
        assert_eq!(send(&plane, &packet(1, SYN), 0).1, Some(3 + service));
        assert_eq!(send(&plane, &packet(2, SYN), 99).1, Some(3 + service));
        // What has begun is followed where it comes in; what begins nothing never waits.
        assert_eq!(plane.send(&packet(1, ACK)).to(), Some(3 + service));
        let stale = plane.send(&packet(3, ACK));
        assert_eq!(stale.reason, Some(Reason::NoConnection));
    }
}

#[test]
fn its_connections_are_followed_where_they_come_in() {
    let plane = marked();
    assert!(!shown::<V4>(&plane, [192, 0, 2, 80]));
    let packet = Packet::tcp(client(1), vip(80), SYN);
    assert_eq!(plane.send(&packet).reason, Some(Reason::NotVirtual));
    assert_eq!(send(&plane, &packet, 7).1, Some(1));
    assert!(shown::<V4>(&plane, [192, 0, 2, 80]));
    assert_eq!(plane.tcp(1, &[ACK, ACK]), Some(1));
    let to6 = Packet::tcp(client6(1), vip6(80), ACK);
    assert_eq!(syn(&plane, client6(1), vip6(80), 7), Some(3));
    assert!(shown::<V6>(
        &plane,
        [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80]
    ));
    assert_eq!(plane.send(&to6).to(), Some(3));
    // Another's is not begun there.
    assert_eq!(
        plane.send(&Packet::tcp(client(2), vip(80), SYN)).reason,
        Some(Reason::NoService)
    );
    // And what begins none passes here as well.
    let stale = Packet::tcp(client(2), vip(80), ACK);
    assert_eq!(send(&plane, &stale, 7).0, Verdict::Pass);
}

#[test]
fn persistence_is_the_marks_for_all_addresses_and_ports() {
    let plane = marked();
    plane.persistent(0, 360, WHOLE);
    let first = syn(&plane, client(1), vip(80), 7);
    for (number, to) in [vip(443), vip(21), SocketAddr::from(([203, 0, 113, 9], 80))]
        .into_iter()
        .enumerate()
    {
        assert_eq!(syn(&plane, client(2 + number as u16), to, 7), first, "{to}");
    }
    let templates = plane.entries();
    let templates: Vec<_> = templates
        .iter()
        .filter(|(.., it)| it.is_template())
        .collect();
    assert_eq!(templates.len(), 1);
    let other = SocketAddr::from(([198, 51, 100, 2], 1));
    assert_ne!(syn(&plane, other, vip(80), 7), first);
    assert_eq!(plane.memory.loads[1].persistent.load(), 1);
    // When all has ended, nothing is left of it.
    plane.pass_seconds(100_000);
    plane.sweep();
    plane.pass_seconds(100_000);
    plane.sweep();
    plane.assert_empty();
}

#[test]
fn without_a_destination_its_sender_is_told() {
    let plane = marked();
    plane.members(0, &[]);
    plane.pass_ticks(1);
    let packet = Packet::tcp(client(1), vip(80), SYN);
    assert_eq!(send(&plane, &packet, 7).0, Verdict::Redirect(DEVICE));
    assert_eq!(plane.memory.counted(Reason::NoDestination), 1);
}

#[test]
fn a_hop_that_is_given_back_was_not_counted() {
    for packet in [
        Packet::tcp(client(1), vip(80), SYN),
        Packet::tcp(client6(1), vip6(80), SYN),
    ] {
        let before = packet.build();
        let forwarded = Packet {
            hops: packet.hops - 1,
            ..packet
        };
        let mut frame = Bytes::received(forwarded.build(), DEVICE);
        assert_eq!(marked::give_back_hop(&mut frame), Some(()));
        assert_eq!(frame.bytes, before);
    }
    let mut other = Bytes::received(vec![0; 64], DEVICE);
    assert_eq!(marked::give_back_hop(&mut other), None);
    assert_eq!(other.mark(), 0);
}

#[test]
fn marks_are_no_addresses() {
    let mark = ServiceKey::of_mark::<V4>(0xc000_0250);
    assert_eq!(mark.address, [192, 0, 2, 80]);
    assert_ne!(mark, ServiceKey::new([192, 0, 2, 80], [0, 0], 6));
}
