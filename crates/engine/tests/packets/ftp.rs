//! FTP by masquerading: what is said of data connections, and what becomes of those.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use proptest::prelude::*;
use rlvs_engine::connection::State;
use rlvs_engine::destination::Destination;
use rlvs_engine::forward::Method;
use rlvs_engine::frame::{Route, RouteKind};
use rlvs_engine::memory::Sizes;
use rlvs_engine::schedule::Scheduler;
use rlvs_engine::service::{filter, store_octets};
use rlvs_engine::{Family, Reason, V4, V6, Verdict};
use rlvs_testing::Packet;
use rlvs_testing::packet::{ACK, ETHERNET, FIN, SYN, TCP, Upper, checksum};

use crate::plane::{INTERFACE, Outcome, Plane, client, client6, vip, vip6};

const PASV: &str = "227 Entering Passive Mode (10,0,1,11,117,48).\r\n";
const EPSV: &str = "229 Entering Extended Passive Mode (|||30000|)\r\n";
/// What they name.
const DATA: u16 = 30_000;

/// A service for FTP with two real servers; a client's commands go to the first.
struct Site {
    plane: Plane,
    vip: SocketAddr,
    real: SocketAddr,
    client: SocketAddr,
}

impl Site {
    fn four() -> Self {
        let real = SocketAddr::from(([10, 0, 1, 11], 21));
        Self::begin(Sizes::default(), vip(21), real, client(1))
    }

    fn six() -> Self {
        let real = "[2001:db8:1::11]:21".parse().expect("an address");
        Self::begin(Sizes::default(), vip6(21), real, client6(1))
    }

    /// With the connection for commands established.
    fn begin(sizes: Sizes, vip: SocketAddr, real: SocketAddr, client: SocketAddr) -> Self {
        let plane = Plane::of(sizes);
        plane.service(0, vip, TCP, Scheduler::Rr);
        plane.members(0, &[(1, 1), (1, 2)]);
        let other = SocketAddr::new(client.ip(), 21);
        let ports = match vip.port() {
            21 => Destination::KEEPS_DATA_PORT,
            _ => 0,
        };
        for (number, real) in [(1, real), (2, other)] {
            masquerade(&plane, number, real, ports);
        }
        plane.route(Route {
            kind: RouteKind::Known,
            interface: INTERFACE,
            destination: 1,
            source: 2,
        });
        let site = Self {
            plane,
            vip,
            real,
            client,
        };
        assert_eq!(site.to_server(client, vip, SYN, "").to(), Some(1));
        assert_eq!(site.to_client(real, client, SYN | ACK, "").0, vip);
        assert_eq!(site.to_server(client, vip, ACK, "").to(), Some(1));
        site
    }

    fn send(&self, from: SocketAddr, to: SocketAddr, flags: u8, text: &str) -> Outcome {
        self.plane
            .send_frame(packet(from, to, flags, text).build_summed(), INTERFACE)
    }

    /// A client's packet, of which only addresses and ports change.
    fn to_server(&self, from: SocketAddr, to: SocketAddr, flags: u8, text: &str) -> Outcome {
        let outcome = self.send(from, to, flags, text);
        if outcome.verdict == Verdict::Transmit {
            let [source, destination] = ends(&outcome.bytes);
            let expected = packet(source, destination, flags, text).build_summed();
            assert_eq!(source, from);
            assert_eq!(segment(&outcome.bytes), segment(&expected));
        }
        outcome
    }

    /// A real server's packet: where it seems to come from, and what it says.
    fn to_client(
        &self,
        from: SocketAddr,
        to: SocketAddr,
        flags: u8,
        text: &str,
    ) -> (SocketAddr, String) {
        let outcome = self.send(from, to, flags, text);
        let expected = Verdict::Redirect(INTERFACE);
        assert_eq!(outcome.verdict, expected, "{:?}", outcome.reason);
        let [source, destination] = ends(&outcome.bytes);
        assert_eq!(destination, to);
        let said = segment(&outcome.bytes)[20..].to_vec();
        let said = String::from_utf8(said).expect("text");
        let expected = packet(source, destination, flags, &said).build_summed();
        assert_eq!(segment(&outcome.bytes), segment(&expected));
        (source, said)
    }

