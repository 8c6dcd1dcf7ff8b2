//! What is measured: one row of the table each.

use rlvs_control::ForwardingMethod;
use rlvs_control::model::{GueChecksum, Tunnel};
use rlvs_engine::Reason;
use rlvs_wire::protocol::{SCTP, TCP, UDP};
use rlvs_wire::tcp::SYN;

use crate::packet::{Packet, Shape, To, Version, Walk};
use crate::subject::Target;

/// A row.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) packet: Packet,
    pub(crate) target: Target,
    /// Connections that the table is made for.
    pub(crate) room: u32,
    /// Flows that packets are of; connections with the service before, unless `outcome` is new.
    pub(crate) flows: u32,
    pub(crate) outcome: Outcome,
    /// What is sent of each flow before, if its connection is to be made by that.
    pub(crate) before: Option<Packet>,
}

/// What the program must do with every packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    Forwarded,
    /// Forwarded as the first packet of a connection.
    New,
    /// Forwarded to the client.
    Answered,
    Passed(Reason),
}

const DEFAULT_ROOM: u32 = 1_000_000;
/// More than the rounds of any run, so that each has its own client.
const NEW_FLOWS: u32 = 1 << 22;

impl Case {
    pub(crate) fn walk(&self, run: u32) -> Walk {
        match self.outcome {
            Outcome::New => Walk::InTurn,
            _ => Walk::Random(u64::from(run)),
        }
    }

    /// Rounds of a run at most: a run of new connections fills a fifth of the table.
    pub(crate) fn most_rounds(&self) -> u32 {
        match self.outcome {
            Outcome::New => self.room / 5,
            _ => u32::MAX,
        }
    }
}

/// All rows, in the order of the table.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for (version, protocol, name) in [
        (Version::V4, TCP, "tcp4"),
        (Version::V4, UDP, "udp4"),
        (Version::V6, TCP, "tcp6"),
        (Version::V6, UDP, "udp6"),
    ] {
        for (flows, how_many) in [
            (1_000, "1k"),
            (100_000, "100k"),
            (1_000_000, "1M"),
            (4_000_000, "4M"),
        ] {
            let name = format!("{name}-established-{how_many}");
            cases.push(established(name, Packet::new(version, protocol), flows));
        }
    }
    let sctp = Packet::new(Version::V4, SCTP);
    cases.push(established("sctp4-established-1k".to_owned(), sctp, 1_000));
    cases.extend(methods());
    cases.extend([
        answer("masquerade4-answer-1k", Version::V4),
        answer("masquerade6-answer-1k", Version::V6),
    ]);
    cases.extend([fragment(), error()]);
    for scheduler in [
        "rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sed", "nq", "fo", "ovf", "dh", "sh", "mh",
        "twos",
    ] {
        cases.extend([3, 100, 1000].map(|destinations| new(scheduler, destinations)));
    }
    cases.extend([
        passed("pass-not-virtual", To::OtherAddress, Reason::NotVirtual),
        passed("pass-no-connection", To::OtherPort, Reason::NoConnection),
        passed("pass-other-mac", To::OtherHost, Reason::OtherHost),
        Case {
            packet: Packet {
                flags: SYN,
                to: To::OtherPort,
                ..Packet::new(Version::V4, TCP)
            },
            ..passed("pass-no-service", To::OtherPort, Reason::NoService)
        },
    ]);
    cases
}

fn established(name: String, packet: Packet, flows: u32) -> Case {
    let Packet {
        version, protocol, ..
    } = packet;
    Case {
        name,
        packet,
        target: Target::new(version, protocol, "wlc", 3),
        room: flows.max(DEFAULT_ROOM),
        flows,
        outcome: Outcome::Forwarded,
        before: None,
    }
}

/// A row for each method besides direct routing.
fn methods() -> impl Iterator<Item = Case> {
    let ipip = ForwardingMethod::Tunnel(Tunnel::Ipip);
    let gre = ForwardingMethod::Tunnel(Tunnel::Gre { checksum: false });
    let gue = ForwardingMethod::Tunnel(Tunnel::Gue {
        port: 6080,
        checksum: GueChecksum::None,
    });
    let rows = [
        ("masquerade4", Version::V4, ForwardingMethod::Masquerade),
        ("masquerade6", Version::V6, ForwardingMethod::Masquerade),
        ("ipip4", Version::V4, ipip),
        ("ipip6", Version::V6, ipip),
        ("gre4", Version::V4, gre),
        ("gue4", Version::V4, gue),
        ("full-nat4", Version::V4, ForwardingMethod::FullNat),
    ];
    rows.into_iter().map(|(name, version, method)| {
        let packet = whole(Packet::new(version, TCP));
        let case = established(format!("{name}-established-1k"), packet, 1_000);
        Case {
            target: Target {
                method,
                ..case.target
            },
            before: Some(Packet {
                flags: SYN,
                ..packet
            }),
            ..case
        }
    })
}

/// What a masqueraded server sends.
fn answer(name: &str, version: Version) -> Case {
    let packet = whole(Packet::new(version, TCP));
    let shape = Shape::Answer;
    let case = established(name.to_owned(), Packet { shape, ..packet }, 1_000);
    Case {
        target: Target {
            method: ForwardingMethod::Masquerade,
            ..Target::new(version, TCP, "wlc", 1)
        },
        before: Some(Packet {
            flags: SYN,
            ..packet
        }),
        outcome: Outcome::Answered,
        ..case
    }
}

/// Later fragments of one datagram.
fn fragment() -> Case {
    let packet = whole(Packet::new(Version::V4, UDP));
    let shaped = |shape| Packet { shape, ..packet };
    Case {
        before: Some(shaped(Shape::First)),
        ..established("fragment4".to_owned(), shaped(Shape::Later), 1)
    }
}

fn error() -> Case {
    let packet = whole(Packet::new(Version::V4, TCP));
    let shape = Shape::Error;
    established(
        "icmp4-error-1k".to_owned(),
        Packet { shape, ..packet },
        1_000,
    )
}

fn whole(packet: Packet) -> Packet {
    Packet {
        whole: true,
        ..packet
    }
}

fn new(scheduler: &'static str, destinations: u32) -> Case {
    let packet = Packet {
        flags: SYN,
        ..Packet::new(Version::V4, TCP)
    };
    Case {
        name: format!("tcp4-new-{scheduler}-{destinations}"),
        packet,
        target: Target::new(Version::V4, TCP, scheduler, destinations),
        room: DEFAULT_ROOM,
        flows: NEW_FLOWS,
        outcome: Outcome::New,
        before: None,
    }
}

fn passed(name: &str, to: To, reason: Reason) -> Case {
    Case {
        outcome: Outcome::Passed(reason),
        ..established(
            name.to_owned(),
            Packet {
                to,
                ..Packet::new(Version::V4, TCP)
            },
            1_000,
        )
    }
}
