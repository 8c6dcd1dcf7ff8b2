//! The packets of a case.

use std::net::{IpAddr, SocketAddr};

use rlvs_testing::Packet;
use rlvs_testing::packet::{
    ACK, ETHERNET, Extension, FIN, PSH, RST, SYN, Upper, checksum, chunk, icmp_error,
};
use rlvs_tests::place::{own_address, router_address, server_mac};
use rlvs_tests::tunnels::Kind as Tunnel;
use rlvs_tests::wire::{CLIENT, DIRECTOR};

use crate::case::{Case, Method};
use crate::told::Told;

/// How much of a packet routers send back here.
const QUOTED: usize = 128;

/// A packet, and what is to come of it.
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) make: Make,
    pub(crate) told: Told,
    /// Directors may make an ICMP error, of which they make only so many in a time.
    pub(crate) rests: bool,
}

pub(crate) enum Make {
    Frame(Vec<u8>),
    /// An ICMP error about what the director sent last.
    About(IpAddr, Kind),
}

impl Step {
    /// The frame to send to a director that sent `last` before.
    pub(crate) fn frame(&self, last: &[u8]) -> Vec<u8> {
        match &self.make {
            Make::Frame(frame) => frame.clone(),
            Make::About(from, kind) => {
                let kept = last.len().min(ETHERNET + QUOTED);
                error(*from, own_address(from.is_ipv6()), *kind, &last[..kept])
            }
        }
    }
}

impl Case {
    pub(crate) fn steps(self) -> Vec<Step> {
        let mut steps = Steps {
            case: self,
            steps: Vec::new(),
        };
        steps.connection();
        steps.headers();
        steps.datagrams();
        steps.association();
        steps.hops_and_sizes();
        steps.errors();
        if let Method::Tunnel(_) = self.method {
            steps.errors_outside();
        }
        steps.ending();
        steps.strangers();
        steps.steps
    }
}

struct Steps {
    case: Case,
    steps: Vec<Step>,
}

impl Steps {
    fn connection(&mut self) {
        self.send("SYN", self.tcp(SYN));
        self.answer("SYN and ACK", self.tcp_answer(SYN | ACK));
        self.send("ACK", self.tcp(ACK));
        for payload in [1, 1001, 1300] {
            let packet = Packet {
                payload,
                ..self.tcp(ACK | PSH)
            };
            self.send(&format!("{payload} bytes"), packet);
            let packet = Packet {
                payload,
                ..self.tcp_answer(ACK)
            };
            self.answer(&format!("{payload} bytes back"), packet);
        }
        let options = Upper::Tcp {
            flags: ACK,
            options: 3,
        };
        let packet = Packet {
            upper: options,
            ..self.tcp(ACK)
        };
        self.send("TCP options", packet);
    }

    /// What IP headers say besides.
    fn headers(&mut self) {
        for class in [0, 1, 2, 3, 0xb8, 0xbb, 0xff] {
            self.changed(&format!("class {class:#x}"), |ip| set_class(ip, class));
        }
        if self.case.inner6 {
            self.changed("flow label", |ip| {
                ip[1..4].copy_from_slice(&[0x0a, 0xbc, 0xde])
            });
            for extension in [
                Extension::HopByHop(0),
                Extension::DestinationOptions(1),
                Extension::Routing(2),
            ] {
                let packet = Packet {
                    extensions: vec![extension],
                    ..self.tcp(ACK)
                };
                let frame = framed(self.case, &packet).build_summed();
                let told = self.without_sum();
                self.push(&format!("{extension:?}"), frame, told);
            }
            return;
        }
        self.changed("may be fragmented", |ip| ip[6] = 0);
        self.changed("the reserved bit", |ip| ip[6] = 0x80);
        for options in [1, 10] {
            let packet = Packet {
                options,
                ..self.tcp(ACK)
            };
            self.send(&format!("{options} words of IP options"), packet);
        }
    }

    fn datagrams(&mut self) {
        for payload in [0, 5, 512] {
            for (name, packet) in [("", self.udp()), (" back", self.udp_answer())] {
                if packet.source != self.case.client() && !self.is_masqueraded() {
                    continue;
                }
                let packet = Packet { payload, ..packet };
                let name = format!("UDP of {payload} bytes{name}");
                self.send(&name, packet.clone());
                let told = match self.is_masqueraded() {
                    true => Told::SummedByKernel,
                    false => self.without_sum(),
                };
                let name = format!("{name} without checksum");
                self.push(&name, unsummed(self.case, &packet), told);
            }
        }
    }

