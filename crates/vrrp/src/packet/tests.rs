use core::time::Duration;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

mod captured;
mod signed;

const SOURCE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const PEER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const KEY: Key = Key(*b"secret\0\0");

fn advertisement(version: Version) -> Advertisement {
    Advertisement {
        version,
        virtual_router: 51,
        priority: 100,
        interval: Duration::from_secs(1),
        carried: Carried::Nothing,
        addresses: vec![[192, 0, 2, 100].into(), [192, 0, 2, 101].into()],
    }
}

fn envelope(sum: Sum) -> Envelope<'static> {
    Envelope {
        source: SOURCE.into(),
        destination: sum::GROUP4.into(),
        hop_limit: HOP_LIMIT,
        sum,
        identification: 1,
        authentication: None,
        signature: None,
    }
}

fn packet(version: Version) -> Vec<u8> {
    let sum = match version {
        Version::V2 => Sum::Message,
        Version::V3 => Sum::PseudoHeader,
    };
    Outgoing::new(&envelope(sum), &advertisement(version)).bytes
}

fn authenticated() -> Vec<u8> {
    let envelope = Envelope {
        authentication: Some((KEY, 7)),
        ..envelope(Sum::Message)
    };
    let advertisement = Advertisement {
        carried: Carried::Header,
        ..advertisement(Version::V2)
    };
    Outgoing::new(&envelope, &advertisement).bytes
}

fn parse(bytes: &[u8]) -> Result<Parsed, Malformed> {
    Datagram::ipv4(bytes).and_then(|datagram| Parsed::new(&datagram))
}

/// A packet with some of its bytes changed, and its VRRP checksum put right.
fn changed(mut bytes: Vec<u8>, changes: &[(usize, u8)]) -> Vec<u8> {
    for (place, byte) in changes {
        bytes[*place] = *byte;
    }
    bytes[26..28].fill(0);
    let over = Sum::Message.of(SOURCE.into(), PEER.into(), &bytes[20..]);
    bytes[26..28].copy_from_slice(&over.to_field());
    bytes
}

/// Every reason there is.
#[test]
fn malformed_packets_have_names() {
    let v2 = || packet(Version::V2);
    let shorter = |bytes: Vec<u8>, length: usize| bytes[..length].to_vec();
    let rows = [
        (shorter(v2(), 19), Malformed::IpTruncated),
        (changed(v2(), &[(0, 0x65)]), Malformed::IpVersion(6)),
        (changed(v2(), &[(0, 0x44)]), Malformed::IpHeaderLength(16)),
        (shorter(v2(), 43), Malformed::IpLength(44)),
        (changed(v2(), &[(3, 19)]), Malformed::IpLength(19)),
        (changed(v2(), &[(6, 0x20)]), Malformed::Fragment),
        (changed(v2(), &[(7, 1)]), Malformed::Fragment),
        (changed(v2(), &[(9, 17)]), Malformed::Protocol(17)),
        (changed(v2(), &[(3, 27)]), Malformed::Truncated),
        (changed(v2(), &[(20, 0x41)]), Malformed::Version(4)),
        (changed(v2(), &[(20, 0x22)]), Malformed::Type(2)),
        (changed(v2(), &[(21, 0)]), Malformed::VirtualRouter),
        (changed(v2(), &[(24, 3)]), Malformed::AuthenticationType(3)),
        (changed(v2(), &[(25, 0)]), Malformed::Interval),
        (
            changed(v2(), &[(23, 3)]),
            Malformed::Length {
                expected: 28,
                length: 24,
            },
        ),
        (
            changed(v2(), &[(20, 0x31)]),
            Malformed::Length {
                expected: 16,
                length: 24,
            },
        ),
        (
            changed(packet(Version::V3), &[(24, 0xf0), (25, 0)]),
            Malformed::Interval,
        ),
        (changed(authenticated(), &[(0, 0x46)]), Malformed::IpOptions),
        (
            changed(authenticated(), &[(3, 43)]),
            Malformed::AuthenticationTruncated,
        ),
        (
            changed(authenticated(), &[(21, 5)]),
            Malformed::AuthenticationLength(5),
        ),
        (
            changed(authenticated(), &[(20, 17)]),
            Malformed::AuthenticationNext(17),
        ),
    ];
    for (number, (bytes, reason)) in rows.into_iter().enumerate() {
        assert_eq!(parse(&bytes), Err(reason), "row {number}: {bytes:02x?}");
    }
    for version in [Version::V2, Version::V3] {
        let mut wrong = packet(version);
        wrong[22] ^= 1;
        assert_eq!(parse(&wrong), Err(Malformed::Checksum));
    }
    let source = Ipv6Addr::LOCALHOST;
    let message = advertisement(Version::V2).message(source.into(), source.into(), Sum::Message);
    let datagram = Datagram::ipv6(source, source, HOP_LIMIT, &message);
    assert_eq!(Parsed::new(&datagram), Err(Malformed::VersionOfFamily));
}