    fn command(&self, text: &str) {
        let outcome = self.to_server(self.client, self.vip, ACK, text);
        assert_eq!(outcome.to(), Some(1), "{:?}", outcome.reason);
    }

    fn answer(&self, text: &str) -> String {
        let (from, said) = self.to_client(self.real, self.client, ACK, text);
        assert_eq!(from, self.vip);
        said
    }

    fn at(&self, port: u16) -> [SocketAddr; 2] {
        [self.vip, self.real].map(|it| SocketAddr::new(it.ip(), port))
    }

    /// A client of the same address, on another port.
    fn port(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.client.ip(), port)
    }

    /// The client's connection to a port arrives there, and its answers come back.
    fn expect_passive(&self, from: SocketAddr, port: u16) {
        let [virtual_end, real_end] = self.at(port);
        let there = self.to_server(from, virtual_end, SYN, "");
        assert_eq!(there.verdict, Verdict::Transmit, "{:?}", there.reason);
        assert_eq!(ends(&there.bytes), [from, real_end]);
        let (source, _) = self.to_client(real_end, from, SYN | ACK, "");
        assert_eq!(source, virtual_end);
        self.to_server(from, virtual_end, ACK, "data");
        assert_eq!(self.state(from), Some(State::Established));
    }

    /// The real server's connection to the client's port does.
    fn expect_active(&self, to: SocketAddr) {
        let [virtual_end, real_end] = self.at(20);
        assert_eq!(self.to_client(real_end, to, SYN, "").0, virtual_end);
        let back = self.to_server(to, virtual_end, SYN | ACK, "");
        assert_eq!(ends(&back.bytes), [to, real_end]);
        assert_eq!(self.to_client(real_end, to, ACK, "data").0, virtual_end);
        assert_eq!(self.state(to), Some(State::Established));
    }

    fn refuses(&self, from: SocketAddr, port: u16) {
        let outcome = self.send(from, self.at(port)[0], SYN, "");
        assert_eq!(outcome.reason, Some(Reason::NoService));
    }

    fn state(&self, client: SocketAddr) -> Option<State> {
        let entries = self.plane.entries();
        let found = entries.into_iter().find(|entry| entry.0 == client);
        found.map(|(_, _, state)| state)
    }

    fn listening(&self) -> usize {
        let entries = self.plane.entries();
        let listens = |entry: &&(SocketAddr, u32, State)| entry.2 == State::Listen;
        entries.iter().filter(listens).count()
    }
}

fn packet(from: SocketAddr, to: SocketAddr, flags: u8, text: &str) -> Packet {
    let text: &'static str = text.to_owned().leak();
    Packet {
        payload: text.len(),
        message: text,
        ..Packet::tcp(from, to, flags)
    }
}

fn masquerade(plane: &Plane, number: u32, real: SocketAddr, ports: u32) {
    let record = plane.destination(number);
    let (octets, (word, bit)) = match real.ip() {
        IpAddr::V4(four) => {
            let octets = four.octets();
            (V4::octets(octets), filter::place_of_server::<V4>(octets))
        }
        IpAddr::V6(six) => (six.octets(), filter::place_of_server::<V6>(six.octets())),
    };
    store_octets(&record.address, octets);
    record.port.store(real.port().into());
    let method = Destination::with_method(Method::Masquerade);
    plane.turn_on(number, method | ports);
    let word = &plane.memory.filter[word as usize];
    word.store(word.load() | bit);
}

fn segment(bytes: &[u8]) -> &[u8] {
    let is_four = bytes[ETHERNET] >> 4 == 4;
    &bytes[ETHERNET + if is_four { 20 } else { 40 }..]
}

