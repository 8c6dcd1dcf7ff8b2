//! Full NAT: both ends change, and the real server is told who its client is.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};

use rlvs_engine::connection::State;
use rlvs_engine::destination::Destination;
use rlvs_engine::forward::Method;
use rlvs_engine::frame::{Route, RouteKind};
use rlvs_engine::lease::{Local, Pool};
use rlvs_engine::memory::Sizes;
use rlvs_engine::schedule::Scheduler;
use rlvs_engine::service::{filter, store_octets};
use rlvs_engine::{Family, Reason, V4, V6, Verdict};
use rlvs_testing::packet::{ACK, ETHERNET, FIN, RST, SCTP, SYN, TCP, UDP, checksum, chunk};
use rlvs_testing::{Packet, packet};

use crate::plane::{INTERFACE, Plane, client, client6, vip, vip6};

const LOCAL: [&str; 2] = ["10.0.0.5", "2001:db8::5"];
const REAL: [&str; 2] = ["10.0.1.11", "2001:db8:1::11"];
const REAL_PORT: u16 = 8080;
/// What a client's stream begins with, see [`Stream`].
const FIRST: u32 = 0x0102_0304;

fn address(of: [&str; 2], is_six: bool) -> IpAddr {
    of[usize::from(is_six)].parse().expect("an address")
}

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(four) => V4::octets(four.octets()),
        IpAddr::V6(six) => V6::octets(six.octets()),
    }
}

/// A plane whose destination 1 is by full NAT, with one local address.
fn plane(is_six: bool, protocol: u8, flags: u32, sizes: Sizes) -> Plane {
    let plane = Plane::of(sizes);
    let port = if protocol == UDP { 53 } else { 80 };
    let address_of_service = if is_six { vip6(port) } else { vip(port) };
    plane.service(0, address_of_service, protocol, Scheduler::Rr);
    plane.members(0, &[(1, 1)]);
    let record = plane.destination(1);
    let real = address(REAL, is_six);
    store_octets(&record.address, octets(real));
    record.port.store(REAL_PORT.into());
    plane.turn_on(1, Destination::with_method(Method::FullNat) | flags);
    let (word, bit) = match real {
        IpAddr::V4(four) => filter::place_of_server::<V4>(four.octets()),
        IpAddr::V6(six) => filter::place_of_server::<V6>(six.octets()),
    };
    let word = &plane.memory.filter[word as usize];
    word.store(word.load() | bit);
    give_local(&plane, is_six);
    plane.route(Route {
        kind: RouteKind::Known,
        interface: INTERFACE,
        destination: 1,
        source: 2,
    });
    plane
}

/// Number 3 is the service's only local address.
fn give_local(plane: &Plane, is_six: bool) {
    let local = &plane.memory.locals[3];
    store_octets(&local.address, octets(address(LOCAL, is_six)));
    local.flags.store(Local::USED);
    plane.memory.nodes[900].store(3);
    plane.memory.services[0].pool.store(Pool::new(900, 1).0);
}

/// A segment or datagram with a right checksum.
fn frame(packet: &Packet, sequence: u32, acknowledgement: u32, options: &[u8]) -> Vec<u8> {
    let mut bytes = packet.build();
    let at = ETHERNET + if packet.source.is_ipv4() { 20 } else { 40 };
    if packet.upper.protocol() == TCP {
        bytes[at + 4..at + 8].copy_from_slice(&sequence.to_be_bytes());
        bytes[at + 8..at + 12].copy_from_slice(&acknowledgement.to_be_bytes());
        bytes[at + 20..at + 20 + options.len()].copy_from_slice(options);
    }
    let field = at
        + if packet.upper.protocol() == TCP {
            16
        } else {
            6
        };
    bytes[field..field + 2].fill(0);
    let sum = transport_sum(&bytes).to_be_bytes();
    bytes[field..field + 2].copy_from_slice(&sum);
    bytes
}

/// The checksum over pseudo header and segment: 0 if the one in it is right.
fn transport_sum(bytes: &[u8]) -> u16 {
    let ip = &bytes[ETHERNET..];
    let (addresses, protocol, at, length) = match ip[0] >> 4 {
        4 => (
            &ip[12..20],
            ip[9],
            20,
            usize::from(ip[2]) << 8 | usize::from(ip[3]),
        ),
        _ => (
            &ip[8..40],
            ip[6],
            40,
            40 + (usize::from(ip[4]) << 8 | usize::from(ip[5])),
        ),
    };
    let segment = &ip[at..length];
    let mut all = addresses.to_vec();
    all.extend([0, protocol]);
    all.extend((segment.len() as u16).to_be_bytes());
    all.extend(segment);
    checksum(&all)
}