/// What the link has filled a frame up with is no part of the packet.
#[test]
fn padding_is_left_out() {
    let mut bytes = packet(Version::V2);
    bytes.extend([0; 10]);
    assert_eq!(
        parse(&bytes).unwrap().advertisement,
        advertisement(Version::V2)
    );
}

#[test]
fn authentication_headers_are_looked_at() {
    let ask = |bytes: &[u8], key| Datagram::ipv4(bytes).unwrap().authenticated(key);
    let right = authenticated();
    assert_eq!(ask(&right, KEY), Ok(7));
    assert_eq!(ask(&right, Key::new("other")), Err(Unauthentic::Value));
    assert_eq!(ask(&packet(Version::V2), KEY), Err(Unauthentic::NoHeader));
    // All but what routers on the way may change is covered: type of service, flags, checksum.
    for place in 0..right.len() {
        let mut other = right.clone();
        other[place] ^= 0x40;
        let free = [1, 6, 10, 11].contains(&place);
        let same = Datagram::ipv4(&other).map(|it| it.authenticated(KEY));
        assert_eq!(same == Ok(Ok(7)), free, "byte {place}: {same:?}");
    }
}

#[test]
fn a_header_may_name_another_sender() {
    let spoofed = |index: Ipv4Addr| {
        let message = packet(Version::V2)[20..].to_vec();
        let mut bytes = authenticated();
        let (ip, _) = <rlvs_wire::Ipv4 as zerocopy::FromBytes>::read_from_prefix(&bytes).unwrap();
        let mut other = ip;
        other.source = index.octets();
        let mut header =
            authentication::header(KEY, authentication::Covered::Group, other, 7, &message);
        header.value =
            authentication::value(KEY, authentication::Covered::Group, ip, header, &message);
        bytes.truncate(20);
        bytes.extend(zerocopy::IntoBytes::as_bytes(&header));
        bytes.extend(message);
        Datagram::ipv4(&bytes).unwrap().authenticated(KEY)
    };
    assert_eq!(spoofed(SOURCE), Ok(7));
    assert_eq!(spoofed(PEER), Err(Unauthentic::Sender));
}

#[test]
fn what_a_key_is_stays_secret() {
    let text = format!("{:?}", Carried::Password(KEY));
    assert_eq!(text, "Password(Key)");
    assert_eq!(Key::new("longer than eight"), Key(*b"longer t"));
}

fn any_advertisement() -> impl Strategy<Value = (Advertisement, IpAddr, IpAddr)> {
    let v4 = || any::<[u8; 4]>().prop_map(IpAddr::from);
    let v6 = || any::<[u8; 16]>().prop_map(IpAddr::from);
    let carried = prop_oneof![
        Just(Carried::Nothing),
        any::<[u8; 8]>().prop_map(|bytes| Carried::Password(Key(bytes))),
        Just(Carried::Header),
    ];
    let list4 = || prop::collection::vec(v4(), 0..=255);
    let version2 = (1u64..=255, carried, list4(), v4(), v4()).prop_map(|it| {
        (
            Version::V2,
            Duration::from_secs(it.0),
            it.1,
            it.2,
            it.3,
            it.4,
        )
    });
    let version3 = |(hundredths, list, source, destination): (u64, _, _, _)| {
        let interval = Duration::from_millis(10 * hundredths);
        (
            Version::V3,
            interval,
            Carried::Nothing,
            list,
            source,
            destination,
        )
    };
    let list6 = prop::collection::vec(v6(), 0..=255);
    let parts = prop_oneof![
        version2,
        (1u64..4096, list4(), v4(), v4()).prop_map(version3),
        (1u64..4096, list6, v6(), v6()).prop_map(version3),
    ];
    (parts, 1u8..=255, any::<u8>()).prop_map(|(parts, virtual_router, priority)| {
        let (version, interval, carried, addresses, source, destination) = parts;
        let advertisement = Advertisement {
            version,
            virtual_router,
            priority,
            interval,
            carried,
            addresses,
        };
        (advertisement, source, destination)
    })
}

