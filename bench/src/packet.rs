//! The packets that programs are given.

use rlvs_engine::Family;
use rlvs_engine::family::{Endpoints, V4, V6};
use rlvs_engine::tables::KeyOf;
use rlvs_wire::ethernet::{IPV4, IPV6};
use rlvs_wire::protocol::{ICMP, SCTP, TCP};
use rlvs_wire::{Ethernet, Icmp, Ipv4, Ipv6, Sctp, Tcp, Udp, sctp, tcp};
use zerocopy::IntoBytes;

use crate::plan::{Client, Plan, client};

/// MAC addresses: the director's, a client's, a third host's.
pub(crate) const DIRECTOR: [u8; 6] = [2, 0, 0, 0, 0, 1];
pub(crate) const CLIENT: [u8; 6] = [2, 0, 0, 0, 0, 2];
const THIRD: [u8; 6] = [2, 0, 0, 0, 0, 3];

/// The virtual addresses, and one that is not.
pub(crate) const VIRTUAL4: [u8; 4] = [198, 51, 100, 7];
pub(crate) const VIRTUAL6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
const OTHER4: [u8; 4] = [198, 51, 100, 8];

/// The port of the services, and one without.
pub(crate) const PORT: u16 = 80;
const OTHER_PORT: u16 = 81;

/// The first real server, see [`crate::subject`].
const SERVER4: [u8; 4] = [10, 1, 0, 0];
const SERVER6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Where ICMP errors come from.
const ROUTER4: [u8; 4] = [192, 0, 2, 1];

const HOPS: u8 = 64;
/// IP packets in frames of the least length, as far as their headers fit in.
const LENGTH4: usize = 46;
const LENGTH6: usize = 60;
/// An ICMP error: its header, and the header and eight bytes of a packet.
const ERROR4: usize = size_of::<Icmp>() + size_of::<Ipv4>() + 8;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Version {
    V4,
    V6,
}

/// What is sent, but for the client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet {
    pub(crate) version: Version,
    pub(crate) protocol: u8,
    /// TCP's flags.
    pub(crate) flags: u8,
    pub(crate) to: To,
    pub(crate) shape: Shape,
    /// Whether the engine changes more than MAC addresses and hops, so that all is restored.
    pub(crate) whole: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Shape {
    Segment,
    /// Fragments of one datagram: its first, and another one; of IPv4.
    First,
    Later,
    /// An ICMP error about an answer to the client; of IPv4.
    Error,
    /// What the only real server answers.
    Answer,
}

/// To whom.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum To {
    Service,
    OtherAddress,
    OtherPort,
    OtherHost,
}

impl Packet {
    pub(crate) const fn new(version: Version, protocol: u8) -> Self {
        Self {
            version,
            protocol,
            flags: tcp::ACK,
            to: To::Service,
            shape: Shape::Segment,
            whole: false,
        }
    }

