//! ICMP errors about packets in tunnels, and what clients get to see of them.

use rlvs_engine::destination::{Destination, Tunnel};
use rlvs_engine::frame::{Route, RouteKind};
use rlvs_engine::tables::interface;
use rlvs_engine::{Reason, Verdict};
use rlvs_testing::Packet;
use rlvs_testing::packet::{DIRECTOR, ETHERNET, SYN, checksum, icmp_error};

use crate::plane::{INTERFACE, Outcome, Plane, client, client6, vip, vip6};
use crate::tunnels::{ALL, IPIP, own, packets, shim, tunnelled};

/// The interface towards clients, and the router there.
const UPLINK: u32 = 9;
const TO_CLIENTS: [u8; 6] = [2, 0, 0, 0, 0, 0xee];

/// An error as a router sends it.
#[derive(Clone, Copy)]
struct Said {
    kind: u8,
    code: u8,
    rest: [u8; 4],
    /// How much of the packet outside is in it.
    kept: usize,
}

impl Said {
    const fn unreachable(outer6: bool) -> Self {
        let (kind, code) = if outer6 { (1, 0) } else { (3, 1) };
        Self {
            kind,
            code,
            rest: [0; 4],
            kept: 200,
        }
    }

    fn too_big(outer6: bool, mtu: u16) -> Self {
        let [a, b] = mtu.to_be_bytes();
        let (kind, code) = if outer6 { (2, 0) } else { (3, 4) };
        Self {
            kind,
            code,
            rest: [0, 0, a, b],
            kept: 200,
        }
    }

    /// About a frame that has left.
    fn about(self, frame: &[u8], outer6: bool) -> Vec<u8> {
        let router = if outer6 { client6(9) } else { client(9) };
        let ip = &frame[ETHERNET..];
        let ip = &ip[..ip.len().min(self.kept)];
        let header = [self.kind, self.code];
        icmp_error(router.ip(), own(outer6), header, self.rest, ip)
    }
}

fn plane(tunnel: Tunnel, outer6: bool) -> Plane {
    let plane = tunnelled(tunnel, outer6);
    plane.route(Route {
        kind: RouteKind::Known,
        interface: UPLINK,
        destination: interface::mac(TO_CLIENTS),
        source: interface::mac(DIRECTOR),
    });
    plane
}

/// What comes of an error about a packet that was sent before.
fn after(plane: &Plane, packet: &Packet, said: Said, outer6: bool) -> (Outcome, Vec<u8>) {
    let sent = plane.send(packet);
    assert_eq!(sent.verdict, Verdict::Transmit, "{:?}", sent.reason);
    plane.pass_ticks(1);
    let outcome = plane.send_frame(said.about(&sent.bytes, outer6), INTERFACE);
    (outcome, sent.bytes)
}

/// The error in a frame is from the virtual address to the client, whole, and about its packet.
fn check(outcome: &Outcome, packet: &Packet, header: [u8; 2], mtu: u32, sent: &[u8]) {
    assert_eq!(
        outcome.verdict,
        Verdict::Redirect(UPLINK),
        "{:?}",
        outcome.reason
    );
    let frame = &outcome.bytes;
    assert_eq!(
        (&frame[..6], &frame[6..12]),
        (&TO_CLIENTS[..], &DIRECTOR[..])
    );
    let is_four = packet.source.is_ipv4();
    let start = ETHERNET + if is_four { 28 } else { 48 };
    let about = &frame[start..];
    // As it was in the tunnel.
    assert_eq!(
        about,
        &sent[sent.len() - packet.ip_length()..][..about.len()]
    );
    assert_eq!(about.len(), (packet.ip_length() & !3).min(128));
    let expected = icmp_error(
        packet.destination.ip(),
        packet.source.ip(),
        header,
        mtu.to_be_bytes(),
        about,
    );
    let (ours, other) = (&frame[ETHERNET..], &expected[ETHERNET..]);
    if is_four {
        assert_eq!(checksum(&ours[..20]), 0);
        // Type of service, identification, time to live and checksum are the sender's.
        assert_eq!((&ours[2..4], ours[9]), (&other[2..4], other[9]));
        assert_eq!(ours[12..], other[12..]);
    } else {
        assert_eq!((&ours[4..7], &ours[8..]), (&other[4..7], &other[8..]));
    }
    assert_eq!(frame[12..14], expected[12..14]);
}

