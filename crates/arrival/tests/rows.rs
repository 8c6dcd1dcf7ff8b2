//! Packets by their bytes, and what is said of each.

mod frame;

use frame::{Bytes, four, gre, gue, six, udp};
use rlvs_arrival::{Count, Found, IP, Kind, Settings, address::mapped, concerns, inspect};

const VIP4: [u8; 4] = [192, 0, 2, 100];
const ALL: [Kind; 3] = [Kind::Ipip, Kind::Gre, Kind::Gue];

/// What is inside: a packet without content.
fn inner4() -> Vec<u8> {
    four(17, &[0; 8], &[])
}

fn inner6() -> Vec<u8> {
    six(17, &[0; 8])
}

/// A change of one byte, counted from the outer IP header.
fn with(mut packet: Vec<u8>, at: usize, byte: u8) -> Vec<u8> {
    packet[at] = byte;
    packet
}

fn look(packet: &[u8]) -> Result<Found, Count> {
    inspect(&Bytes::of(packet), false)
}

fn is_taken(packet: &[u8], settings: Settings) -> bool {
    concerns(&Bytes::of(packet), settings)
}

#[test]
fn each_tunnel_in_each_pair_of_families() {
    for inner in [inner4(), inner6()] {
        let is_six = inner[0] >> 4 == 6;
        let number = if is_six { 41 } else { 4 };
        let contents = [
            (number, inner.clone(), 0),
            (47, gre(&inner, false), 4),
            (47, gre(&inner, true), 8),
            (17, gue(&inner, &[]), 12),
            (17, gue(&inner, &[0; 8]), 20),
        ];
        for (protocol, content, shim) in contents {
            let outers = [
                (four(protocol, &content, &[]), 20),
                (four(protocol, &content, &[1, 1, 1, 0]), 24),
                (six(protocol, &content), 40),
                (
                    six(
                        60,
                        &[&[protocol, 0, 4, 1, 4, 1, 0, 0], &content[..]].concat(),
                    ),
                    48,
                ),
            ];
            for (packet, header) in outers {
                assert!(is_taken(&packet, Settings::new(ALL, 6080)));
                let found = look(&packet).unwrap();
                assert_eq!(found.begin, IP + header + shim, "{protocol} {header}");
                assert_eq!(found.end, IP + packet.len());
                assert_eq!(found.inner_is_six, is_six);
                assert_eq!(found.outer_is_six, packet[0] >> 4 == 6);
                assert_eq!(found.remote_checksum(), None);
                if !is_six {
                    assert_eq!(found.destination, mapped(VIP4));
                }
            }
        }
    }
}

#[test]
fn only_tunnels_that_end_here_are_looked_at() {
    let inner = inner4();
    let packets = [
        (Kind::Ipip, four(4, &inner, &[])),
        (Kind::Ipip, six(41, &inner6())),
        (Kind::Gre, four(47, &gre(&inner, false), &[])),
        (Kind::Gue, four(17, &gue(&inner, &[]), &[])),
    ];
    for (kind, packet) in &packets {
        for known in ALL {
            assert_eq!(
                is_taken(packet, Settings::new([known], 6080)),
                known == *kind
            );
        }
    }
    let (_, gue) = &packets[3];
    assert!(!is_taken(gue, Settings::new(ALL, 6081)));
    assert!(!is_taken(&four(6, &[0; 20], &[]), Settings::new(ALL, 6080)));
    assert!(!is_taken(&gue[..20], Settings::new(ALL, 6080)));
}

#[test]
fn what_contradicts_itself_is_malformed() {
    let inner = inner4();
    let ipip = four(4, &inner, &[]);
    let rows = [
        ("outer checksum", with(ipip.clone(), 8, 1)),
        (
            "outer options' checksum",
            with(four(4, &inner, &[1, 1, 1, 0]), 20, 0),
        ),
        ("outer header too short", with(ipip.clone(), 0, 0x44)),
        (
            "outer longer than the frame",
            ipip[..ipip.len() - 1].to_vec(),
        ),
        ("outer ends in options", six(60, &[4, 9, 0, 0])),
        ("inner version", four(4, &with(inner.clone(), 0, 0x65), &[])),
        (
            "inner version of six",
            four(41, &with(inner6(), 0, 0x40), &[]),
        ),
        (
            "inner header too short",
            four(4, &with(inner.clone(), 0, 0x44), &[]),
        ),
        ("inner longer than outer", four(4, &inner[..27], &[])),
        (
            "inner six longer than outer",
            four(41, &inner6()[..47], &[]),
        ),
        (
            "inner length below header",
            four(4, &with(inner.clone(), 3, 19), &[]),
        ),
        ("inner header cut", four(4, &inner[..19], &[])),
        ("gre cut", four(47, &[0, 0, 8], &[])),
        ("udp cut", four(17, &udp(&[0, 4, 0, 0])[..11], &[])),
        (
            "udp shorter than gue",
            four(17, &with(gue(&inner, &[]), 5, 11), &[]),
        ),
        (
            "udp longer than outer",
            four(17, &with(gue(&inner, &[]), 5, 99), &[]),
        ),
        (
            "gue options past the end",
            four(17, &with(gue(&inner, &[]), 8, 31), &[]),
        ),
    ];
    for (name, packet) in rows {
        assert_eq!(look(&packet), Err(Count::Malformed), "{name}");
    }
}