    /// The program that is measured.
    pub(crate) const fn engine(self) -> &'static str {
        match (self.version, self.whole) {
            (Version::V4, false) => "bench_engine4",
            (Version::V6, false) => "bench_engine6",
            (Version::V4, true) => "bench_whole4",
            (Version::V6, true) => "bench_whole6",
        }
    }

    /// The same without the engine.
    pub(crate) const fn wrapper(self) -> &'static str {
        match (self.version, self.whole) {
            (Version::V4, false) => "bench_wrapper4",
            (Version::V6, false) => "bench_wrapper6",
            (Version::V4, true) => "bench_whole_wrapper4",
            (Version::V6, true) => "bench_whole_wrapper6",
        }
    }

    /// The frame of the first flow.
    pub(crate) fn frame(self) -> Vec<u8> {
        let ethertype = if self.version == Version::V4 {
            IPV4
        } else {
            IPV6
        };
        let (destination, source) = (self.mac(), CLIENT);
        let ethernet = Ethernet {
            destination,
            source,
            ethertype: ethertype.into(),
        };
        let mut frame = ethernet.as_bytes().to_vec();
        match self.version {
            Version::V4 => frame.extend(self.ipv4().as_bytes()),
            Version::V6 => frame.extend(self.ipv6().as_bytes()),
        }
        let segment = frame.len() + self.segment_length();
        frame.extend(self.segment());
        frame.resize(segment, 0);
        frame
    }

    /// How the next frames are made from it, for `flows` flows.
    pub(crate) fn plan(self, walk: Walk, flows: u32) -> Plan {
        let Ipv4 {
            ttl,
            protocol,
            checksum: [a, b],
            ..
        } = self.ipv4();
        let frame = self.frame();
        let mut headers = frame[size_of::<Ethernet>()..].to_vec();
        headers.resize(60, 0);
        let word = |number| u64::from_ne_bytes(part(&headers, 8 * number));
        let plan = Plan {
            flows: flows.into(),
            fields: [ttl, protocol, a, b],
            ethernet: self.ethernet(),
            length: frame.len() as u32,
            last: u32::from_ne_bytes(part(&headers, 56)),
            words: std::array::from_fn(word),
            client: self.client(),
            ..Plan::default()
        };
        match walk {
            // Knuth's multiplier and increment for MMIX.
            Walk::Random(state) => {
                let (factor, step) = (6364136223846793005, 1442695040888963407);
                Plan {
                    state,
                    factor,
                    step,
                    ..plan
                }
            }
            Walk::InTurn => Plan {
                factor: 1,
                // Rounded up in its upper half, which the flow is read of.
                step: (((u64::MAX / u64::from(flows)) >> 32) + 1) << 32,
                ..plan
            },
        }
    }

    /// The MAC addresses, in three words.
    fn ethernet(self) -> [u32; 3] {
        let ([a, b, c, d, e, f], [g, h, i, j, k, l]) = (self.mac(), CLIENT);
        [[a, b, c, d], [e, f, g, h], [i, j, k, l]].map(u32::from_ne_bytes)
    }

    /// Where the client is in the packet.
    fn client(self) -> u64 {
        match self.shape {
            Shape::Segment | Shape::First | Shape::Later => client::SENDER,
            Shape::Error => client::INSIDE,
            Shape::Answer => client::RECEIVER,
        }
    }

    fn mac(self) -> [u8; 6] {
        if self.to == To::OtherHost {
            THIRD
        } else {
            DIRECTOR
        }
    }

    fn ipv4(self) -> Ipv4 {
        let Client { low: [a, b], .. } = Client::of(0);
        let mut ip = Ipv4 {
            version_ihl: 0x45,
            tos: 0,
            total_length: ((size_of::<Ipv4>() + self.segment_length()) as u16).into(),
            identification: u16::from_be_bytes([!a, !b]).into(),
            fragment: self.fragment().into(),
            ttl: HOPS,
            protocol: match self.shape {
                Shape::Error => ICMP,
                _ => self.protocol,
            },
            checksum: [0; 2],
            source: match self.shape {
                Shape::Error => ROUTER4,
                Shape::Answer => SERVER4,
                _ => client4(Client::of(0)),
            },
            destination: match (self.shape, self.to) {
                (Shape::Answer, _) => client4(Client::of(0)),
                (_, To::OtherAddress) => OTHER4,
                _ => VIRTUAL4,
            },
        };
        ip.checksum = ip.sum().to_field();
        ip
    }

    fn ipv6(self) -> Ipv6 {
        let client = client6(Client::of(0));
        let (source, destination) = match self.shape {
            Shape::Answer => (SERVER6, client),
            _ => (client, VIRTUAL6),
        };
        Ipv6 {
            version_class_flow: [0x60, 0, 0, 0],
            payload_length: (self.segment_length() as u16).into(),
            next_header: self.protocol,
            hop_limit: HOPS,
            source,
            destination,
        }
    }

    /// Flags and offset: "don't fragment", or "more fragments" of 24 bytes.
    fn fragment(self) -> u16 {
        match self.shape {
            Shape::Segment | Shape::Error | Shape::Answer => 0x4000,
            Shape::First => 0x2000,
            Shape::Later => 0x2000 | 3,
        }
    }

    fn segment_length(self) -> usize {
        match self.version {
            _ if self.shape == Shape::Error => ERROR4,
            Version::V4 if matches!(self.shape, Shape::First | Shape::Later) => 24,
            Version::V4 => LENGTH4 - size_of::<Ipv4>(),
            Version::V6 => LENGTH6 - size_of::<Ipv6>(),
        }
    }

    fn segment(self) -> Vec<u8> {
        if self.shape == Shape::Error {
            return self.error();
        }
        let source = u16::from_be_bytes(Client::of(0).port).into();
        let port = if self.to == To::OtherPort {
            OTHER_PORT
        } else {
            PORT
        };
        let destination = port.into();
        if self.protocol == SCTP {
            // A chunk of data, which all that follows is in.
            let sctp = Sctp {
                source: Client::of(0).port,
                destination: port.to_be_bytes(),
                tag: [1; 4],
                checksum: [0; 4],
            };
            return [sctp.as_bytes(), &[sctp::DATA, 3, 0, 8]].concat();
        }
        if self.protocol != TCP {
            let length = (self.segment_length() as u16).into();
            return Udp {
                source,
                destination,
                length,
                checksum: [0; 2],
            }
            .as_bytes()
            .to_vec();
        }
        let (source, destination) = match self.shape {
            Shape::Answer => (destination, source),
            _ => (source, destination),
        };
        let tcp = Tcp {
            source,
            destination,
            sequence: [0; 4],
            acknowledgement: [0; 4],
            data_offset: 5 << 4,
            flags: self.flags,
            window: u16::MAX.into(),
            checksum: [0; 2],
            urgent: 0.into(),
        };
        tcp.as_bytes().to_vec()
    }

    /// "Host unreachable", about an answer of the virtual address to the client.
    fn error(self) -> Vec<u8> {
        let icmp = Icmp {
            kind: 3,
            code: 1,
            checksum: [0; 2],
            rest: [0; 4],
        };
        let mut inside = Ipv4 {
            protocol: self.protocol,
            total_length: (LENGTH4 as u16).into(),
            source: VIRTUAL4,
            destination: client4(Client::of(0)),
            checksum: [0; 2],
            ..self.ipv4()
        };
        inside.checksum = inside.sum().to_field();
        let [a, b] = PORT.to_be_bytes();
        let [c, d] = Client::of(0).port;
        let ports = [a, b, c, d, 0, 0, 0, 0];
        [icmp.as_bytes(), inside.as_bytes(), &ports].concat()
    }
}