    fn association(&mut self) {
        for kind in [chunk::INIT, chunk::COOKIE_ECHO, chunk::DATA] {
            let packet = Packet {
                payload: 21,
                ..Packet::sctp(self.case.client(), self.case.vip(), kind)
            };
            let told = self.without_sum();
            let frame = framed(self.case, &packet).build();
            self.push(&format!("SCTP chunk {kind}"), frame, told);
        }
    }

    fn hops_and_sizes(&mut self) {
        for hops in [255, 2, 1] {
            let back = self.tcp_answer(ACK);
            for (name, packet) in [("hops", self.tcp(ACK)), ("hops back", back)] {
                if packet.source == self.case.client() || self.is_masqueraded() {
                    let frame = framed(self.case, &Packet { hops, ..packet }).build_summed();
                    self.push(&format!("{hops} {name}"), frame, Told::Same)
                        .rests = hops == 1;
                }
            }
        }
        let header = if self.case.inner6 { 48 } else { 28 };
        // To the byte what goes into a tunnel of IP in IPv4, and one more.
        for size in [1480, 1481, 1500] {
            let packet = Packet {
                payload: size - header,
                ..self.udp()
            };
            let frame = framed(self.case, &packet).build_summed();
            let told = match self.case.method {
                Method::Tunnel(_) => Told::BeforeHop,
                _ => Told::Same,
            };
            self.push(&format!("{size} bytes in all"), frame, told)
                .rests = true;
        }
    }

    /// ICMP errors about packets of the connection.
    fn errors(&mut self) {
        let (client, vip, real) = (self.case.client(), self.case.vip(), self.case.real());
        let router = router_address(self.case.inner6);
        let mut steps = Vec::new();
        for kind in kinds(self.case.inner6) {
            let answers = [
                (client.ip(), Packet::tcp(vip, client, ACK)),
                (router, Packet::udp(vip, client)),
            ];
            steps.extend(answers.map(|(from, about)| (kind, from, vip.ip(), about)));
            if self.is_masqueraded() {
                let packets = [
                    (real.ip(), Packet::tcp(client, real, ACK)),
                    (router, Packet::udp(client, real)),
                ];
                steps.extend(packets.map(|(from, about)| (kind, from, client.ip(), about)));
            }
        }
        for (kind, from, to, about) in steps {
            let about = Packet {
                payload: 4,
                ..about
            };
            let frame = error(from, to, kind, &about.build_summed());
            let name = format!("{} from {from} to {to}", kind.name);
            self.push(&name, frame, Told::Same);
        }
    }

    /// ICMP errors about packets in the tunnel.
    fn errors_outside(&mut self) {
        let Case { inner6, outer6, .. } = self.case;
        for kind in kinds(outer6) {
            for (number, packet) in [self.tcp(ACK), self.udp()].into_iter().enumerate() {
                self.send(
                    "before an error",
                    Packet {
                        payload: 100,
                        ..packet
                    },
                );
                let told = match (inner6 || outer6, kind.is_size(), number) {
                    (true, ..) => Told::ByUsAlone,
                    (false, true, 0) => Told::OfAnotherSize,
                    _ => Told::Same,
                };
                self.steps.push(Step {
                    name: format!("{} outside", kind.name),
                    make: Make::About(router_address(outer6), kind),
                    told,
                    rests: true,
                });
            }
        }
    }

    fn ending(&mut self) {
        self.send("FIN", self.tcp(FIN | ACK));
        self.answer("FIN back", self.tcp_answer(FIN | ACK));
        self.send("the last ACK", self.tcp(ACK));
        self.send("RST", self.tcp(RST));
    }

    /// Packets of no known connection, with `schedule_icmp` and `nat_icmp_send`.
    fn strangers(&mut self) {
        let (mut stranger, vip) = (self.case.client(), self.case.vip());
        stranger.set_port(2000);
        let router = router_address(self.case.inner6);
        let [_, size, _] = kinds(self.case.inner6);
        for about in [Packet::tcp(vip, stranger, ACK), Packet::udp(vip, stranger)] {
            let about = about.build_summed();
            let frame = error(router, vip.ip(), size, &about);
            self.push("an error of no connection", frame, Told::Same);
        }
        self.send("what it began", Packet::tcp(stranger, vip, ACK));
        if self.is_masqueraded() {
            stranger.set_port(2001);
            let real = self.case.real();
            for packet in [
                Packet::tcp(real, stranger, ACK),
                Packet::udp(real, stranger),
                Packet::sctp(real, stranger, chunk::DATA),
            ] {
                let frame = framed(self.case, &packet).build_summed();
                let told = Told::ByAnother;
                self.push("nobody asked", frame, told).rests = true;
            }
        }
    }

    fn is_masqueraded(&self) -> bool {
        self.case.method == Method::Masquerade
    }

