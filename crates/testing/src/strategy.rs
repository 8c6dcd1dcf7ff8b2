//! Random packets, mostly well-formed ones of few clients to few addresses, so that they meet.

use std::net::SocketAddr;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::packet::{
    ACK, AH, Crc, ESP, Extension, FIN, Fragment, Lie, PSH, Packet, RST, SYN, Upper, chunk,
};

/// Packets from any of `clients` to any of `services`, which have both IP versions or one.
pub fn packets(clients: Vec<SocketAddr>, services: Vec<SocketAddr>) -> BoxedStrategy<Packet> {
    let ends = (
        prop::sample::select(clients),
        prop::sample::select(services),
    );
    ends.prop_filter("of one IP version", |(client, service)| {
        client.is_ipv4() == service.is_ipv4()
    })
    .prop_flat_map(|(client, service)| {
        let bare = upper().prop_map(move |upper| {
            let mut packet = Packet::udp(client, service);
            packet.upper = upper;
            packet
        });
        let message = prop_oneof![1 => Just(""), 1 => prop::sample::select(MESSAGES.to_vec())];
        (bare, 0usize..64, message, hops()).prop_map(|(packet, payload, message, hops)| Packet {
            payload,
            message,
            hops,
            ..packet
        })
    })
    .boxed()
}

/// Of SIP, whole where there is room for them: two calls, one of them in two ways, and none. And of
/// FTP: that port 2100 is awaited.
const MESSAGES: [&str; 6] = [
    "PORT 198,51,100,0,8,52\r\n",
    "EPRT |2|2001:db8:1::|2100|\r\n",
    "BYE sip:a SIP/2.0\r\nCall-ID: 1@a\r\n",
    "BYE sip:a SIP/2.0\r\nVia: c\ni :1@a\n",
    "BYE sip:a SIP/2.0\r\nCALL-ID:2@a\r\n",
    "BYE sip:a SIP/2.0\r\n\r\nCall-ID: 3@a\r\n",
];

/// The same with everything that IP allows between and behind the headers.
pub fn dressed(packets: BoxedStrategy<Packet>) -> BoxedStrategy<Packet> {
    let options = prop_oneof![4 => Just(0u8), 1 => 0u8..=10];
    let extensions = prop_oneof![4 => Just(Vec::new()), 1 => vec(extension(), 0..7)];
    (
        packets,
        options,
        extensions,
        prop_oneof![4 => Just(0usize), 1 => 0usize..32],
    )
        .prop_map(|(packet, options, extensions, padding)| {
            let is_v4 = packet.source.is_ipv4();
            Packet {
                options: if is_v4 { options } else { 0 },
                extensions: if is_v4 { Vec::new() } else { extensions },
                padding,
                ..packet
            }
        })
        .boxed()
}

/// The same with something wrong about it, or not for the director.
pub fn spoilt(packets: BoxedStrategy<Packet>) -> BoxedStrategy<Packet> {
    (packets, vice())
        .prop_map(|(packet, vice)| match vice {
            Vice::Lie(lie) => packet.lying(lie),
            Vice::Cut(bytes) => Packet {
                cut: Some(bytes),
                ..packet
            },
            Vice::Fragment(fragment) => Packet {
                fragment: Some(fragment),
                ..packet
            },
            Vice::Protocol(number) => Packet {
                upper: Upper::Other(number),
                ..packet
            },
            Vice::Ethertype(ethertype) => Packet {
                ethertype: Some(ethertype),
                ..packet
            },
            Vice::Vlan(tag) => Packet {
                vlan: Some(tag),
                ..packet
            },
            Vice::OtherHost(to) => Packet { to, ..packet },
        })
        .boxed()
}

#[derive(Clone, Debug)]
enum Vice {
    Lie(Lie),
    Cut(usize),
    Fragment(Fragment),
    Protocol(u8),
    Ethertype(u16),
    Vlan(u16),
    OtherHost([u8; 6]),
}

fn vice() -> BoxedStrategy<Vice> {
    let fragment = (prop_oneof![Just(0u16), 0u16..0x2000], any::<bool>())
        .prop_map(|(offset, more)| Vice::Fragment(Fragment { offset, more }));
    prop_oneof![
        6 => lie().prop_map(Vice::Lie),
        // A test run of the kernel wants an Ethernet header at least.
        4 => (14usize..120).prop_map(Vice::Cut),
        2 => fragment,
        1 => any::<u8>().prop_map(Vice::Protocol),
        1 => prop_oneof![Just(AH), Just(ESP)].prop_map(Vice::Protocol),
        1 => any::<u16>().prop_map(Vice::Ethertype),
        1 => any::<u16>().prop_map(Vice::Vlan),
        1 => any::<[u8; 6]>().prop_map(Vice::OtherHost),
    ]
    .boxed()
}

fn lie() -> BoxedStrategy<Lie> {
    prop_oneof![
        (0u8..16).prop_map(Lie::Version),
        (0u8..16).prop_map(Lie::HeaderLength),
        prop_oneof![-80i32..80, any::<i16>().prop_map(i32::from)].prop_map(Lie::Length),
        (0u8..16).prop_map(Lie::HeaderChecksum),
        (0u8..16).prop_map(Lie::DataOffset),
        prop_oneof![0u16..80, any::<u16>()].prop_map(Lie::UdpLength),
        prop_oneof![0u16..80, any::<u16>()].prop_map(Lie::ChunkLength),
        any::<u8>().prop_map(Lie::ExtensionLength),
    ]
    .boxed()
}

fn upper() -> BoxedStrategy<Upper> {
    let flags = prop_oneof![
        8 => Just(SYN),
        5 => Just(ACK),
        3 => Just(ACK | PSH),
        3 => Just(FIN | ACK),
        1 => Just(RST),
        1 => Just(RST | ACK),
        1 => Just(SYN | ACK),
        1 => any::<u8>(),
    ];
    let options = prop_oneof![3 => Just(0u8), 1 => 0u8..=10];
    prop_oneof![
        3 => (flags, options).prop_map(|(flags, options)| Upper::Tcp { flags, options }),
        1 => Just(Upper::Udp),
        2 => sctp(),
    ]
    .boxed()
}

fn sctp() -> BoxedStrategy<Upper> {
    let kind = prop_oneof![
        6 => Just(chunk::INIT),
        3 => Just(chunk::COOKIE_ECHO),
        1 => Just(chunk::COOKIE_ACK),
        3 => Just(chunk::DATA),
        2 => Just(chunk::SHUTDOWN),
        1 => Just(chunk::SHUTDOWN_COMPLETE),
        1 => Just(chunk::ABORT),
        2 => 0u8..16,
        1 => any::<u8>(),
    ];
    let second = prop_oneof![
        4 => Just(None),
        1 => prop_oneof![Just(chunk::DATA), Just(chunk::ABORT)].prop_map(Some),
    ];
    let checksum = prop_oneof![4 => Just(Crc::Right), 1 => Just(Crc::Zero)];
    (kind, second, checksum)
        .prop_map(|(chunk, second, checksum)| Upper::Sctp {
            chunk,
            second,
            checksum,
        })
        .boxed()
}

fn hops() -> BoxedStrategy<u8> {
    prop_oneof![12 => 2u8..=255, 1 => 0u8..=1].boxed()
}

fn extension() -> BoxedStrategy<Extension> {
    prop_oneof![
        (0u8..4).prop_map(Extension::HopByHop),
        (0u8..4).prop_map(Extension::Routing),
        (0u8..4).prop_map(Extension::DestinationOptions),
        (0u8..4).prop_map(Extension::Authentication),
    ]
    .boxed()
}