/// Source and destination of a frame, whose IP header must be right.
fn ends(bytes: &[u8]) -> [SocketAddr; 2] {
    let ip = &bytes[ETHERNET..];
    let addresses: [IpAddr; 2] = if ip[0] >> 4 == 4 {
        assert_eq!(checksum(&ip[..20]), 0, "the header checksum is wrong");
        [12, 16].map(|at| <[u8; 4]>::try_from(&ip[at..at + 4]).expect("four").into())
    } else {
        [8, 24].map(|at| {
            <[u8; 16]>::try_from(&ip[at..at + 16])
                .expect("sixteen")
                .into()
        })
    };
    let segment = segment(bytes);
    let port = |at: usize| u16::from_be_bytes([segment[at], segment[at + 1]]);
    [
        (addresses[0], port(0)).into(),
        (addresses[1], port(2)).into(),
    ]
}

#[test]
fn the_answer_to_pasv_names_the_virtual_address() {
    let site = Site::four();
    let expected = "227 Entering Passive Mod (192,0,2,80,117,48).\r\n";
    assert_eq!(site.answer(PASV), expected);
    assert_eq!(site.answer(PASV), expected, "sent again");
    site.expect_passive(site.port(50_000), DATA);
    assert_eq!(site.listening(), 0);
}

#[test]
fn ports_in_answers_are_open_to_their_client_once() {
    for site in [Site::four(), Site::six()] {
        site.refuses(site.port(50_000), DATA);
        site.command("EPSV\r\n");
        assert_eq!(site.answer(EPSV), EPSV);
        assert_eq!(site.listening(), 1);
        site.refuses(site.port(50_000), DATA + 1);
        let other = match site.vip {
            SocketAddr::V4(_) => "203.0.113.9:50000",
            SocketAddr::V6(_) => "[2001:db8:9::9]:50000",
        };
        site.refuses(other.parse().expect("an address"), DATA);
        site.expect_passive(site.port(50_000), DATA);
        site.refuses(site.port(50_001), DATA);
        // IPVS counts what it schedules: the connection for commands.
        let (connections, packets, _) = site.plane.counted(1);
        assert_eq!((connections, packets), (1, 5));
        assert_eq!(site.plane.counts(1), (2, 0));
    }
}

#[test]
fn real_servers_reach_the_ports_that_clients_name() {
    for (site, command) in [
        (Site::four(), "PORT 198,51,100,1,195,80\r\n"),
        (Site::four(), "EPRT |1|198.51.100.1|50000|\r\n"),
        (Site::six(), "EPRT |2|2001:db8::1|50000|\r\n"),
    ] {
        let [_, from] = site.at(20);
        let early = site.send(from, site.port(50_000), SYN, "");
        assert_eq!(early.reason, Some(Reason::NoAnswer));
        site.command(command);
        assert_eq!(site.listening(), 1);
        let elsewhere = site.send(from, site.port(50_001), SYN, "");
        assert_eq!(elsewhere.reason, Some(Reason::NoAnswer));
        site.expect_active(site.port(50_000));
        assert_eq!(site.plane.counts(1), (2, 0));
    }
}

/// Its data port is 20 all the same.
#[test]
fn a_real_server_may_be_on_another_port() {
    let real = SocketAddr::from(([10, 0, 1, 11], 2121));
    let site = Site::begin(Sizes::default(), vip(21), real, client(1));
    site.command("PORT 198,51,100,1,195,80\r\n");
    let from = SocketAddr::new(real.ip(), 20);
    let (source, _) = site.to_client(from, site.port(50_000), SYN, "");
    assert_eq!(source, vip(20));
    let back = site.to_server(site.port(50_000), source, SYN | ACK, "");
    assert_eq!(ends(&back.bytes)[1], from);
    site.answer(PASV);
    site.expect_passive(site.port(50_001), DATA);
}

#[test]
fn what_names_no_end_of_its_own_is_left() {
    let site = Site::four();
    for text in [
        "220 Ready.\r\n",
        "227 Entering Passive Mode (10,0,1,11,0,22).\r\n",
        "227 Entering Passive Mode (10,0,1,11,117",
        "500 227 (10,0,1,11,117,48)?\r\n",
        "229 Entering Extended Passive Mode (|||22|)\r\n",
        "PORT 198,51,100,1,195,80\r\n",
    ] {
        assert_eq!(site.answer(text), text);
    }
    for text in [
        PASV,
        "PORT 198,51,100,1,0,80\r\n",
        "\r\n",
        "RETR 227 (1,1,1,1,9,9)\r\n",
    ] {
        site.command(text);
    }
    assert_eq!(site.plane.entries().len(), 1);
    // A server that names the virtual address, or one in front of it, does so on purpose.
    for text in [
        "227 Entering Passive Mode (192,0,2,80,117,48).\r\n",
        "227 Entering Passive Mode (203,0,113,5,117,48).\r\n",
    ] {
        assert_eq!(site.answer(text), text);
        site.expect_passive(site.port(50_000 + text.len() as u16), DATA);
    }
}