    fn tcp(&self, flags: u8) -> Packet {
        Packet::tcp(self.case.client(), self.case.vip(), flags)
    }

    fn udp(&self) -> Packet {
        Packet::udp(self.case.client(), self.case.vip())
    }

    fn tcp_answer(&self, flags: u8) -> Packet {
        Packet::tcp(self.server(), self.case.client(), flags)
    }

    fn udp_answer(&self) -> Packet {
        Packet::udp(self.server(), self.case.client())
    }

    /// Who answers by way of the director; nobody does where it is not masquerading.
    fn server(&self) -> SocketAddr {
        match self.is_masqueraded() {
            true => self.case.real(),
            false => self.case.vip(),
        }
    }

    fn send(&mut self, name: &str, packet: Packet) {
        self.push(name, framed(self.case, &packet).build_summed(), Told::Same);
    }

    /// Only masquerading has answers.
    fn answer(&mut self, name: &str, packet: Packet) {
        if self.is_masqueraded() {
            self.send(name, packet);
        }
    }

    /// A packet, and an answer, with another IP header.
    fn changed(&mut self, name: &str, change: impl Fn(&mut [u8])) {
        let packets = [("", self.tcp(ACK)), (" back", self.tcp_answer(ACK))];
        for (suffix, packet) in packets {
            if suffix.is_empty() || self.is_masqueraded() {
                let mut frame = framed(self.case, &packet).build_summed();
                change(&mut frame[ETHERNET..]);
                sum_header(&mut frame[ETHERNET..]);
                self.push(&format!("{name}{suffix}"), frame, Told::Same);
            }
        }
    }

    fn push(&mut self, name: &str, frame: Vec<u8>, told: Told) -> &mut Step {
        self.steps.push(Step {
            name: name.to_owned(),
            make: Make::Frame(frame),
            told,
            rests: false,
        });
        self.steps.last_mut().expect("just pushed")
    }

    /// How a packet without transport checksum is told of, or one with a checksum that is not seen.
    fn without_sum(&self) -> Told {
        match self.case.method {
            Method::Tunnel(Tunnel::GreSummed | Tunnel::GueSummed | Tunnel::GueRemote) => {
                Told::WithoutSum
            }
            _ => Told::Same,
        }
    }
}

/// An ICMP error's name, type and code, and the rest of its header.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    name: &'static str,
    header: [u8; 2],
    rest: [u8; 4],
}

impl Kind {
    fn is_size(self) -> bool {
        self.rest != [0; 4]
    }
}

fn kinds(is_six: bool) -> [Kind; 3] {
    let kind = |name, header, rest| Kind { name, header, rest };
    match is_six {
        false => [
            kind("port unreachable", [3, 3], [0; 4]),
            kind("fragmentation needed", [3, 4], [0, 0, 0x05, 0x00]),
            kind("time exceeded", [11, 0], [0; 4]),
        ],
        true => [
            kind("port unreachable", [1, 4], [0; 4]),
            kind("packet too big", [2, 0], [0, 0, 0x05, 0x14]),
            kind("time exceeded", [3, 0], [0; 4]),
        ],
    }
}

/// About a frame.
fn error(from: IpAddr, to: IpAddr, kind: Kind, about: &[u8]) -> Vec<u8> {
    let mut frame = icmp_error(from, to, kind.header, kind.rest, &about[ETHERNET..]);
    frame[..6].copy_from_slice(&DIRECTOR);
    frame[6..12].copy_from_slice(&CLIENT);
    frame
}

/// From a router, or from the real server itself.
fn framed(case: Case, packet: &Packet) -> Packet {
    let from = match packet.source == case.real() {
        true => server_mac(case.number),
        false => CLIENT,
    };
    Packet {
        to: DIRECTOR,
        from,
        ..packet.clone()
    }
}

/// A datagram without checksum.
fn unsummed(case: Case, packet: &Packet) -> Vec<u8> {
    let mut frame = framed(case, packet).build_summed();
    let at = frame.len() - packet.payload - 2;
    frame[at..at + 2].fill(0);
    frame
}

fn set_class(ip: &mut [u8], class: u8) {
    match ip[0] >> 4 {
        4 => ip[1] = class,
        _ => {
            ip[0] = 0x60 | class >> 4;
            ip[1] = class << 4 | ip[1] & 15;
        }
    }
}

/// IPv4's checksum of a header without options.
fn sum_header(ip: &mut [u8]) {
    if ip[0] >> 4 == 4 {
        ip[10..12].fill(0);
        let sum = checksum(&ip[..20]);
        ip[10..12].copy_from_slice(&sum.to_be_bytes());
    }
}