/// Source, destination and the segment of a frame, whose checksums must be right.
fn opened(bytes: &[u8]) -> (SocketAddr, SocketAddr, Vec<u8>) {
    assert_eq!(transport_sum(bytes), 0, "the transport checksum is wrong");
    let [source, destination] = ends(bytes);
    (source, destination, segment(bytes).to_vec())
}

/// Source and destination of a frame, whose IP header must be right.
fn ends(bytes: &[u8]) -> [SocketAddr; 2] {
    let ip = &bytes[ETHERNET..];
    let addresses: [IpAddr; 2] = if ip[0] >> 4 == 4 {
        assert_eq!(checksum(&ip[..20]), 0, "the header checksum is wrong");
        let four = |at: usize| [ip[at], ip[at + 1], ip[at + 2], ip[at + 3]];
        [four(12).into(), four(16).into()]
    } else {
        let six = |at: usize| <[u8; 16]>::try_from(&ip[at..at + 16]).expect("sixteen bytes");
        [six(8).into(), six(24).into()]
    };
    let segment = segment(bytes);
    let port = |at: usize| u16::from_be_bytes([segment[at], segment[at + 1]]);
    [
        (addresses[0], port(0)).into(),
        (addresses[1], port(2)).into(),
    ]
}

/// What is behind a frame's IP header.
fn segment(bytes: &[u8]) -> &[u8] {
    let is_four = bytes[ETHERNET] >> 4 == 4;
    &bytes[ETHERNET + if is_four { 20 } else { 40 }..]
}

/// A client's TCP stream.
struct Stream {
    plane: Plane,
    is_six: bool,
    local: SocketAddr,
}

impl Stream {
    /// With its SYN sent.
    fn begin(is_six: bool, flags: u32) -> Self {
        Self::of(plane(is_six, TCP, flags, Sizes::default()), is_six)
    }

    fn of(plane: Plane, is_six: bool) -> Self {
        let mut stream = Self {
            plane,
            is_six,
            local: client(0),
        };
        let options = [2, 4, 5, 0xb4, 4, 2, 1, 1];
        let syn = stream.send(SYN, FIRST.wrapping_sub(1), 0, &options);
        stream.local = opened(&syn).0;
        stream
    }

    fn client(&self) -> SocketAddr {
        if self.is_six { client6(1) } else { client(1) }
    }

    fn vip(&self) -> SocketAddr {
        if self.is_six { vip6(80) } else { vip(80) }
    }

    fn real(&self) -> SocketAddr {
        SocketAddr::new(address(REAL, self.is_six), REAL_PORT)
    }

    /// From the client: what the real server gets.
    fn send(&self, flags: u8, sequence: u32, payload: usize, options: &[u8]) -> Vec<u8> {
        let packet = Packet {
            payload,
            upper: packet::Upper::Tcp {
                flags,
                options: (options.len() / 4) as u8,
            },
            ..Packet::tcp(self.client(), self.vip(), flags)
        };
        let outcome = self
            .plane
            .send_frame(frame(&packet, sequence, 77, options), INTERFACE);
        assert_eq!(outcome.verdict, Verdict::Transmit, "{:?}", outcome.reason);
        outcome.bytes
    }

    /// From the real server: what the client gets.
    fn answer(&self, flags: u8, acknowledgement: u32, options: &[u8]) -> Vec<u8> {
        let packet = Packet {
            upper: packet::Upper::Tcp {
                flags,
                options: (options.len() / 4) as u8,
            },
            ..Packet::tcp(self.real(), self.local, flags)
        };
        let outcome = self
            .plane
            .send_frame(frame(&packet, 5, acknowledgement, options), INTERFACE);
        let expected = Verdict::Redirect(INTERFACE);
        assert_eq!(outcome.verdict, expected, "{:?}", outcome.reason);
        outcome.bytes
    }
}

fn word(segment: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(segment[at..at + 4].try_into().expect("four bytes"))
}