#[test]
fn who_is_not_reached_is_told_to_the_client() {
    for tunnel in ALL {
        for outer6 in [false, true] {
            let plane = plane(tunnel, outer6);
            for packet in packets() {
                let said = Said::unreachable(outer6);
                let (outcome, sent) = after(&plane, &packet, said, outer6);
                let same = packet.source.is_ipv6() == outer6;
                let header = match (packet.source.is_ipv4(), same) {
                    (_, true) => [said.kind, said.code],
                    (true, false) => [3, 1],
                    (false, false) => [1, 3],
                };
                check(&outcome, &packet, header, 0, &sent);
            }
        }
    }
}

#[test]
fn what_is_left_of_the_path_is_told_and_holds_for_others() {
    for tunnel in ALL {
        for outer6 in [false, true] {
            let plane = plane(tunnel, outer6);
            let [packet, _, packet6, _] = packets();
            for packet in [packet, packet6] {
                let said = Said::too_big(outer6, 1400);
                let (outcome, sent) = after(&plane, &packet, said, outer6);
                let most = 1400 - shim(tunnel) - if outer6 { 40 } else { 20 };
                let is_four = packet.source.is_ipv4();
                let header = if is_four { [3, 4] } else { [2, 0] };
                check(&outcome, &packet, header, most as u32, &sent);
                let large = most + 1 + packet.payload - packet.ip_length();
                let other = if is_four { client(77) } else { client6(77) };
                let vip = if is_four { vip(80) } else { vip6(80) };
                let large = Packet {
                    payload: large,
                    ..Packet::tcp(other, vip, SYN)
                };
                assert_eq!(plane.send(&large).reason, Some(Reason::TooLong));
                plane.pass_ticks(1);
            }
        }
    }
}

#[test]
fn errors_of_no_tunnel_pass() {
    let said = Said::unreachable(false);
    let packet = Packet::tcp(client(1), vip(80), SYN);
    let passes = |edit: &dyn Fn(&Plane, &mut Vec<u8>)| {
        let plane = plane(IPIP, false);
        let mut sent = plane.send(&packet).bytes;
        edit(&plane, &mut sent);
        let outcome = plane.send_frame(said.about(&sent, false), INTERFACE);
        assert_eq!(outcome.reason, Some(Reason::NotVirtual));
    };
    // To another real server, from another director.
    passes(&|_, sent| sent[ETHERNET + 19] ^= 1);
    passes(&|_, sent| sent[ETHERNET + 15] ^= 1);
    // Of another client.
    passes(&|_, sent| sent[ETHERNET + 20 + 15] ^= 1);
    passes(&|_, sent| sent[ETHERNET + 20 + 21] ^= 1);
    // By another tunnel, or none, since.
    passes(&|plane, _| {
        plane
            .destination(1)
            .tunnel
            .store(Tunnel::new(Tunnel::GRE, 0, 0).0)
    });
    passes(&|plane, _| plane.turn_off(1, Destination::METHODS));
    // Not enough of it.
    passes(&|_, sent| sent.truncate(ETHERNET + 28));
}

#[test]
fn what_concerns_the_packet_outside_alone_is_not_told() {
    for (kind, code) in [(4, 0), (12, 0)] {
        let said = Said {
            kind,
            code,
            ..Said::unreachable(false)
        };
        let packet = Packet::tcp(client(1), vip(80), SYN);
        let (outcome, _) = after(&plane(IPIP, false), &packet, said, false);
        assert_eq!(outcome.reason, Some(Reason::NotVirtual));
    }
}

#[test]
fn so_many_and_not_more() {
    let plane = plane(IPIP, false);
    let packet = Packet::tcp(client(1), vip(80), SYN);
    let (first, sent) = after(&plane, &packet, Said::unreachable(false), false);
    assert_eq!(first.verdict, Verdict::Redirect(UPLINK));
    let again = Said::unreachable(false).about(&sent, false);
    let outcome = plane.send_frame(again.clone(), INTERFACE);
    assert_eq!(outcome.reason, Some(Reason::TooManyErrors));
    plane.pass_ticks(1);
    let outcome = plane.send_frame(again, INTERFACE);
    assert_eq!(outcome.verdict, Verdict::Redirect(UPLINK));
}

#[test]
fn a_client_who_cannot_be_reached_is_not_told() {
    let packet = Packet::tcp(client(1), vip(80), SYN);
    for (kind, reason) in [
        (RouteKind::None, Reason::NoRoute),
        (RouteKind::Unresolved, Reason::Unresolved),
    ] {
        let plane = plane(IPIP, false);
        plane.route(Route {
            kind,
            ..Route::NONE
        });
        let (outcome, _) = after(&plane, &packet, Said::unreachable(false), false);
        assert_eq!(outcome.reason, Some(reason));
    }
}
