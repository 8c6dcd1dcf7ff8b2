//! Probes by way of the virtual address: what is made of their packets and of the answers.

use std::net::{IpAddr, SocketAddr};

use proptest::prelude::*;
use rlvs_engine::destination::Tunnel;
use rlvs_engine::memory::Bytes;
use rlvs_engine::real_path::memory::Sockets;
use rlvs_engine::real_path::{Fate, Sender, Way, arrive, leave};
use rlvs_testing::Packet;
use rlvs_testing::packet::{ACK, DIRECTOR, ETHERNET, Fragment, RST, SYN, TCP, UDP};
use rlvs_testing::strategy::{dressed, packets, spoilt};

use crate::tunnels::{ALL, IPIP, outside, own};

const COOKIE: u64 = 7;
const NEXT_HOP: [u8; 6] = [0x02, 0, 0, 0, 0, 0x0a];
const SOCKET: Sender = Sender {
    cookie: COOKIE,
    is_there: true,
};
/// What the stack sends of its own.
const NOBODY: Sender = Sender {
    cookie: 1,
    is_there: false,
};

fn local(six: bool) -> SocketAddr {
    SocketAddr::new(own(six), 40_000)
}

fn server(six: bool) -> SocketAddr {
    let address: IpAddr = match six {
        true => [0x2001, 0xdb8, 0, 0xa, 0, 0, 0, 1].into(),
        false => [10, 0, 0, 1].into(),
    };
    SocketAddr::new(address, 80)
}

fn virtual_end(six: bool) -> SocketAddr {
    let address: IpAddr = match six {
        true => [0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x80].into(),
        false => [192, 0, 2, 80].into(),
    };
    SocketAddr::new(address, 80)
}

/// One socket that is connected with the server.
fn sockets(six: bool, protocol: u8, tunnel: Option<Tunnel>) -> Sockets {
    let way = Way::new(server(six), virtual_end(six).ip(), protocol, tunnel);
    let mut sockets = Sockets::default();
    sockets.ways.insert(COOKIE, way);
    sockets
}

/// As the kernel sends it to the server.
fn outgoing(mut packet: Packet) -> Packet {
    packet.from = DIRECTOR;
    packet.to = NEXT_HOP;
    packet
}

fn tcp(from: SocketAddr, to: SocketAddr, flags: u8) -> Packet {
    outgoing(Packet::tcp(from, to, flags))
}

fn left(sockets: &Sockets, packet: &Packet, sender: Sender) -> (Fate, Vec<u8>) {
    let mut frame = Bytes::received(packet.build_summed(), 2);
    let fate = leave(&mut frame, sockets, sender);
    (fate, frame.bytes)
}

fn arrived(sockets: &Sockets, packet: &Packet) -> (Fate, Vec<u8>) {
    let mut frame = Bytes::received(packet.build_summed(), 2);
    let fate = arrive(&mut frame, sockets);
    (fate, frame.bytes)
}

fn has_answer(sockets: &Sockets) -> bool {
    sockets.ways[&COOKIE].answered.load() == 1
}

#[test]
fn a_probe_goes_to_the_virtual_address_and_its_answer_comes_from_the_server() {
    for six in [false, true] {
        for protocol in [TCP, UDP] {
            let sockets = sockets(six, protocol, None);
            let between = |from, to| match protocol {
                TCP => tcp(from, to, SYN),
                _ => outgoing(Packet::udp(from, to)),
            };
            let sent = between(local(six), server(six));
            let wanted = between(local(six), virtual_end(six)).build_summed();
            assert_eq!(left(&sockets, &sent, SOCKET), (Fate::Goes, wanted));
            assert!(!has_answer(&sockets));
            let answer = between(virtual_end(six), local(six));
            let wanted = between(server(six), local(six)).build_summed();
            assert_eq!(arrived(&sockets, &answer), (Fate::Goes, wanted));
            assert!(has_answer(&sockets));
        }
    }
}

#[test]
fn through_every_tunnel() {
    for six in [false, true] {
        for tunnel in ALL {
            let sockets = sockets(six, TCP, Some(tunnel));
            let sent = tcp(local(six), server(six), ACK);
            let (fate, bytes) = left(&sockets, &sent, SOCKET);
            assert_eq!(fate, Fate::Goes, "{tunnel:?}");
            let mut inner = tcp(local(six), virtual_end(six), ACK);
            inner.hops -= 1;
            let inner = inner.build_summed()[ETHERNET..].to_vec();
            assert!(bytes.ends_with(&inner), "{tunnel:?}");
            // To the next hop that the kernel has chosen; checksums have their own tests.
            assert_eq!(bytes[..ETHERNET], sent.build_summed()[..ETHERNET]);
            if !tunnel.is_summed() && tunnel.kind() != Tunnel::GUE {
                assert!(bytes[ETHERNET..].starts_with(&outside(&inner, tunnel, six)));
            }
        }
    }
}