#[test]
fn both_ends_change_there_and_back() {
    for (is_six, protocol) in [(false, TCP), (false, UDP), (true, TCP), (true, UDP)] {
        let plane = plane(is_six, protocol, 0, Sizes::default());
        let from = if is_six { client6(1) } else { client(1) };
        let (vip4, vip6) = match protocol {
            TCP => (vip(80), vip6(80)),
            _ => (vip(53), vip6(53)),
        };
        let to = if is_six { vip6 } else { vip4 };
        let packet = |from, to| match protocol {
            TCP => Packet::tcp(from, to, SYN),
            _ => Packet {
                payload: 9,
                ..Packet::udp(from, to)
            },
        };
        let there = plane.send_frame(frame(&packet(from, to), 1, 0, &[]), INTERFACE);
        assert_eq!(there.verdict, Verdict::Transmit, "{:?}", there.reason);
        let (local, real, _) = opened(&there.bytes);
        assert_eq!(local.ip(), address(LOCAL, is_six));
        assert_eq!(real, SocketAddr::new(address(REAL, is_six), REAL_PORT));
        let back = plane.send_frame(frame(&packet(real, local), 1, 2, &[]), INTERFACE);
        assert_eq!(back.verdict, Verdict::Redirect(INTERFACE));
        let (source, destination, _) = opened(&back.bytes);
        assert_eq!((source, destination), (to, from));
        assert_eq!(plane.memory.counters[1].packets_back.load(), 1);
    }
}

/// SCTP's checksum covers both ports, which change at once; nothing else behind IP does.
#[test]
fn sctp_is_as_if_sent_by_the_other_ends() {
    for is_six in [false, true] {
        let plane = plane(is_six, SCTP, 0, Sizes::default());
        let (client, vip) = match is_six {
            false => (client(1), vip(80)),
            true => (client6(1), vip6(80)),
        };
        let packet = |from, to, kind| Packet {
            payload: 1001,
            ..Packet::sctp(from, to, kind)
        };
        let there = plane.send(&packet(client, vip, chunk::INIT));
        assert_eq!(there.verdict, Verdict::Transmit, "{:?}", there.reason);
        let [local, real] = ends(&there.bytes);
        assert_eq!(local.ip(), address(LOCAL, is_six));
        assert_eq!(real, SocketAddr::new(address(REAL, is_six), REAL_PORT));
        let expected = packet(local, real, chunk::INIT).build();
        assert_eq!(segment(&there.bytes), segment(&expected));
        let back = plane.send(&packet(real, local, chunk::INIT_ACK));
        assert_eq!(back.verdict, Verdict::Redirect(INTERFACE));
        let expected = packet(vip, client, chunk::INIT_ACK).build();
        assert_eq!(segment(&back.bytes), segment(&expected));
        assert_eq!(ends(&back.bytes), [vip, client]);
        if !is_six {
            assert_eq!(plane.state(1), Some(State::CookieSent));
        }
    }
}

#[test]
fn a_real_servers_other_packets_pass() {
    let stream = Stream::begin(false, 0);
    let other = SocketAddr::new(stream.local.ip(), stream.local.port() ^ 1);
    let packet = Packet::tcp(stream.real(), other, ACK);
    let outcome = stream
        .plane
        .send_frame(frame(&packet, 1, 1, &[]), INTERFACE);
    assert_eq!(outcome.reason, Some(Reason::NoAnswer));
    // Nor does a packet that claims to come from the local end find the reverse entry.
    let forged = Packet::tcp(stream.local, stream.real(), ACK);
    let outcome = stream
        .plane
        .send_frame(frame(&forged, 1, 1, &[]), INTERFACE);
    assert_eq!(outcome.verdict, Verdict::Pass);
}

