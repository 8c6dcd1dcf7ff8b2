//! What IPVS's sysctls change.

use std::net::{IpAddr, SocketAddr};

use rlvs_engine::connection::State::{self, Close, Established, SctpEstablished, SynRecv};
use rlvs_engine::destination::Destination;
use rlvs_engine::schedule::Scheduler;
use rlvs_engine::service::{MARKED, ServiceKey, filter};
use rlvs_engine::sysctl::Sysctl;
use rlvs_engine::{Reason, V4, V6};
use rlvs_testing::Packet;
use rlvs_testing::packet::chunk::{ABORT, COOKIE_ECHO, DATA, SHUTDOWN_ACK};
use rlvs_testing::packet::{ACK, ETHERNET, FIN, PSH, RST, SCTP, SYN, TCP, UDP};

use crate::plane::{Plane, client, client6, vip};

/// Connections with destination 1, which is gone then; 2 serves.
fn without_its_destination(value: u32, begun: &[Packet]) -> Plane {
    let plane = Plane::new();
    for (number, protocol) in [6, UDP, SCTP].into_iter().enumerate() {
        plane.service(number as u32, vip(80), protocol, Scheduler::Rr);
        plane.members(number as u32, &[(1, 1)]);
    }
    for packet in begun {
        assert_eq!(plane.send(packet).to(), Some(1));
    }
    plane.turn_off(1, Destination::AVAILABLE);
    (0..3).for_each(|service| plane.members(service, &[(1, 2)]));
    plane.sysctl(Sysctl::ExpireNodestConn, value);
    plane
}

#[test]
fn expire_nodest_conn_sends_clients_of_a_removed_destination_elsewhere() {
    let udp = Packet::udp(client(1), vip(80));
    let tcp = |flags| Packet::tcp(client(1), vip(80), flags);
    for again in [udp, tcp(SYN)] {
        let plane = without_its_destination(0, std::slice::from_ref(&again));
        assert_eq!(plane.send(&again).reason, Some(Reason::DestinationGone));
        let plane = without_its_destination(1, std::slice::from_ref(&again));
        assert_eq!(plane.send(&again).to(), Some(2));
        assert_eq!(plane.entries().len(), 1);
        assert_eq!(plane.counts(1), (0, 0));
    }
    for flags in [ACK, FIN | ACK, RST] {
        let plane = without_its_destination(1, &[tcp(SYN), tcp(ACK)]);
        let outcome = plane.send(&tcp(flags));
        assert_eq!(
            outcome.reason,
            Some(Reason::NoConnection),
            "the stack ends it"
        );
        plane.assert_empty();
    }
}

#[test]
fn expire_nodest_conn_ends_what_a_removed_destination_had() {
    let begun = [
        Packet::tcp(client(1), vip(80), SYN),
        Packet::udp(client(2), vip(80)),
    ];
    for (value, ended) in [(0, 0), (1, 2)] {
        let plane = without_its_destination(value, &begun);
        assert_eq!(plane.sweep(), ended, "{value}");
        assert_eq!(plane.entries().len(), 2 - ended);
    }
}

#[test]
fn expire_nodest_conn_ends_templates_too() {
    let plane = Plane::with_members(Scheduler::Rr, &[(1, 1)]);
    plane.persistent(0, 360, [255; 16]);
    plane.tcp(1, &[SYN]);
    plane.sysctl(Sysctl::ExpireNodestConn, 1);
    assert_eq!(plane.sweep(), 0);
    plane.turn_off(1, Destination::AVAILABLE);
    assert_eq!(plane.sweep(), 2);
    plane.assert_empty();
}

#[test]
fn expire_nodest_conn_lets_a_syn_leave_a_destination_without_weight() {
    for (value, flags, expected) in [(0, SYN, 1), (1, SYN, 2), (1, ACK, 1)] {
        let plane = Plane::with_members(Scheduler::Rr, &[(1, 1), (1, 2)]);
        plane.tcp(1, &[SYN, ACK]);
        plane.members(0, &[(0, 1), (1, 2)]);
        plane.sysctl(Sysctl::ExpireNodestConn, value);
        assert_eq!(plane.tcp(1, &[flags]), Some(expected), "{value} {flags}");
        assert_eq!(plane.entries().len(), 1);
    }
}

#[test]
fn expire_quiescent_template_forgets_a_destination_without_weight() {
    for (value, expected) in [(0, 1), (1, 2)] {
        let plane = Plane::with_members(Scheduler::Rr, &[(1, 1), (1, 2)]);
        plane.persistent(0, 360, [255; 16]);
        plane.sysctl(Sysctl::ExpireQuiescentTemplate, value);
        let twice = [plane.tcp(1, &[SYN]), plane.tcp(2, &[SYN])];
        assert_eq!(twice, [Some(1); 2], "it has weight");
        plane.members(0, &[(0, 1), (1, 2)]);
        assert_eq!(plane.tcp(3, &[SYN]), Some(expected), "a new connection");
        assert_eq!(plane.tcp(1, &[ACK]), Some(1), "a connection that is there");
        let of = |destination: usize| plane.memory.loads[destination].persistent.load();
        assert_eq!((of(1), of(2)), (2 - expected, expected - 1));
        plane.pass_seconds(2000);
        while plane.sweep() != 0 {}
        plane.assert_empty();
    }
}

