//! What goes through a tunnel, byte for byte.

use std::net::{IpAddr, SocketAddr};

use proptest::prelude::*;
use rlvs_engine::destination::{Destination, Tunnel};
use rlvs_engine::forward::Method;
use rlvs_engine::service::store_octets;
use rlvs_engine::{Reason, Verdict};
use rlvs_testing::packet::{ACK, DIRECTOR, ETHERNET, SYN, UDP, checksum, icmp_error};
use rlvs_testing::{Packet, packet};

use crate::plane::{Plane, client, client6, mac, vip, vip6};

const PORT: u16 = 6080;
pub(crate) const IPIP: Tunnel = Tunnel::new(Tunnel::IPIP, 0, 0);
const GRE: Tunnel = Tunnel::new(Tunnel::GRE, 0, 0);
const GRE_SUMMED: Tunnel = Tunnel::new(Tunnel::GRE, Tunnel::CHECKSUM, 0);
const GUE: Tunnel = Tunnel::new(Tunnel::GUE, 0, PORT);
const GUE_SUMMED: Tunnel = Tunnel::new(Tunnel::GUE, Tunnel::CHECKSUM, PORT);
const GUE_REMOTE: Tunnel = Tunnel::new(Tunnel::GUE, Tunnel::REMOTE_CHECKSUM, PORT);
pub(crate) const ALL: [Tunnel; 6] = [IPIP, GRE, GRE_SUMMED, GUE, GUE_SUMMED, GUE_REMOTE];

/// The services of [`Plane::with_services`], their destination behind a tunnel.
pub(crate) fn tunnelled(tunnel: Tunnel, outer6: bool) -> Plane {
    let plane = Plane::with_services();
    let record = plane.destination(1);
    store_octets(&record.address, octets(real(outer6)));
    store_octets(&record.outer_source, octets(own(outer6)));
    record.tunnel.store(tunnel.0);
    record.mtu.store(1500);
    let family = if outer6 { Destination::IPV6 } else { 0 };
    plane.turn_on(1, Destination::with_method(Method::Tunnel) | family);
    plane
}

fn real(six: bool) -> IpAddr {
    match six {
        true => [0x2001, 0xdb8, 0, 0xa, 0, 0, 0, 1].into(),
        false => [10, 0, 0, 1].into(),
    }
}

pub(crate) fn own(six: bool) -> IpAddr {
    match six {
        true => [0x2001, 0xdb8, 0, 0xa, 0, 0, 0, 0xfe].into(),
        false => [10, 0, 0, 254].into(),
    }
}

fn octets(address: IpAddr) -> [u8; 16] {
    let mut octets = [0; 16];
    match address {
        IpAddr::V4(address) => octets[..4].copy_from_slice(&address.octets()),
        IpAddr::V6(address) => octets = address.octets(),
    }
    octets
}

/// The sum over a packet's addresses and what a transport header adds to that.
fn pseudo(ip: &[u8], protocol: u8, length: usize) -> Vec<u8> {
    let addresses = if ip[0] >> 4 == 4 {
        &ip[12..20]
    } else {
        &ip[8..40]
    };
    let length = (length as u16).to_be_bytes();
    [addresses, &[0, protocol], &length].concat()
}

/// A packet as it leaves by any method: one hop less.
fn one_hop_on(ip: &[u8]) -> Vec<u8> {
    let mut ip = ip.to_vec();
    if ip[0] >> 4 == 6 {
        ip[7] -= 1;
        return ip;
    }
    ip[8] -= 1;
    let length = usize::from(ip[0] & 15) * 4;
    ip[10..12].fill(0);
    let sum = checksum(&ip[..length]);
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    ip
}

/// Length of what is between the two IP headers.
pub(crate) fn shim(tunnel: Tunnel) -> usize {
    match (tunnel.kind(), tunnel.is_summed()) {
        (Tunnel::IPIP, _) => 0,
        (Tunnel::GRE, false) => 4,
        (Tunnel::GRE, true) => 8,
        _ => 12,
    }
}