#[test]
fn no_local_end_is_given_twice_and_want_of_them_is_counted() {
    let sizes = Sizes {
        connections: 150_000,
        ..Sizes::default()
    };
    let plane = plane(false, UDP, 0, sizes);
    let mut ends = HashSet::new();
    let mut refused = 0;
    for number in 0..66_000u32 {
        let [_, middle, high, low] = number.to_be_bytes();
        let from = SocketAddr::from(([198, 18, middle, high], 1000 + u16::from(low)));
        let outcome = plane.send_frame(frame(&Packet::udp(from, vip(53)), 0, 0, &[]), INTERFACE);
        match outcome.reason {
            None => assert!(ends.insert(opened(&outcome.bytes).0), "given twice"),
            Some(reason) => {
                assert_eq!(reason, Reason::NoLocalPort);
                refused += 1;
            }
        }
    }
    assert!(ends.len() > 60_000, "{}", ends.len());
    assert_eq!(plane.memory.counted(Reason::NoLocalPort), refused);
    assert!(refused > 0);
    assert!(plane.memory.locals[3].conflicts.load() > refused);
    // Nothing is left of those that were refused.
    assert_eq!(plane.entries().len(), 2 * ends.len());
    plane.pass_seconds(302);
    plane.sweep();
    plane.assert_empty();
}

#[test]
fn without_local_addresses_nothing_goes() {
    let plane = plane(false, TCP, 0, Sizes::default());
    plane.memory.services[0].pool.store(0);
    let syn = frame(&Packet::tcp(client(1), vip(80), SYN), 1, 0, &[]);
    let outcome = plane.send_frame(syn.clone(), INTERFACE);
    assert_eq!(outcome.reason, Some(Reason::NoLocalAddress));
    plane.assert_empty();
    give_local(&plane, false);
    assert_eq!(plane.send_frame(syn, INTERFACE).reason, None);
}

#[test]
fn connections_end_on_both_sides_and_leave_nothing() {
    let stream = Stream::begin(false, 0);
    stream.answer(SYN | ACK, FIRST, &[]);
    stream.send(ACK, FIRST, 0, &[]);
    assert_eq!(stream.plane.state(1), Some(State::Established));
    stream.send(FIN | ACK, FIRST, 0, &[]);
    stream.answer(FIN | ACK, FIRST + 1, &[]);
    assert_eq!(stream.plane.state(1), Some(State::TimeWait));
    stream.plane.pass_seconds(122);
    assert_eq!(stream.plane.sweep(), 1);
    stream.plane.assert_empty();
}

#[test]
fn a_reverse_entry_left_alone_goes_with_the_second_sweep() {
    let stream = Stream::begin(false, 0);
    for slot in stream
        .plane
        .memory
        .v4
        .buckets
        .iter()
        .flat_map(|it| &it.slots)
    {
        let meta = rlvs_engine::connection::Meta(slot.meta.load());
        if meta.is_clients() {
            slot.meta.store(0);
        }
    }
    assert_eq!(stream.plane.sweep(), 0);
    assert_eq!(stream.plane.sweep(), 1);
    assert_eq!(stream.plane.entries(), []);
}

#[test]
fn the_option_goes_along_until_data_was_acknowledged() {
    for is_six in [false, true] {
        let stream = Stream::begin(is_six, Destination::TOA);
        let room = if is_six { 20 } else { 8 };
        let answer = stream.answer(SYN | ACK, FIRST, &[1, 1, 2, 4, 5, 0xb4, 0, 0]);
        let (.., segment) = opened(&answer);
        let size = u16::from_be_bytes([segment[24], segment[25]]);
        assert_eq!(size, 1460 - room, "the largest segment");

        let mut option = vec![254, room as u8];
        option.extend(stream.client().port().to_be_bytes());
        match stream.client().ip() {
            IpAddr::V4(four) => option.extend(four.octets()),
            IpAddr::V6(six) => option.extend(six.octets()),
        }
        // Behind the other options without data, in front of them with data.
        let stamps = [1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8];
        let (.., segment) = opened(&stream.send(ACK, FIRST, 0, &stamps));
        assert_eq!(segment[20..], [stamps.to_vec(), option.clone()].concat());
        let (.., segment) = opened(&stream.send(ACK, FIRST, 3, &stamps));
        let expected = [option, stamps.to_vec(), vec![0, 1, 2]].concat();
        assert_eq!(segment[20..], expected);
        assert_eq!(usize::from(segment[12] >> 4) * 4, 32 + usize::from(room));

        // What acknowledges no data changes nothing, what does ends it.
        stream.answer(ACK, FIRST, &[]);
        assert_ne!(opened(&stream.send(ACK, FIRST, 0, &[])).2.len(), 20);
        stream.answer(ACK, FIRST + 3, &[]);
        assert_eq!(opened(&stream.send(ACK, FIRST + 3, 0, &[])).2.len(), 20);
    }
}