#[test]
fn services_on_other_ports_say_what_they_like() {
    let site = Site::begin(
        Sizes::default(),
        vip(2121),
        SocketAddr::from(([10, 0, 1, 11], 21)),
        client(1),
    );
    assert_eq!(site.answer(PASV), PASV);
    site.command("PORT 198,51,100,1,195,80\r\n");
    assert_eq!(site.plane.entries().len(), 1);
}

/// Else a client could fill the table by naming ports.
#[test]
fn one_connection_is_announced_at_a_time() {
    let site = Site::four();
    for port in 1024..1124u16 {
        let [high, low] = port.to_be_bytes();
        site.command(&format!("PORT 198,51,100,1,{high},{low}\r\n"));
        assert_eq!(site.listening(), 1);
    }
    site.answer(PASV);
    assert_eq!(site.listening(), 1);
    assert_eq!(site.plane.counts(1), (1, 1));
    site.expect_passive(site.port(50_000), DATA);
    site.answer(EPSV);
    assert_eq!(site.listening(), 1, "what has begun goes on");
    assert_eq!(site.state(site.port(50_000)), Some(State::Established));
}

#[test]
fn what_was_announced_is_awaited_for_its_time() {
    let site = Site::four();
    site.answer(PASV);
    site.plane.pass_seconds(119);
    site.expect_passive(site.port(50_000), DATA);
    site.answer(PASV);
    site.plane.pass_seconds(121);
    site.refuses(site.port(50_001), DATA);
    site.answer(PASV);
    site.expect_passive(site.port(50_001), DATA);
    site.answer(PASV);
    site.plane.turn_off(1, Destination::AVAILABLE);
    let late = site.send(site.port(50_002), site.at(DATA)[0], SYN, "");
    assert_eq!(late.reason, Some(Reason::DestinationGone));
}

#[test]
fn commands_wait_for_their_data() {
    let site = Site::four();
    site.answer(PASV);
    let data = site.port(50_000);
    site.expect_passive(data, DATA);
    for _ in 0..10 {
        site.plane.pass_seconds(600);
        site.to_server(data, site.at(DATA)[0], ACK, "more");
        site.plane.sweep();
    }
    assert_eq!(site.answer("226 Transfer complete.\r\n").len(), 24);
    for from in [data, site.client] {
        let to = if from == data {
            site.at(DATA)
        } else {
            site.at(21)
        };
        site.to_server(from, to[0], FIN | ACK, "");
        site.to_client(to[1], from, FIN | ACK, "");
    }
    for _ in 0..2 {
        site.plane.pass_seconds(130);
        site.plane.sweep();
    }
    site.plane.assert_empty();
}

#[test]
fn a_full_table_has_room_for_data() {
    let sizes = Sizes {
        connections: 12,
        ..Sizes::default()
    };
    let real = SocketAddr::from(([10, 0, 1, 11], 21));
    let site = Site::begin(sizes, vip(21), real, client(1));
    for number in 100..200 {
        site.send(client(number), site.vip, SYN, "");
    }
    site.answer(PASV);
    site.expect_passive(site.port(50_000), DATA);
    site.command("PORT 198,51,100,1,195,81\r\n");
    site.expect_active(site.port(50_001));
}

/// A template is from a client's port 0 as well.
#[test]
fn templates_are_not_taken_for_announced_connections() {
    let site = Site::four();
    site.plane.service(1, site.at(DATA)[0], TCP, Scheduler::Rr);
    site.plane.members(1, &[(1, 3)]);
    site.plane.persistent(1, 60, [255; 16]);
    assert_eq!(
        site.send(site.port(50_000), site.at(DATA)[0], SYN, "").to(),
        Some(3)
    );
    site.answer(PASV);
    site.expect_passive(site.port(50_001), DATA);
    assert_eq!(
        site.send(site.port(50_002), site.at(DATA)[0], SYN, "").to(),
        Some(3)
    );
}