/// Bytes of the headers.
fn part<const N: usize>(headers: &[u8], at: usize) -> [u8; N] {
    std::array::from_fn(|index| headers[at + index])
}

/// In which order flows have packets.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Walk {
    /// By chance, which begins with this.
    Random(u64),
    InTurn,
}

/// IP versions for which clients make connections with the service.
pub(crate) trait Clients: Family {
    fn key_of(flow: u32, protocol: u8) -> KeyOf<Self>;
}

impl Clients for V4 {
    fn key_of(flow: u32, protocol: u8) -> KeyOf<Self> {
        key::<Self>(Client::of(flow), client4, VIRTUAL4, protocol)
    }
}

impl Clients for V6 {
    fn key_of(flow: u32, protocol: u8) -> KeyOf<Self> {
        key::<Self>(Client::of(flow), client6, VIRTUAL6, protocol)
    }
}

fn key<F: Family>(
    client: Client,
    address: fn(Client) -> F::Address,
    virtual_address: F::Address,
    protocol: u8,
) -> KeyOf<F> {
    F::key(&Endpoints {
        client: address(client),
        virtual_address,
        client_port: client.port,
        virtual_port: PORT.to_be_bytes(),
        protocol,
    })
}

fn client4(Client { low: [a, b], .. }: Client) -> [u8; 4] {
    [10, 9, a, b]
}

fn client6(Client { low: [a, b], .. }: Client) -> [u8; 16] {
    [0x20, 1, 0xd, 0xb8, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, a, b]
}