/// What is to be around `inner`, written down anew; checksums and the port of GUE's sender are
/// checked on their own.
pub(crate) fn outside(inner: &[u8], tunnel: Tunnel, outer6: bool) -> Vec<u8> {
    let is_six = inner[0] >> 4 == 6;
    let (own, real) = (octets(own(outer6)), octets(real(outer6)));
    let shim = shim(tunnel);
    let number = if is_six { 41 } else { 4 };
    let protocol = match tunnel.kind() {
        Tunnel::IPIP => number,
        Tunnel::GRE => 47,
        _ => 17,
    };
    let (class, hops) = match is_six {
        true => (inner[0] << 4 | inner[1] >> 4, inner[7]),
        false => (inner[1], inner[8]),
    };
    let class = if class & 3 == 3 { class - 1 } else { class };
    let length = (inner.len() + shim) as u16;
    let mut out = Vec::new();
    if outer6 {
        out.extend([0x60 | class >> 4, class << 4, 0, 0]);
        out.extend(length.to_be_bytes());
        out.extend([protocol, hops]);
        out.extend(own.iter().chain(&real));
    } else {
        out.extend([0x45, class]);
        out.extend((length + 20).to_be_bytes());
        match is_six {
            true => out.extend([0, 0, 0, 0]),
            false => out.extend([inner[4], inner[5], inner[6] & 0x40, 0]),
        }
        out.extend([hops, protocol, 0, 0]);
        out.extend(own[..4].iter().chain(&real[..4]));
        let sum = checksum(&out);
        out[10..12].copy_from_slice(&sum.to_be_bytes());
    }
    let ethertype: [u8; 2] = if is_six { [0x86, 0xdd] } else { [8, 0] };
    match tunnel.kind() {
        Tunnel::IPIP => {}
        Tunnel::GRE => {
            out.extend(if tunnel.is_summed() {
                [0x80, 0]
            } else {
                [0, 0]
            });
            out.extend(ethertype);
            out.resize(out.len() + shim - 4, 0);
        }
        _ => {
            out.extend([0, 0]);
            out.extend(PORT.to_be_bytes());
            out.extend(length.to_be_bytes());
            out.extend([0, 0, 0, number, 0, 0]);
        }
    }
    out
}

/// Takes the tunnel's own checksum and port out of a packet, after they have proven right.
fn check_sums(ip: &mut [u8], tunnel: Tunnel, has_sum: bool) {
    let at = if ip[0] >> 4 == 4 { 20 } else { 40 };
    match tunnel.kind() {
        Tunnel::GRE if has_sum => {
            assert_eq!(checksum(&ip[at..]), 0, "GRE's checksum");
            ip[at + 4..at + 6].fill(0);
        }
        Tunnel::GUE => {
            let port = u16::from_be_bytes([ip[at], ip[at + 1]]);
            assert!(port >= 0xc000, "{port}");
            assert_eq!(ip[at + 6..at + 8] != [0, 0], has_sum);
            if has_sum {
                let mut all = pseudo(ip, UDP, ip.len() - at);
                all.extend(&ip[at..]);
                assert_eq!(checksum(&all), 0, "UDP's checksum");
            }
            ip[at..at + 2].fill(0);
            ip[at + 6..at + 8].fill(0);
        }
        _ => {}
    }
}

fn check(plane: &Plane, frame: Vec<u8>, tunnel: Tunnel, outer6: bool) {
    let padded = frame.clone();
    let outcome = plane.send_frame(frame, crate::plane::INTERFACE);
    assert_eq!(outcome.verdict, Verdict::Transmit, "{:?}", outcome.reason);
    let mut bytes = outcome.bytes;
    assert_eq!(bytes[..6], mac(1));
    assert_eq!(bytes[6..12], DIRECTOR);
    let ethertype = if outer6 { [0x86, 0xdd] } else { [8, 0] };
    assert_eq!(bytes[12..14], ethertype);
    check_sums(&mut bytes[ETHERNET..], tunnel, tunnel.is_summed());
    let inner = one_hop_on(&padded[ETHERNET..]);
    let expected = [outside(&inner, tunnel, outer6), inner].concat();
    assert_eq!(bytes[ETHERNET..], expected);
}

pub(crate) fn packets() -> [Packet; 4] {
    let payload = 33;
    [
        Packet {
            payload,
            ..Packet::tcp(client(1), vip(80), SYN)
        },
        Packet {
            payload,
            options: 3,
            ..Packet::udp(client(1), vip(53))
        },
        Packet {
            payload,
            ..Packet::tcp(client6(1), vip6(80), SYN)
        },
        Packet {
            payload,
            ..Packet::udp(client6(1), vip6(53))
        },
    ]
}

#[test]
fn every_tunnel_carries_every_packet() {
    for tunnel in ALL {
        for outer6 in [false, true] {
            let plane = tunnelled(tunnel, outer6);
            for packet in packets() {
                check(&plane, packet.build_summed(), tunnel, outer6);
            }
        }
    }
}