#[test]
fn a_drained_destination_is_forgotten_whatever_the_setting() {
    let plane = Plane::with_members(Scheduler::Rr, &[(1, 1), (1, 2)]);
    plane.persistent(0, 360, [255; 16]);
    assert_eq!(plane.tcp(1, &[SYN]), Some(1));
    plane.members(0, &[(0, 1), (1, 2)]);
    assert_eq!(plane.tcp(2, &[SYN]), Some(1), "weight 0 alone");
    let flags = &plane.memory.destinations[1].flags;
    flags.store(flags.load() | Destination::DRAINING);
    assert_eq!(plane.tcp(3, &[SYN]), Some(2), "a new connection");
    assert_eq!(plane.tcp(1, &[ACK]), Some(1), "a connection that is there");
}

#[test]
fn expire_quiescent_udp_moves_flows_with_their_next_packet() {
    let udp = Packet::udp(client(1), vip(80));
    let tcp = |flags| Packet::tcp(client(1), vip(80), flags);
    for (value, expected) in [(0, 1), (1, 2)] {
        let plane = Plane::new();
        for (number, protocol) in [6, UDP].into_iter().enumerate() {
            plane.service(number as u32, vip(80), protocol, Scheduler::Rr);
            plane.members(number as u32, &[(1, 1)]);
        }
        plane.sysctl(Sysctl::ExpireQuiescentUdp, value);
        for packet in [&udp, &udp, &tcp(SYN), &tcp(ACK)] {
            assert_eq!(plane.send(packet).to(), Some(1));
        }
        (0..2).for_each(|service| plane.members(service, &[(0, 1), (1, 2)]));
        assert_eq!(plane.send(&udp).to(), Some(expected));
        assert_eq!(plane.send(&udp).to(), Some(expected));
        assert_eq!(plane.send(&tcp(ACK)).to(), Some(1), "TCP stays");
        assert_eq!(plane.entries().len(), 2);
        assert_eq!(plane.counts(expected), (u32::from(expected == 1), 1));
    }
}

/// Else each packet would be a new connection to the same destination.
#[test]
fn expire_quiescent_udp_leaves_those_whom_persistence_sends_there() {
    let udp = Packet::udp(client(1), vip(80));
    let plane = Plane::new();
    plane.service(0, vip(80), UDP, Scheduler::Rr);
    plane.members(0, &[(1, 1)]);
    plane.persistent(0, 360, [255; 16]);
    plane.sysctl(Sysctl::ExpireQuiescentUdp, 1);
    assert_eq!(plane.send(&udp).to(), Some(1));
    plane.members(0, &[(0, 1), (1, 2)]);
    assert_eq!(plane.send(&udp).to(), Some(1));
    plane.sysctl(Sysctl::ExpireQuiescentTemplate, 1);
    assert_eq!(plane.send(&udp).to(), Some(2));
    assert_eq!(plane.send(&udp).to(), Some(2));
}

/// What a TCP segment meets that is of no known connection.
fn first_segment(sloppy: u32, flags: u8) -> (Option<Reason>, Option<State>) {
    let plane = Plane::with_members(Scheduler::Rr, &[(1, 1)]);
    plane.sysctl(Sysctl::SloppyTcp, sloppy);
    let outcome = plane.send(&Packet::tcp(client(1), vip(80), flags));
    (outcome.reason, plane.state(1))
}

#[test]
fn sloppy_tcp_begins_by_any_segment_but_a_reset() {
    let no = (Some(Reason::NoConnection), None);
    for flags in [ACK, ACK | PSH, FIN | ACK, 0, RST, RST | SYN] {
        assert_eq!(first_segment(0, flags), no, "{flags}");
    }
    let begun = [
        (SYN, SynRecv),
        (ACK, Established),
        (ACK | PSH, Established),
        (FIN | ACK, Close),
        (0, Close),
    ];
    for (flags, state) in begun {
        assert_eq!(first_segment(1, flags), (None, Some(state)), "{flags}");
    }
    for flags in [RST, RST | ACK, RST | SYN] {
        assert_eq!(first_segment(1, flags), no, "{flags}");
    }
}

#[test]
fn sloppy_tcp_leaves_flows_without_an_entry_where_they_are() {
    let chosen = [0, 1].map(|sloppy| {
        let plane = Plane::with_members(Scheduler::Rr, &[(1, 1), (1, 2)]);
        plane.sysctl(Sysctl::SloppyTcp, sloppy);
        plane.memory.settings.last_stateless.store(plane.now());
        plane.memory.settings.ever_stateless.store(1);
        (0..32)
            .map(|number| plane.tcp(number, &[ACK]))
            .collect::<Vec<_>>()
    });
    assert_eq!(chosen[0], chosen[1]);
    assert!(
        chosen[0].windows(2).any(|both| both[0] == both[1]),
        "not in turn"
    );
    assert!(chosen[0].iter().all(Option::is_some));
}

