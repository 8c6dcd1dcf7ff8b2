//! Connections that an ICMP error begins, with `schedule_icmp`.

use std::net::{IpAddr, SocketAddr};

use rlvs_engine::Reason;
use rlvs_engine::connection::State;
use rlvs_engine::destination::Destination;
use rlvs_engine::forward::Method;
use rlvs_engine::schedule::Scheduler;
use rlvs_engine::sysctl::Sysctl;
use rlvs_testing::Packet;
use rlvs_testing::packet::{ACK, ETHERNET, SCTP, SYN, chunk, icmp_error};

use crate::plane::{INTERFACE, Outcome, Plane, client, client6, vip, vip6};

fn plane() -> Plane {
    let plane = Plane::with_services();
    plane.service(4, vip(9), SCTP, Scheduler::Rr);
    plane.members(4, &[(1, 1)]);
    plane.sysctl(Sysctl::ScheduleIcmp, 1);
    plane
}

/// "Too large", to the director, about a packet of a real server in the name of a virtual service.
fn send(plane: &Plane, about: &Packet) -> Outcome {
    plane.send_frame(error(about), INTERFACE)
}

fn error(about: &Packet) -> Vec<u8> {
    let (router, header): (IpAddr, _) = match about.source {
        SocketAddr::V4(_) => ([203, 0, 113, 1].into(), [3, 4]),
        SocketAddr::V6(_) => ([0x20; 16].into(), [2, 0]),
    };
    let about_ip = &about.build()[ETHERNET..];
    icmp_error(router, about.source.ip(), header, [0, 0, 5, 0], about_ip)
}

#[test]
fn an_error_begins_the_connection_that_it_is_about() {
    let tcp = |from, to| Packet::tcp(from, to, ACK);
    let cases = [
        (tcp(vip(80), client(1)), State::None),
        (tcp(vip6(80), client6(1)), State::None),
        (Packet::udp(vip(53), client(1)), State::Udp),
        (Packet::udp(vip6(53), client6(1)), State::Udp),
        (
            Packet::sctp(vip(9), client(1), chunk::DATA),
            State::SctpNone,
        ),
    ];
    for (about, state) in cases {
        let plane = plane();
        let outcome = send(&plane, &about);
        assert_eq!(outcome.to(), Some(1), "{about:?}: {:?}", outcome.reason);
        assert_eq!(plane.entries(), [(about.destination, 1, state)]);
        assert_eq!(plane.counts(1), (0, 1));
        let length = (error(&about).len() - ETHERNET) as u64;
        assert_eq!(plane.counted(1), (1, 1, length), "{about:?}");
        assert_eq!(send(&plane, &about).to(), Some(1), "of a known connection");
        assert_eq!(plane.counted(1), (1, 2, 2 * length));
    }
}

#[test]
fn the_clients_packets_go_on_where_the_error_went() {
    let plane = Plane::with_members(Scheduler::Rr, &[(1, 1), (1, 2)]);
    plane.sysctl(Sysctl::ScheduleIcmp, 1);
    assert_eq!(
        send(&plane, &Packet::tcp(vip(80), client(1), ACK)).to(),
        Some(1)
    );
    assert_eq!(plane.tcp(2, &[SYN]), Some(2));
    assert_eq!(plane.tcp(1, &[ACK]), Some(1));
    assert_eq!(plane.state(1), Some(State::Established));
    assert_eq!(plane.counts(1), (1, 0));
}

#[test]
fn a_persistent_clients_error_goes_to_its_real_server() {
    let plane = Plane::with_members(Scheduler::Rr, &[(1, 1), (1, 2)]);
    plane.persistent(0, 360, [255; 16]);
    plane.sysctl(Sysctl::ScheduleIcmp, 1);
    assert_eq!(plane.tcp(1, &[SYN]), Some(1));
    assert_eq!(
        send(&plane, &Packet::tcp(vip(80), client(2), ACK)).to(),
        Some(1)
    );
    plane.pass_seconds(1000);
    while plane.sweep() != 0 {}
    plane.assert_empty();
}

#[test]
fn under_masquerading_the_packet_inside_is_translated() {
    let plane = plane();
    let destination = plane.destination(1);
    let flags = destination.flags.load() | Destination::with_method(Method::Masquerade);
    destination.flags.store(flags);
    destination.address[0].store(u64::from_ne_bytes([10, 0, 0, 1, 0, 0, 0, 0]));
    let outcome = send(&plane, &Packet::tcp(vip(80), client(1), ACK));
    assert_eq!(outcome.to(), Some(1), "{:?}", outcome.reason);
    let address = |at: usize| outcome.bytes[ETHERNET + at..][..4].to_vec();
    assert_eq!(
        (address(16), address(28 + 12)),
        (vec![10, 0, 0, 1], vec![10, 0, 0, 1])
    );
}

#[test]
fn other_errors_begin_nothing() {
    let about = Packet::tcp(vip(80), client(1), ACK);
    let of = |plane: &Plane, about: &Packet| {
        let reason = send(plane, about).reason;
        assert_eq!(plane.entries(), []);
        reason
    };
    let plane = plane();
    plane.sysctl(Sysctl::ScheduleIcmp, 0);
    assert_eq!(of(&plane, &about), Some(Reason::Protocol));
    plane.sysctl(Sysctl::ScheduleIcmp, 1);
    let of_no_service = Packet::tcp(vip(81), client(1), ACK);
    assert_eq!(of(&plane, &of_no_service), Some(Reason::Protocol));
    let to_a_service = Packet::tcp(client(1), vip(80), ACK);
    assert_eq!(of(&plane, &to_a_service), Some(Reason::NotVirtual));
    let outside = Packet::udp(client(2), client(1));
    assert_eq!(of(&plane, &outside), Some(Reason::NotVirtual));
    plane.sysctl(Sysctl::DropPacket, 1);
    assert_eq!(of(&plane, &about), Some(Reason::Shed));
    plane.sysctl(Sysctl::DropPacket, 0);
    plane.members(0, &[(0, 1)]);
    let outcome = send(&plane, &about);
    assert_eq!(
        (outcome.reason, outcome.told),
        (Some(Reason::NoDestination), None)
    );
}

#[test]
fn where_each_packet_is_a_connection_an_error_is_none() {
    let plane = plane();
    let mode = &plane.memory.services[1].mode;
    mode.store(mode.load() | rlvs_engine::service::Service::ONE_PACKET);
    let outcome = send(&plane, &Packet::udp(vip(53), client(1)));
    assert_eq!(outcome.reason, Some(Reason::Protocol));
    assert_eq!((plane.entries(), plane.counted(1)), (Vec::new(), (0, 0, 0)));
}