#[test]
fn version_and_ethertype_agree() {
    for (ethertype, packet) in [
        ([8, 0], six(41, &inner6())),
        ([0x86, 0xdd], four(4, &inner4(), &[])),
    ] {
        let outcome = inspect(&Bytes::typed(ethertype, &packet), false);
        assert!(outcome.is_err(), "{outcome:?}");
    }
}

#[test]
fn what_ipvs_does_not_send_is_left_alone() {
    let inner = inner4();
    let gre = |flags: [u8; 2]| with(with(gre(&inner, false), 0, flags[0]), 1, flags[1]);
    let gue = |byte| four(17, &with(gue(&inner, &[]), 8, byte), &[]);
    let rows = [
        ("key", four(47, &gre([0x20, 0]), &[])),
        ("sequence", four(47, &gre([0x10, 0]), &[])),
        ("routing", four(47, &gre([0x40, 0]), &[])),
        ("pptp", four(47, &gre([0, 1]), &[])),
        ("no ip", four(47, &with(gre([0, 0]), 2, 0x65), &[])),
        ("control", gue(0x20)),
        ("variant 1", gue(0x45)),
        ("variant 3", gue(0xc0)),
    ];
    for (name, packet) in rows {
        assert_eq!(look(&packet), Err(Count::Unsupported), "{name}");
    }
}

#[test]
fn fragments_are_left_to_the_kernel() {
    let first = four(4, &inner4(), &[]);
    for (at, byte) in [(6, 0x20), (7, 1)] {
        let packet = with(first.clone(), at, byte);
        assert!(is_taken(&packet, Settings::new(ALL, 6080)));
        assert_eq!(look(&packet), Err(Count::Fragment));
    }
    let fragment = six(44, &[&[4, 0, 0, 1, 0, 0, 0, 7], &inner4()[..]].concat());
    assert_eq!(look(&fragment), Err(Count::Fragment));
    let whole = with(first, 6, 0x40);
    // "Don't fragment" alone is none, though the checksum is now wrong.
    assert_eq!(look(&whole), Err(Count::Malformed));
}

#[test]
fn padding_is_behind_both_packets() {
    let inner = inner4();
    let packet = [&four(4, &inner, &[])[..], &[0; 9]].concat();
    assert_eq!(look(&packet).unwrap().end, IP + 20 + inner.len());
}

#[test]
fn several_tunnel_packets_in_one_are_not_taken_for_one() {
    let inner = inner4();
    let merged = |content: &[u8]| {
        let packet = four(4, content, &[]);
        inspect(&Bytes::of(&packet), true).map(|_| ())
    };
    assert_eq!(merged(&inner), Ok(()));
    assert_eq!(merged(&[&inner[..], &inner].concat()), Err(Count::Merged));
}

#[test]
fn remote_checksums_are_found_in_private_options() {
    let inner = inner4();
    let packet = |options: &[u8]| four(17, &with(gue(&inner, options), 10, 0), &[]);
    let remote = |start: u8, field: u8| {
        let options = [0x80, 0, 0, 0, 0, start, 0, field];
        let mut packet = with(packet(&options), 20 + 11, 1);
        packet[20 + 6] = 1;
        packet
    };
    let found = look(&remote(20, 26)).unwrap();
    let begin = IP + 20 + 8 + 4 + 8;
    assert_eq!(
        (found.begin, found.remote_checksum()),
        (begin, Some((begin + 20, begin + 26)))
    );
    assert_eq!(
        (found.shim, found.shim_end),
        (IP + 20, IP + remote(20, 26).len())
    );
    // The last byte of the field is the packet's last.
    assert!(look(&remote(20, 26)).is_ok());
    assert_eq!(look(&remote(20, 27)), Err(Count::Malformed), "past the end");
    assert_eq!(
        look(&remote(20, 19)),
        Err(Count::Malformed),
        "before the sum"
    );
    let unsummed = with(remote(20, 26), 20 + 6, 0);
    assert_eq!(
        look(&unsummed),
        Err(Count::Malformed),
        "nothing says that it is whole"
    );
    let short = with(packet(&[0x80, 0, 0, 0]), 20 + 11, 1);
    assert_eq!(look(&short), Err(Count::Malformed), "no field");
    let unknown = with(packet(&[0x40, 0, 0, 0]), 20 + 11, 1);
    assert_eq!(look(&unknown), Err(Count::Unsupported));
    let flagged = with(packet(&[0; 4]), 20 + 11, 2);
    assert_eq!(look(&flagged), Err(Count::Unsupported));
}
