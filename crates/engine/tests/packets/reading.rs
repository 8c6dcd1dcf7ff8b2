//! Which packets are taken, and why the others are not.

use rlvs_engine::Reason::{self, *};
use rlvs_engine::Verdict;
use rlvs_testing::Packet;
use rlvs_testing::packet::{ACK, DIRECTOR, Extension, FIN, Fragment, Lie, RST, SYN, Upper};

use crate::plane::{INTERFACE, Plane, client, client6, vip, vip6};

type Row = (&'static str, Packet, Option<Reason>);

/// Sends each packet to a data plane of its own.
fn check(rows: impl IntoIterator<Item = Row>) {
    for (what, packet, expected) in rows {
        let outcome = Plane::with_services().send(&packet);
        assert_eq!(outcome.reason, expected, "{what}: {packet:?}");
    }
}

fn syn() -> Packet {
    Packet::tcp(client(1), vip(80), SYN)
}

fn syn6() -> Packet {
    Packet::tcp(client6(1), vip6(80), SYN)
}

fn query() -> Packet {
    Packet {
        payload: 12,
        ..Packet::udp(client(1), vip(53))
    }
}

fn query6() -> Packet {
    Packet {
        payload: 12,
        ..Packet::udp(client6(1), vip6(53))
    }
}

/// All four, named.
fn plain() -> [(&'static str, Packet); 4] {
    [
        ("TCP/IPv4", syn()),
        ("TCP/IPv6", syn6()),
        ("UDP/IPv4", query()),
        ("UDP/IPv6", query6()),
    ]
}

#[test]
fn plain_packets_are_forwarded() {
    check(plain().map(|(what, packet)| (what, packet, None)));
}

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
fn ipv4_headers_of_any_length_are_read() {
    for options in 0..=10 {
        check([
            ("TCP", Packet { options, ..syn() }, None),
            ("UDP", Packet { options, ..query() }, None),
        ]);
    }
}

#[test]
fn tcp_headers_of_any_length_are_read() {
    for options in 0..=10 {
        for packet in [syn(), syn6()] {
            check([(
                "TCP",
                Packet {
                    upper: Upper::Tcp {
                        flags: SYN,
                        options,
                    },
                    ..packet
                },
                None,
            )]);
        }
    }
}

#[test]
fn extension_headers_are_walked() {
    use Extension::*;
    let each = [
        HopByHop(0),
        Routing(0),
        DestinationOptions(0),
        Authentication(1),
    ];
    for extension in each {
        for count in 1..=6 {
            let extensions = vec![extension; count];
            check([
                (
                    "TCP",
                    Packet {
                        extensions: extensions.clone(),
                        ..syn6()
                    },
                    None,
                ),
                (
                    "UDP",
                    Packet {
                        extensions,
                        ..query6()
                    },
                    None,
                ),
            ]);
        }
        let extensions = vec![extension; 7];
        check([(
            "too many",
            Packet {
                extensions,
                ..syn6()
            },
            Some(Extensions),
        )]);
    }
    let all = vec![
        HopByHop(3),
        DestinationOptions(1),
        Routing(2),
        Authentication(4),
    ];
    check([
        (
            "one of each",
            Packet {
                extensions: all.clone(),
                ..syn6()
            },
            None,
        ),
        (
            "one of each",
            Packet {
                extensions: all,
                ..query6()
            },
            None,
        ),
        (
            "the longest",
            Packet {
                extensions: vec![HopByHop(255)],
                ..syn6()
            },
            None,
        ),
    ]);
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
fn fragments_are_read_where_the_ports_are() {
    let first = Fragment {
        offset: 0,
        more: true,
    };
    let parts = [
        ("first", first, None),
        (
            "middle",
            Fragment { offset: 5, ..first },
            Some(Reason::FragmentUnknown),
        ),
        (
            "last",
            Fragment {
                offset: 0x1fff,
                more: false,
            },
            Some(Reason::FragmentUnknown),
        ),
    ];
    for (what, fragment, reason) in parts {
        for (_, packet) in plain() {
            let fragment = Some(fragment);
            let packet = Packet { fragment, ..packet };
            check([(what, packet.clone(), reason)]);
            if packet.source.is_ipv6() {
                let extensions = vec![Extension::HopByHop(0)];
                let packet = Packet {
                    extensions,
                    ..packet
                };
                check([(what, packet, reason)]);
            }
        }
    }
    // Neither an offset nor more: that is no fragment, in IPv6 an "atomic" one.
    let fragment = Some(Fragment {
        offset: 0,
        more: false,
    });
    for (what, packet) in plain() {
        check([(what, Packet { fragment, ..packet }, None)]);
    }
}

#[test]
fn a_first_fragment_may_promise_more_than_it_has() {
    let fragment = Some(Fragment {
        offset: 0,
        more: true,
    });
    for packet in [query(), query6()] {
        let whole = packet.clone().lying(Lie::UdpLength(8000));
        let first = Packet {
            fragment,
            ..whole.clone()
        };
        check([("whole", whole, Some(Malformed)), ("first", first, None)]);
    }
}

#[test]
fn a_cut_packet_passes_wherever_it_is_cut() {
    for (what, packet) in plain() {
        let all = packet.build().len();
        for cut in 0..all {
            let outcome = Plane::with_services().send(&Packet {
                cut: Some(cut),
                ..packet.clone()
            });
            let expected = if cut < 14 { NotIp } else { Truncated };
            assert_eq!(outcome.reason, Some(expected), "{what} of {cut} bytes");
        }
        check([(
            what,
            Packet {
                cut: Some(all),
                ..packet
            },
            None,
        )]);
    }
}

#[test]
fn cut_extension_headers_pass() {
    let extensions = vec![Extension::HopByHop(1), Extension::Authentication(3)];
    let packet = Packet {
        extensions,
        ..query6()
    };
    for cut in 14..packet.build().len() {
        check([(
            "cut",
            Packet {
                cut: Some(cut),
                ..packet.clone()
            },
            Some(Truncated),
        )]);
    }
}

#[test]
fn wrong_lengths_are_found() {
    for (what, packet) in plain() {
        let lie = |by| packet.clone().lying(Lie::Length(by));
        let padded = |by| Packet {
            padding: 4,
            ..lie(by)
        };
        check([
            (what, lie(1), Some(Truncated)),
            (what, lie(1000), Some(Truncated)),
            (what, padded(5), Some(Truncated)),
        ]);
    }
    // Padding is not the packet's, but a length may claim it.
    check([
        (
            "padding",
            Packet {
                padding: 6,
                ..syn()
            },
            None,
        ),
        (
            "padding",
            Packet {
                padding: 6,
                ..query6()
            },
            None,
        ),
        (
            "claimed",
            Packet {
                padding: 6,
                ..syn().lying(Lie::Length(6))
            },
            None,
        ),
        (
            "no room for TCP",
            syn().lying(Lie::Length(-1)),
            Some(Truncated),
        ),
        (
            "no room for TCP",
            syn6().lying(Lie::Length(-1)),
            Some(Truncated),
        ),
        (
            "no room for TCP",
            syn6().lying(Lie::Length(-20)),
            Some(Truncated),
        ),
        (
            "UDP longer than the packet",
            query().lying(Lie::Length(-1)),
            Some(Malformed),
        ),
        (
            "UDP longer than the packet",
            query6().lying(Lie::Length(-1)),
            Some(Malformed),
        ),
        (
            "no room for UDP",
            query().lying(Lie::Length(-13)),
            Some(Truncated),
        ),
        (
            "no room for UDP",
            query6().lying(Lie::Length(-13)),
            Some(Truncated),
        ),
        (
            "no room for IPv4",
            syn().lying(Lie::Length(-21)),
            Some(Malformed),
        ),
        (
            "no length at all",
            syn().lying(Lie::Length(-40)),
            Some(Malformed),
        ),
        (
            "no room for the extension",
            Packet {
                extensions: vec![Extension::Routing(1)],
                ..syn6()
            }
            .lying(Lie::Length(-21)),
            Some(Malformed),
        ),
    ]);
}

#[test]
fn headers_that_contradict_themselves_pass() {
    for version in [0, 4, 5, 6, 7, 15] {
        let lie = Lie::Version(version);
        check([
            (
                "IPv4",
                syn().lying(lie),
                (version != 4).then_some(Malformed),
            ),
            (
                "IPv6",
                syn6().lying(lie),
                (version != 6).then_some(Malformed),
            ),
        ]);
    }
    for words in 0..5 {
        check([(
            "IPv4",
            syn().lying(Lie::HeaderLength(words)),
            Some(Malformed),
        )]);
    }
    for words in 0..16 {
        let expected = (words != 5).then_some(Malformed);
        check([
            ("TCP/IPv4", syn().lying(Lie::DataOffset(words)), expected),
            ("TCP/IPv6", syn6().lying(Lie::DataOffset(words)), expected),
        ]);
    }
    // Its payload is 12 bytes: UDP may claim less of the packet, never more.
    for length in [0, 1, 7, 8, 19, 20, 21, 0xffff] {
        let expected = (!(8..=20).contains(&length)).then_some(Malformed);
        check([
            ("UDP/IPv4", query().lying(Lie::UdpLength(length)), expected),
            ("UDP/IPv6", query6().lying(Lie::UdpLength(length)), expected),
        ]);
    }
    let extensions = vec![Extension::HopByHop(0), Extension::Routing(0)];
    let lie = Lie::ExtensionLength(200);
    check([(
        "extension",
        Packet {
            extensions,
            ..syn6()
        }
        .lying(lie),
        Some(Malformed),
    )]);
}

#[test]
fn header_checksums_are_verified() {
    for bit in 0..16 {
        for options in [0, 1, 10] {
            let lie = Lie::HeaderChecksum(bit);
            check([
                (
                    "TCP",
                    Packet { options, ..syn() }.lying(lie),
                    Some(HeaderChecksum),
                ),
                (
                    "UDP",
                    Packet { options, ..query() }.lying(lie),
                    Some(HeaderChecksum),
                ),
            ]);
        }
    }
    // A changed byte of the options counts as well.
    let mut frame = Packet {
        options: 2,
        ..syn()
    }
    .build();
    frame[37] ^= 0x40;
    let outcome = Plane::with_services().send_frame(frame, INTERFACE);
    assert_eq!(outcome.reason, Some(HeaderChecksum));
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

#[test]
fn tables_that_contradict_themselves_are_reported() {
    let plane = Plane::with_services();
    plane.service(0, vip(80), 6, rlvs_engine::schedule::Scheduler::Rr);
    let key = rlvs_engine::service::ServiceKey::new([192, 0, 2, 80], 80u16.to_be_bytes(), 6);
    plane.memory.v4.set_service(key, Some(9999));
    let outcome = plane.send(&syn());
    assert_eq!(
        (outcome.verdict, outcome.reason),
        (Verdict::Drop, Some(Internal))
    );
}

#[test]
fn names_and_verdicts_are_told_apart() {
    let names: std::collections::HashSet<_> = Reason::ALL.iter().map(|it| it.name()).collect();
    assert_eq!(names.len(), Reason::ALL.len());
    for (place, &reason) in Reason::ALL.iter().enumerate() {
        assert_eq!(Reason::from_bits(place as u8), reason);
        assert!(!reason.meaning().is_empty());
        assert!(matches!(reason.verdict(), Verdict::Pass | Verdict::Drop));
    }
}
