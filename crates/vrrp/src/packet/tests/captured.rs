//! What keepalived 2.2.7 (Debian) says: recorded with `tcpdump -xx` at the other end of a veth pair,
//! as IP packets, from instances with these settings (and `auth_pass secret`).

use super::*;

struct Capture {
    hex: &'static str,
    version: Version,
    virtual_router: u8,
    priority: u8,
    hundredths: u64,
    carried: Carried,
    addresses: &'static [[u8; 4]],
    sum: Sum,
    sequence: Option<u32>,
    identification: u16,
}

const PLAIN: Capture = Capture {
    hex: "",
    version: Version::V2,
    virtual_router: 1,
    priority: 100,
    hundredths: 100,
    carried: Carried::Nothing,
    addresses: &[],
    sum: Sum::Message,
    sequence: None,
    identification: 1,
};

/// IPv4, source 192.0.2.1.
const CAPTURES: [Capture; 9] = [
    Capture {
        hex: "45c0002c00010000ff70188dc0000201e0000012210164020001f630c0000264c0000265\
              0000000000000000",
        addresses: &[[192, 0, 2, 100], [192, 0, 2, 101]],
        ..PLAIN
    },
    // Its good-bye.
    Capture {
        hex: "45c0002c00090000ff701885c0000201e00000122101000200015a31c0000264c0000265\
              0000000000000000",
        priority: 0,
        addresses: &[[192, 0, 2, 100], [192, 0, 2, 101]],
        identification: 9,
        ..PLAIN
    },
    // auth_type PASS, advert_int 2
    Capture {
        hex: "45c0002800010000ff701891c0000201e00000122102650101027a47c0000266\
              7365637265740000",
        virtual_router: 2,
        priority: 101,
        hundredths: 200,
        carried: Carried::Password(KEY),
        addresses: &[[192, 0, 2, 102]],
        ..PLAIN
    },
    // auth_type AH, priority 255, state MASTER
    Capture {
        hex: "45c0004000010000ff3318b6c0000201e000001270040000c000020100000001\
              63801600706ded12100221e52103ff0102011b92c00002670000000000000000",
        virtual_router: 3,
        priority: 255,
        carried: Carried::Header,
        addresses: &[[192, 0, 2, 103]],
        sequence: Some(1),
        ..PLAIN
    },
    Capture {
        hex: "45c00040000c0000ff3318abc0000201e000001270040000c00002010000000c\
              dd2cb042a27e7d7a54d0bfdf2103000102011a93c00002670000000000000000",
        virtual_router: 3,
        priority: 0,
        carried: Carried::Header,
        addresses: &[[192, 0, 2, 103]],
        sequence: Some(12),
        identification: 12,
        ..PLAIN
    },
    // auth_type AH, unicast_peer 192.0.2.2
    Capture {
        hex: "45c0004000020000ff3336c5c0000201c000020270040000c000020100000002\
              8bd8f4eeda25aa7e21edfe1b210664010201b68cc000026a0000000000000000",
        virtual_router: 6,
        carried: Carried::Header,
        addresses: &[[192, 0, 2, 106]],
        sequence: Some(2),
        identification: 2,
        ..PLAIN
    },
    // version 3, advert_int 0.2
    Capture {
        hex: "45c0002000010000ff701899c0000201e000001231046401001405edc0000268",
        version: Version::V3,
        virtual_router: 4,
        hundredths: 20,
        addresses: &[[192, 0, 2, 104]],
        sum: Sum::PseudoHeader,
        ..PLAIN
    },
    // version 3, unicast_peer 192.0.2.2
    Capture {
        hex: "45c0002000010000ff7036a9c0000201c000020231096401006423a3c000026d",
        version: Version::V3,
        virtual_router: 9,
        addresses: &[[192, 0, 2, 109]],
        sum: Sum::PseudoHeader,
        ..PLAIN
    },
    // The same with old_unicast_checksum.
    Capture {
        hex: "45c0002000010000ff7036a9c0000201c00002023107640100640597c000026b",
        version: Version::V3,
        virtual_router: 7,
        addresses: &[[192, 0, 2, 107]],
        sum: Sum::GroupsPseudoHeader,
        ..PLAIN
    },
];

/// version 3, advert_int 0.5, with fe80::100 and 2001:db8::100: a whole IPv6 packet.
const CAPTURE6: &str = "6c0268bb002870fffe800000000000000000000000000001\
                        ff0200000000000000000000000000123105640200323e5d\
                        fe80000000000000000000000000010020010db8000000000000000000000100";

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.map(byte).collect()
}

#[test]
fn what_keepalived_says_is_read_and_said() {
    for capture in CAPTURES {
        let mut bytes = bytes(capture.hex);
        let datagram = Datagram::ipv4(&bytes).unwrap();
        let advertisement = Advertisement {
            version: capture.version,
            virtual_router: capture.virtual_router,
            priority: capture.priority,
            interval: Duration::from_millis(10 * capture.hundredths),
            carried: capture.carried,
            addresses: capture.addresses.iter().map(|it| (*it).into()).collect(),
        };
        let sum = capture.sum;
        let parsed = Parsed::new(&datagram).unwrap();
        assert_eq!(parsed.advertisement, advertisement);
        assert_eq!(parsed.sum, sum, "{}", capture.hex);
        let sequence = capture.sequence.ok_or(Unauthentic::NoHeader);
        assert_eq!(datagram.authenticated(KEY), sequence);
        let envelope = Envelope {
            source: SOURCE.into(),
            destination: datagram.destination,
            hop_limit: 255,
            sum,
            identification: capture.identification,
            authentication: capture.sequence.map(|sequence| (KEY, sequence)),
            signature: None,
        };
        let outgoing = Outgoing::new(&envelope, &advertisement);
        // The kernel's part.
        bytes[10..12].fill(0);
        assert_eq!(outgoing.bytes, bytes, "{}", capture.hex);
    }
}

#[test]
fn what_keepalived_says_by_ipv6_is_read_and_said() {
    let bytes = bytes(CAPTURE6);
    let (source, destination) = ("fe80::1".parse().unwrap(), "ff02::12".parse().unwrap());
    let datagram = Datagram::ipv6(source, destination, bytes[7], &bytes[40..]);
    let advertisement = Advertisement {
        version: Version::V3,
        virtual_router: 5,
        priority: 100,
        interval: Duration::from_millis(500),
        carried: Carried::Nothing,
        addresses: ["fe80::100", "2001:db8::100"]
            .map(|it| it.parse().unwrap())
            .to_vec(),
    };
    let expected = Parsed {
        advertisement: advertisement.clone(),
        sum: Sum::PseudoHeader,
        trailer: None,
    };
    assert_eq!(Parsed::new(&datagram), Ok(expected));
    let envelope = Envelope {
        source: source.into(),
        destination: destination.into(),
        ..envelope(Sum::PseudoHeader)
    };
    assert_eq!(Outgoing::new(&envelope, &advertisement).bytes, bytes[40..]);
}