fn datagram<'a>(outgoing: &'a Outgoing) -> Result<Datagram<'a>, Malformed> {
    match (outgoing.source, outgoing.destination) {
        (IpAddr::V6(source), IpAddr::V6(destination)) => Ok(Datagram::ipv6(
            source,
            destination,
            outgoing.hop_limit,
            &outgoing.bytes,
        )),
        _ => Datagram::ipv4(&outgoing.bytes),
    }
}

proptest! {
    #[test]
    fn what_is_built_is_read(
        (advertisement, source, destination) in any_advertisement(),
        key in any::<[u8; 8]>(),
        sequence: u32,
        hop_limit: u8,
    ) {
        let key = Key(key);
        let header = advertisement.carried == Carried::Header;
        let sums: &[Sum] = match (advertisement.version, source.is_ipv4()) {
            (Version::V2, _) => &[Sum::Message],
            (Version::V3, true) => &[Sum::PseudoHeader, Sum::Message, Sum::GroupsPseudoHeader],
            (Version::V3, false) => &[Sum::PseudoHeader],
        };
        for sum in sums {
            let envelope = Envelope {
                source,
                destination,
                hop_limit,
                sum: *sum,
                identification: 1,
                authentication: header.then_some((key, sequence)),
                signature: None,
            };
            let outgoing = Outgoing::new(&envelope, &advertisement);
            let datagram = datagram(&outgoing).unwrap();
            prop_assert_eq!((datagram.source, datagram.destination), (source, destination));
            prop_assert_eq!(datagram.hop_limit, hop_limit);
            prop_assert_eq!(datagram.virtual_router(), Some(advertisement.virtual_router));
            let authentic = datagram.authenticated(key);
            prop_assert_eq!(authentic, if header { Ok(sequence) } else { Err(Unauthentic::NoHeader) });
            let parsed = Parsed::new(&datagram).unwrap();
            prop_assert_eq!(&parsed.advertisement, &advertisement);
            // Two ways may have the same sum.
            let same = sum.of(source, destination, datagram.message).verifies();
            prop_assert!(same);
        }
    }

    #[test]
    fn noise_is_never_taken_and_never_harms(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        if let Ok(parsed) = parse(&bytes) {
            prop_assert!(parsed.advertisement.virtual_router != 0);
        }
        let datagram = Datagram::ipv6(Ipv6Addr::LOCALHOST, Ipv6Addr::LOCALHOST, 1, &bytes);
        let _ = datagram.virtual_router();
        if let Ok(parsed) = Parsed::new(&datagram) {
            prop_assert!(parsed.advertisement.version == Version::V3);
        }
    }

    /// Well-formed packets with a few bytes changed, and cut off.
    #[test]
    fn what_is_marred_harms_nothing(
        kind in 0..3,
        marks in prop::collection::vec((0usize..80, any::<u8>()), 0..4),
        length in 0usize..80,
    ) {
        let mut bytes = match kind {
            0 => packet(Version::V2),
            1 => packet(Version::V3),
            _ => authenticated(),
        };
        let sane = bytes.clone();
        for (place, byte) in marks {
            if let Some(place) = bytes.get_mut(place) {
                *place = byte;
            }
        }
        bytes.truncate(length);
        if let Ok(datagram) = Datagram::ipv4(&bytes) {
            let _ = datagram.authenticated(KEY);
            // The checksum of 16 bits may be right by chance, but what was made stays what it says.
            if Parsed::new(&datagram).is_ok() {
                prop_assert!(bytes.len() <= sane.len());
            }
        }
    }
}
