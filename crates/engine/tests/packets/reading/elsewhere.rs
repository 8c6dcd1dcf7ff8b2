//! Packets that are nothing for a service: other protocols, other hosts, other addresses and ports.

use rlvs_engine::Reason::{
    NoConnection, NoService, NotIp, NotVirtual, OtherHost, Protocol, Tagged,
};
use rlvs_testing::Packet;
use rlvs_testing::packet::{ACK, DIRECTOR, Extension, FIN, RST, SYN};

use super::{check, plain};
use crate::plane::{INTERFACE, Plane, client, client6, vip, vip6};

#[test]
fn what_is_not_ip_passes() {
    for (what, packet) in plain() {
        check([
            (
                what,
                Packet {
                    ethertype: Some(0x0806),
                    ..packet.clone()
                },
                Some(NotIp),
            ),
            (
                what,
                Packet {
                    ethertype: Some(0x8847),
                    ..packet.clone()
                },
                Some(NotIp),
            ),
            // An IEEE 802.3 length.
            (
                what,
                Packet {
                    ethertype: Some(46),
                    ..packet.clone()
                },
                Some(NotIp),
            ),
            (
                what,
                Packet {
                    vlan: Some(0),
                    ..packet.clone()
                },
                Some(Tagged),
            ),
            (
                what,
                Packet {
                    vlan: Some(100),
                    ..packet.clone()
                },
                Some(Tagged),
            ),
            (
                what,
                Packet {
                    cut: Some(13),
                    ..packet.clone()
                },
                Some(NotIp),
            ),
            (
                what,
                Packet {
                    cut: Some(0),
                    ..packet
                },
                Some(NotIp),
            ),
        ]);
    }
}

#[test]
fn other_protocols_pass() {
    for number in [1, 2, 4, 41, 47, 136] {
        check([(
            "IPv4",
            Packet::other(client(1), vip(80), number),
            Some(Protocol),
        )]);
    }
    for number in [1, 4, 41, 58, 59, 135, 136] {
        let packet = Packet::other(client6(1), vip6(80), number);
        let behind = Packet {
            extensions: vec![Extension::HopByHop(0)],
            ..packet.clone()
        };
        check([
            ("IPv6", packet, Some(Protocol)),
            ("with extension", behind, Some(Protocol)),
        ]);
    }
}

#[test]
fn what_is_sent_elsewhere_passes() {
    let other = "203.0.113.9:80".parse().unwrap();
    let other6 = "[2001:db8:9::9]:80".parse().unwrap();
    check([
        (
            "other address",
            Packet::tcp(client(1), other, SYN),
            Some(NotVirtual),
        ),
        (
            "other address",
            Packet::tcp(client6(1), other6, SYN),
            Some(NotVirtual),
        ),
        ("ICMP", Packet::other(client(1), other, 1), Some(NotVirtual)),
        (
            "ICMPv6",
            Packet::other(client6(1), other6, 58),
            Some(NotVirtual),
        ),
        (
            "no service there",
            Packet::tcp(client(1), vip(81), SYN),
            Some(NoService),
        ),
        (
            "a service of UDP",
            Packet::tcp(client(1), vip(53), SYN),
            Some(NoService),
        ),
        (
            "a service of TCP",
            Packet::udp(client(1), vip(80)),
            Some(NoService),
        ),
        (
            "no service there",
            Packet::tcp(client6(1), vip6(81), SYN),
            Some(NoService),
        ),
    ]);
}

#[test]
fn frames_to_other_hosts_pass() {
    for (what, packet) in plain() {
        for to in [
            [0xff; 6],
            [0x02, 0, 0, 0, 0, 0xd2],
            [0x01, 0, 0x5e, 0, 0, 1],
        ] {
            check([(
                what,
                Packet {
                    to,
                    ..packet.clone()
                },
                Some(OtherHost),
            )]);
        }
        let plane = Plane::with_services();
        // An index that shares its slot with the director's interface, and one that does not.
        for interface in [INTERFACE + 1024, INTERFACE + 1] {
            let outcome = plane.send_frame(packet.build(), interface);
            assert_eq!(
                outcome.reason,
                Some(OtherHost),
                "{what} on interface {interface}"
            );
        }
        assert_eq!(packet.to, DIRECTOR);
    }
}

#[test]
fn only_a_syn_begins_a_tcp_connection() {
    for flags in 0..=0x3f {
        let begins = flags & (SYN | RST) == SYN;
        let expected = (!begins).then_some(NoConnection);
        check([
            ("IPv4", Packet::tcp(client(1), vip(80), flags), expected),
            ("IPv6", Packet::tcp(client6(1), vip6(80), flags), expected),
        ]);
    }
    // To a port without a service too: the stack answers.
    for flags in [ACK, FIN | ACK, RST] {
        check([(
            "no service",
            Packet::tcp(client(1), vip(81), flags),
            Some(NoConnection),
        )]);
    }
}