#[test]
fn what_is_on_its_way_is_left_alone() {
    for tunnel in [None, Some(IPIP), Some(ALL[5])] {
        let sockets = sockets(false, TCP, tunnel);
        let sent = tcp(local(false), server(false), SYN);
        let (_, bytes) = left(&sockets, &sent, SOCKET);
        let mut frame = Bytes::received(bytes.clone(), 3);
        assert_eq!(leave(&mut frame, &sockets, SOCKET), Fate::Other);
        assert_eq!(frame.bytes, bytes);
    }
}

#[test]
fn the_stack_ends_by_the_same_way_what_a_socket_has_left() {
    let sockets = sockets(false, TCP, None);
    let reset = tcp(local(false), server(false), RST);
    let (fate, bytes) = left(&sockets, &reset, NOBODY);
    assert_eq!((fate, bytes), (Fate::Other, reset.build_summed()));
    left(&sockets, &tcp(local(false), server(false), SYN), SOCKET);
    let wanted = tcp(local(false), virtual_end(false), RST).build_summed();
    assert_eq!(left(&sockets, &reset, NOBODY), (Fate::Goes, wanted));
}

#[test]
fn others_packets_are_theirs() {
    let sockets = sockets(false, TCP, None);
    let sent = tcp(local(false), server(false), SYN);
    left(&sockets, &sent, SOCKET);
    // A socket that has the port now.
    let another = Sender {
        cookie: 8,
        is_there: true,
    };
    assert_eq!(
        left(&sockets, &sent, another),
        (Fate::Other, sent.build_summed())
    );
    // The same socket's, to another port: what a tunnel has around it.
    let port = SocketAddr::new(server(false).ip(), 81);
    let other = tcp(local(false), port, SYN);
    assert_eq!(
        left(&sockets, &other, SOCKET),
        (Fate::Other, other.build_summed())
    );
    for (from, to) in [
        (virtual_end(false), SocketAddr::new(own(false), 40_001)),
        (SocketAddr::new(virtual_end(false).ip(), 81), local(false)),
        // An answer that did not come by way of the virtual address.
        (server(false), local(false)),
    ] {
        let packet = tcp(from, to, ACK);
        assert_eq!(
            arrived(&sockets, &packet),
            (Fate::Other, packet.build_summed())
        );
    }
    assert!(!has_answer(&sockets));
}

#[test]
fn what_cannot_go_by_the_way_goes_by_no_other() {
    let first = |mut packet: Packet| {
        packet.fragment = Some(Fragment {
            offset: 0,
            more: true,
        });
        packet
    };
    let of_udp = sockets(false, UDP, None);
    let sent = first(outgoing(Packet::udp(local(false), server(false))));
    assert_eq!(left(&of_udp, &sent, SOCKET).0, Fate::Lost);
    let whole = outgoing(Packet::udp(local(false), server(false)));
    assert_eq!(left(&of_udp, &whole, SOCKET).0, Fate::Goes);
    let answer = first(Packet::udp(virtual_end(false), local(false)));
    assert_eq!(arrived(&of_udp, &answer).0, Fate::Other);
    // No hop is left for it.
    let in_tunnel = sockets(false, TCP, Some(IPIP));
    let mut last = tcp(local(false), server(false), SYN);
    last.hops = 1;
    assert_eq!(left(&in_tunnel, &last, SOCKET).0, Fate::Lost);
}

proptest! {
    /// Whatever it is, it goes on as it was, or it is the probe's.
    #[test]
    fn nothing_else_is_touched(packet in any_packet(), out in any::<bool>(), is_there in any::<bool>()) {
        let sockets = sockets(false, TCP, Some(IPIP));
        left(&sockets, &tcp(local(false), server(false), SYN), SOCKET);
        let bytes = packet.build();
        let mut frame = Bytes::received(bytes.clone(), 2);
        let sender = Sender { cookie: COOKIE, is_there };
        let fate = match out {
            true => leave(&mut frame, &sockets, sender),
            false => arrive(&mut frame, &sockets),
        };
        if fate == Fate::Other {
            prop_assert_eq!(frame.bytes, bytes);
        } else {
            let [from, to] = match out {
                true => [local(false), server(false)],
                false => [virtual_end(false), local(false)],
            };
            // A socket's packets come from wherever it is bound.
            prop_assert!(packet.source == from || out && is_there);
            prop_assert_eq!(packet.destination, to);
        }
    }
}

fn any_packet() -> BoxedStrategy<Packet> {
    let ends = |six| vec![local(six), server(six), virtual_end(six)];
    let all = [ends(false), ends(true)].concat();
    spoilt(dressed(packets(all.clone(), all)))
}