#[test]
fn sloppy_sctp_begins_by_any_chunk_but_an_abort() {
    let first = |sloppy, kind| {
        let plane = Plane::new();
        plane.service(0, vip(9), SCTP, Scheduler::Rr);
        plane.members(0, &[(1, 1)]);
        plane.sysctl(Sysctl::SloppySctp, sloppy);
        let outcome = plane.send(&Packet::sctp(client(1), vip(9), kind));
        (outcome.reason, plane.state(1))
    };
    let no = (Some(Reason::NoConnection), None);
    for kind in [DATA, COOKIE_ECHO, SHUTDOWN_ACK, ABORT] {
        assert_eq!(first(0, kind), no, "chunk {kind}");
    }
    assert_eq!(first(1, DATA), (None, Some(SctpEstablished)));
    assert_eq!(first(1, COOKIE_ECHO), (None, Some(SctpEstablished)));
    assert_eq!(first(1, SHUTDOWN_ACK), (None, Some(State::Closed)));
    assert_eq!(first(1, ABORT), no);
}

/// A packet of a real server on port 80 to somebody who did not ask: why it did not go on, and the
/// ICMP type and code that the real server got.
fn unasked(plane: &Plane, packet: &Packet) -> (Option<Reason>, Option<[u8; 2]>) {
    let outcome = plane.send(packet);
    let header = if packet.source.is_ipv6() { 40 } else { 20 };
    let told = outcome.told.map(|frame| {
        let address = if packet.source.is_ipv6() {
            24..40
        } else {
            16..20
        };
        let to: Vec<u8> = frame[ETHERNET..][address].to_vec();
        assert_eq!(to, octets(packet.source.ip()));
        [0, 1].map(|at| frame[ETHERNET + header + at])
    });
    (outcome.reason, told)
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().into(),
        IpAddr::V6(address) => address.octets().into(),
    }
}

/// Two real servers of TCP on port 80, one of either IP version.
fn with_real_servers() -> (Plane, [SocketAddr; 2]) {
    let plane = Plane::new();
    let (four, six) = ([10, 0, 0, 1], [0xfd; 16]);
    let places = [
        filter::place_of_server::<V4>(four),
        filter::place_of_server::<V6>(six),
    ];
    for (word, bit) in places {
        plane.memory.filter[word as usize].store(bit);
    }
    let port = 80u16.to_be_bytes();
    let key = ServiceKey::of_server(four, port, TCP);
    plane.memory.v4.set_service(key, Some(0));
    let key = ServiceKey::of_server(six, port, TCP);
    plane.memory.v6.set_service(key, Some(0));
    let servers = [IpAddr::from(four), IpAddr::from(six)];
    (plane, servers.map(|address| SocketAddr::new(address, 80)))
}

#[test]
fn nat_icmp_send_tells_real_servers_of_connections_that_are_not_known() {
    let (plane, [four, six]) = with_real_servers();
    let nobody = (Some(Reason::NoAnswer), None);
    for (server, client, error) in [(four, client(1), [3, 3]), (six, client6(1), [1, 4])] {
        let tcp = |flags| Packet::tcp(server, client, flags);
        plane.sysctl(Sysctl::NatIcmpSend, 0);
        assert_eq!(unasked(&plane, &tcp(ACK)), nobody);
        plane.sysctl(Sysctl::NatIcmpSend, 1);
        for flags in [ACK, SYN | ACK, FIN | ACK] {
            plane.pass_seconds(1);
            let told = (Some(Reason::NotAsked), Some(error));
            assert_eq!(unasked(&plane, &tcp(flags)), told);
        }
        assert_eq!(
            unasked(&plane, &tcp(ACK)),
            (Some(Reason::NotAsked), None),
            "so soon"
        );
        plane.pass_seconds(1);
        let other_port = SocketAddr::new(server.ip(), 81);
        for packet in [
            tcp(RST),
            tcp(RST | ACK),
            Packet::tcp(other_port, client, ACK),
            Packet::udp(server, client),
        ] {
            assert_eq!(unasked(&plane, &packet), nobody, "{packet:?}");
        }
    }
}

/// Of services by firewall mark it is all that speaks on the port.
#[test]
fn nat_icmp_send_knows_servers_by_firewall_mark_in_every_protocol() {
    let (plane, [server, _]) = with_real_servers();
    let key = ServiceKey::of_server([10, 0, 0, 1], 9u16.to_be_bytes(), MARKED);
    plane.memory.v4.set_service(key, Some(0));
    plane.sysctl(Sysctl::NatIcmpSend, 1);
    let server = SocketAddr::new(server.ip(), 9);
    let (told, nobody) = (
        (Some(Reason::NotAsked), Some([3, 3])),
        (Some(Reason::NoAnswer), None),
    );
    for (packet, expected) in [
        (Packet::tcp(server, client(1), ACK), told),
        (Packet::udp(server, client(1)), told),
        (Packet::sctp(server, client(1), DATA), told),
        (Packet::sctp(server, client(1), ABORT), nobody),
    ] {
        plane.pass_seconds(1);
        assert_eq!(unasked(&plane, &packet), expected, "{packet:?}");
    }
}