#[test]
fn an_option_without_room_is_left_out() {
    let stream = Stream::begin(true, Destination::TOA);
    let (.., segment) = opened(&stream.send(ACK, FIRST, 0, &[1; 24]));
    assert_eq!(segment.len(), 44);
}

/// What the PROXY protocol says of a client (version 2).
fn proxy_header(stream: &Stream) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21".to_vec();
    let (client, vip) = (stream.client(), stream.vip());
    match (client.ip(), vip.ip()) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            header.extend([0x11, 0, 12]);
            header.extend([a.octets(), b.octets()].concat());
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => {
            header.extend([0x21, 0, 36]);
            header.extend([a.octets(), b.octets()].concat());
        }
        _ => unreachable!("one IP version"),
    }
    header.extend(client.port().to_be_bytes());
    header.extend(vip.port().to_be_bytes());
    header
}

#[test]
fn the_proxy_header_stands_at_the_beginning_of_the_stream() {
    for is_six in [false, true] {
        let stream = Stream::begin(is_six, Destination::PROXY);
        let header = proxy_header(&stream);
        let room = header.len() as u32;
        // Selective acknowledgements would be off by the header.
        let (.., syn) = opened(&stream.send(SYN, FIRST - 1, 0, &[2, 4, 5, 0xb4, 4, 2, 1, 1]));
        assert_eq!(syn[20..], [2, 4, 5, 0xb4, 1, 1, 1, 1]);
        let (.., segment) = opened(&stream.answer(SYN | ACK, FIRST, &[]));
        assert_eq!(word(&segment, 8), FIRST);

        // With the handshake's last packet, and again should that be lost.
        for _ in 0..2 {
            let (.., segment) = opened(&stream.send(ACK, FIRST, 0, &[]));
            assert_eq!(word(&segment, 4), FIRST);
            assert_eq!(segment[20..], header);
        }
        let (.., segment) = opened(&stream.send(ACK, FIRST, 4, &[]));
        assert_eq!(segment[20..], [header.clone(), vec![0, 1, 2, 3]].concat());

        // What comes later in the stream is moved, what it acknowledges moved back.
        let (.., segment) = opened(&stream.send(ACK, FIRST + 4, 4, &[]));
        assert_eq!((word(&segment, 4), segment.len()), (FIRST + 4 + room, 24));
        for (acknowledged, seen) in [(0, 0), (1, 0), (room, 0), (room + 4, 4)] {
            let (.., segment) = opened(&stream.answer(ACK, FIRST + acknowledged, &[]));
            assert_eq!(word(&segment, 8), FIRST + seen, "{acknowledged}");
        }
        let (.., segment) = opened(&stream.send(ACK, FIRST, 4, &[]));
        assert_eq!((word(&segment, 4), segment.len()), (FIRST + room, 24));
    }
}

/// A port that the client has again, although its template keeps it where it was.
#[test]
fn a_later_connection_is_told_anew() {
    for flags in [Destination::PROXY, Destination::TOA] {
        let plane = plane(false, TCP, flags, Sizes::default());
        plane.persistent(0, 360, [0xff; 16]);
        let stream = Stream::of(plane, false);
        let told = |segment: &[u8]| match flags {
            Destination::PROXY => segment[20..] == proxy_header(&stream),
            _ => segment.len() > 20,
        };
        for first in [FIRST, FIRST.wrapping_add(100_000)] {
            stream.send(SYN, first.wrapping_sub(1), 0, &[]);
            stream.answer(SYN | ACK, first, &[]);
            let (.., segment) = opened(&stream.send(ACK, first, 0, &[]));
            assert_eq!(word(&segment, 4), first);
            assert!(told(&segment), "{segment:x?}");
            stream.send(ACK, first, 4, &[]);
            stream.answer(ACK, first.wrapping_add(40), &[]);
            stream.send(RST | ACK, first.wrapping_add(4), 0, &[]);
        }
    }
}

#[test]
fn a_syn_with_data_is_refused_where_a_header_comes_first() {
    let plane = plane(false, TCP, Destination::PROXY, Sizes::default());
    let syn = Packet {
        payload: 5,
        ..Packet::tcp(client(1), vip(80), SYN)
    };
    let outcome = plane.send_frame(frame(&syn, 1, 0, &[]), INTERFACE);
    assert_eq!(outcome.reason, Some(Reason::FastOpen));
}