#[test]
fn errors_about_answers_are_summed_outside() {
    for tunnel in ALL {
        for outer6 in [false, true] {
            let plane = tunnelled(tunnel, outer6);
            let ends = [(client(1), vip(80)), (client6(1), vip6(80))];
            for (client, vip) in ends {
                plane.send(&Packet::tcp(client, vip, SYN));
                let about = Packet::tcp(vip, client, ACK).build_summed();
                let header = if client.is_ipv4() { [3, 3] } else { [1, 4] };
                let about = &about[ETHERNET..];
                let error = icmp_error(client.ip(), vip.ip(), header, [0; 4], about);
                check(&plane, error, tunnel, outer6);
            }
        }
    }
}

proptest! {
    #[test]
    fn checksums_outside_are_right(
        port in 1u16..,
        hops in 2u8..,
        payload in 0usize..1300,
        class in any::<u8>(),
        place in 0..ALL.len(),
        outer6 in any::<bool>(),
        inner6 in any::<bool>(),
    ) {
        let (client, vip) = match inner6 {
            true => (SocketAddr::new(client6(0).ip(), port), vip6(80)),
            false => (SocketAddr::new(client(0).ip(), port), vip(80)),
        };
        let packet = Packet { hops, payload, ..Packet::tcp(client, vip, SYN) };
        let mut frame = packet.build_summed();
        let ip = &mut frame[ETHERNET..];
        if inner6 {
            ip[0] = 0x60 | class >> 4;
            ip[1] = class << 4;
        } else {
            ip[1] = class;
            ip[10..12].fill(0);
            let sum = checksum(&ip[..20]);
            ip[10..12].copy_from_slice(&sum.to_be_bytes());
        }
        check(&tunnelled(ALL[place], outer6), frame, ALL[place], outer6);
    }
}

#[test]
fn without_a_checksum_inside_there_is_none_outside() {
    for tunnel in [GRE_SUMMED, GUE_SUMMED, GUE_REMOTE] {
        let mut frame = Packet::udp(client(1), vip(53)).build();
        frame[ETHERNET + 26..ETHERNET + 28].fill(0);
        let outcome = tunnelled(tunnel, false).send_frame(frame, crate::plane::INTERFACE);
        assert_eq!(outcome.verdict, Verdict::Transmit);
        let unsummed = Tunnel::new(tunnel.kind(), 0, tunnel.port());
        let mut ip = outcome.bytes[ETHERNET..].to_vec();
        check_sums(&mut ip, unsummed, false);
        let inner = 20 + if tunnel.kind() == Tunnel::GRE { 4 } else { 12 };
        assert_eq!(ip[..inner], outside(&ip[inner..], unsummed, false));
    }
}

#[test]
fn who_sends_too_much_is_told_how_much_fits() {
    for tunnel in ALL {
        for outer6 in [false, true] {
            let plane = tunnelled(tunnel, outer6);
            let header = if outer6 { 40 } else { 20 };
            let most = 1500 - header - shim(tunnel);
            for packet in packets() {
                let fits = packet.payload + most - packet.ip_length();
                let full = Packet {
                    payload: fits,
                    ..packet.clone()
                };
                assert_eq!(plane.send(&full).verdict, Verdict::Transmit);
                plane.pass_ticks(1);
                let outcome = plane.send(&Packet {
                    payload: fits + 1,
                    ..packet
                });
                assert_eq!(outcome.reason, Some(Reason::TooLong));
                let told = outcome.told.expect("its sender is told");
                check_told(&told, most);
            }
        }
    }
}

/// "Fragmentation needed", or "packet too big".
fn check_told(told: &[u8], most: usize) {
    let ip = &told[ETHERNET..];
    let (at, kind, mtu) = match ip[0] >> 4 {
        4 => (20, [3, 4], u32::from(u16::from_be_bytes([ip[26], ip[27]]))),
        _ => (
            40,
            [2, 0],
            u32::from_be_bytes([ip[44], ip[45], ip[46], ip[47]]),
        ),
    };
    assert_eq!((&ip[at..at + 2], mtu as usize), (&kind[..], most));
}

#[test]
fn without_an_address_of_its_own_it_sends_nothing() {
    let plane = tunnelled(IPIP, false);
    store_octets(&plane.destination(1).outer_source, [0; 16]);
    let outcome = plane.send(&packet::Packet::tcp(client(1), vip(80), SYN));
    assert_eq!(outcome.reason, Some(Reason::Unresolved));
}
