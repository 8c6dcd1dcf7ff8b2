//! Headers as long as they may be, and IPv6's extension headers.

use rlvs_engine::Reason::Extensions;
use rlvs_testing::Packet;
use rlvs_testing::packet::{Extension, SYN, Upper};

use super::{check, query, query6, syn, syn6};

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
