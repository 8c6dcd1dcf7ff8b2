//! Packets that are cut short, and headers that contradict themselves or their checksum.

use rlvs_engine::Reason::{HeaderChecksum, Malformed, NotIp, Truncated};
use rlvs_testing::Packet;
use rlvs_testing::packet::{Extension, Lie};

use super::{check, plain, query, query6, syn, syn6};
use crate::plane::{INTERFACE, Plane};

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