/// A `227` with whatever stands around its numbers.
fn texts() -> impl Strategy<Value = (String, String, u16, String)> {
    let before = "[A-Za-z ]{8,40}[ (=]";
    (
        before,
        1024u16..,
        "[). ]{0,3}\r\n",
        "|200 Ok\r\n|220-a\r\n220 b\r\n",
    )
        .prop_map(|(before, port, after, line)| (line, before, port, after))
}

fn numbers(address: Ipv4Addr, port: u16) -> String {
    let ([a, b, c, d], [high, low]) = (address.octets(), port.to_be_bytes());
    format!("{a},{b},{c},{d},{high},{low}")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Both sides see the same stream, but for the address and the words in front of it; not even
    /// a sequence number, an acknowledgement or an option changes.
    #[test]
    fn streams_differ_by_the_address_alone(
        real in any::<[u8; 4]>(),
        virtual_address in any::<[u8; 4]>(),
        (line, before, port, after) in texts(),
        options in 0u8..=10,
        numbers_of_segment in any::<[u8; 8]>(),
    ) {
        prop_assume!(real != virtual_address && real != [198, 51, 100, 1]);
        let (real, virtual_address) = (Ipv4Addr::from(real), Ipv4Addr::from(virtual_address));
        let site = Site::begin(
            Sizes::default(),
            SocketAddr::new(virtual_address.into(), 21),
            SocketAddr::new(real.into(), 21),
            client(1),
        );
        let text = format!("{line}227 {before}{}{after}", numbers(real, port));
        let sent = Packet {
            upper: Upper::Tcp { flags: ACK, options },
            ..packet(site.real, site.client, ACK, &text)
        };
        let sent = with_numbers(sent.build_summed(), numbers_of_segment);
        let header = 20 + 4 * usize::from(options);
        let got: Vec<_> = (0..2).map(|_| site.plane.send_frame(sent.clone(), INTERFACE)).collect();
        prop_assert_eq!(&got[0].bytes, &got[1].bytes, "sent again");
        let got = &got[0].bytes;
        prop_assert_eq!(got.len(), sent.len());
        prop_assert_eq!(ends(got), [site.vip, site.client]);
        prop_assert!(is_summed(got));
        prop_assert_eq!(&segment(got)[2..16], &segment(&sent)[2..16]);
        prop_assert_eq!(&segment(got)[18..header], &segment(&sent)[18..header]);
        let said = std::str::from_utf8(&segment(got)[header..]).expect("text");
        let expected = format!("{}{after}", numbers(virtual_address, port));
        prop_assert!(said.ends_with(&expected), "{said:?}");
        prop_assert!(said.starts_with(&format!("{line}227 ")), "{said:?}");
        let words = &said[line.len() + 4..said.len() - expected.len()];
        prop_assert!(!words.contains(|it: char| it.is_ascii_digit()), "{said:?}");
        prop_assert_eq!(words.chars().last(), before.chars().last());
        site.expect_passive(site.port(50_000), port);
    }
}

/// With other sequence numbers than nought, and the checksum for them.
fn with_numbers(mut frame: Vec<u8>, numbers: [u8; 8]) -> Vec<u8> {
    let at = ETHERNET + 20;
    frame[at + 4..at + 12].copy_from_slice(&numbers);
    frame[at + 16..at + 18].fill(0);
    let sum = checksum(&covered(&frame)).to_be_bytes();
    frame[at + 16..at + 18].copy_from_slice(&sum);
    frame
}

fn is_summed(frame: &[u8]) -> bool {
    checksum(&covered(frame)) == 0
}

/// What TCP's checksum covers in a frame of IPv4.
fn covered(frame: &[u8]) -> Vec<u8> {
    let segment = segment(frame);
    let length = (segment.len() as u16).to_be_bytes();
    let addresses = &frame[ETHERNET + 12..ETHERNET + 20];
    [addresses, &[0, TCP], &length, segment].concat()
}
