//! What happens to both sides.

use proptest::prelude::*;
use rlvs_control::Change;
use rlvs_engine::sysctl::Sysctl;
use rlvs_testing::Packet;
use rlvs_testing::fragments::cut;
use rlvs_testing::packet::{ACK, FIN, SYN};
use rlvs_testing::site::{
    addresses_of_many_ports, changes_of, clients, keys_of_many_ports, service_addresses,
    service_keys, sysctl, with_methods, with_ways_of_udp,
};
use rlvs_testing::strategy::{dressed, packets, spoilt};

use super::vlans::{prioritised, vlans};

/// What happens next.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Frame(Vec<u8>),
    /// An ICMP error about a frame that was forwarded, from a router behind.
    Error {
        about: prop::sample::Index,
        kind: u8,
        code: u8,
        rest: [u8; 4],
        kept: usize,
    },
    /// What a real server says in the connection of a frame that was forwarded, if that is TCP's.
    Answer {
        to: prop::sample::Index,
        flags: u8,
        text: &'static str,
    },
    /// A datagram's fragments, as they come: in any order, some twice, some not at all.
    Parts(Vec<Vec<u8>>),
    Change(Change),
    /// Everything becomes older by this many times 1000 s.
    Age(u32),
    Sweep,
    Sysctl(Sysctl, u32),
}

pub(super) fn changes() -> BoxedStrategy<Change> {
    let keys = [service_keys(), keys_of_many_ports()].concat();
    with_ways_of_udp(with_methods(changes_of(keys)))
}

pub(super) fn steps(of_clients: u16) -> BoxedStrategy<Step> {
    let addresses = [service_addresses(), addresses_of_many_ports()].concat();
    let plain = packets(clients(of_clients), addresses);
    let dressed = dressed(plain.clone());
    let spoilt = spoilt(dressed.clone());
    let garbled = (dressed.clone(), any::<(prop::sample::Index, u8)>());
    let garbled = garbled.prop_map(|(packet, (place, byte))| {
        let mut frame = packet.build();
        // Behind the MAC addresses.
        let at = 12 + place.index(frame.len() - 12);
        frame[at] = byte;
        frame
    });
    let frame = |packet: Packet| Step::Frame(packet.build());
    let tagged = (dressed.clone(), prop::sample::select(vlans().to_vec()));
    let tagged = tagged.prop_map(|(packet, vlan)| Step::Frame(prioritised(&packet.build(), vlan)));
    prop_oneof![
        600 => plain.clone().prop_map(frame),
        200 => dressed.prop_map(frame),
        200 => spoilt.prop_map(frame),
        100 => garbled.prop_map(Step::Frame),
        40 => parts(plain).prop_map(Step::Parts),
        100 => tagged,
        30 => changes().prop_map(Step::Change),
        4 => (1u32..4).prop_map(Step::Age),
        4 => Just(Step::Sweep),
        150 => errors(),
        150 => answers(),
        6 => sysctl().prop_map(|(which, value)| Step::Sysctl(which, value)),
    ]
    .boxed()
}

fn errors() -> impl Strategy<Value = Step> {
    let rest = prop_oneof![
        any::<[u8; 4]>(),
        (0u8..7, any::<u8>()).prop_map(|(a, b)| [0, 0, a, b])
    ];
    let kept = prop_oneof![4 => Just(200usize), 1 => 0usize..200];
    (any::<prop::sample::Index>(), 1u8..13, 0u8..5, rest, kept).prop_map(
        |(about, kind, code, rest, kept)| Step::Error {
            about,
            kind,
            code,
            rest,
            kept,
        },
    )
}

/// Of FTP's servers, which await their client's data; the address is one of theirs.
const TEXTS: [&str; 5] = [
    "",
    "227 Entering Passive Mode (10,0,0,2,8,52).\r\n",
    "227 At (10,0,0,3,8,52)\r\n",
    "200 Ok\r\n227 Entering Passive Mode (10,0,0,4,8,52)\r\n",
    "229 Entering Extended Passive Mode (|||2100|)\r\n",
];

fn answers() -> impl Strategy<Value = Step> {
    let flags =
        prop_oneof![8 => Just(ACK), 4 => Just(SYN | ACK), 1 => Just(SYN), 1 => Just(FIN | ACK)];
    let text = prop::sample::select(TEXTS.to_vec());
    (any::<prop::sample::Index>(), flags, text).prop_map(|(to, flags, text)| Step::Answer {
        to,
        flags,
        text,
    })
}

/// Identifications are few, so that datagrams get into each other's way.
fn parts(packets: BoxedStrategy<Packet>) -> BoxedStrategy<Vec<Vec<u8>>> {
    let eights = prop_oneof![1 => 1usize..4, 3 => 4usize..20];
    let parts = (packets, 64usize..400, eights, 0u32..8).prop_map(
        |(packet, payload, eights, identification)| {
            let whole = Packet { payload, ..packet }.build();
            cut(&whole, eights * 8, identification)
        },
    );
    let mostly_in_order = parts.prop_flat_map(|parts| {
        let some = prop::sample::subsequence(parts.clone(), 0..=parts.len());
        let twice = prop::collection::vec(prop::sample::select(parts.clone()), 0..3);
        let more = (some.clone(), twice).prop_map(|(some, twice)| [some, twice].concat());
        prop_oneof![4 => Just(parts.clone()), 2 => Just(parts).prop_shuffle(), 1 => some, 1 => more]
    });
    mostly_in_order.boxed()
}
