//! What `secure_tcp`, `drop_packet` and `drop_entry` do while they are in force.

use proptest::prelude::*;
use rlvs_engine::Reason;
use rlvs_engine::connection::State::{
    self, Close, Established, FinWait, Init1, SynAck, SynRecv, TimeWait, Udp,
};
use rlvs_engine::destination::Destination;
use rlvs_engine::forward::Method;
use rlvs_engine::reason::Event;
use rlvs_engine::schedule::Scheduler;
use rlvs_engine::sysctl::Sysctl;
use rlvs_engine::{V4, table};
use rlvs_testing::Packet;
use rlvs_testing::packet::chunk::{COOKIE_ECHO, INIT};
use rlvs_testing::packet::{ACK, FIN, RST, SCTP, SYN, UDP};

use crate::plane::{Plane, client, vip};

/// Its clients' packets alone pass here, or those of its real server as well.
fn secure(method: Method) -> Plane {
    let plane = Plane::with_members(Scheduler::Rr, &[(1, 1)]);
    let flags = &plane.destination(1).flags;
    flags.store(flags.load() | Destination::with_method(method));
    plane.sysctl(Sysctl::SecureTcp, 1);
    plane
}

/// States after each of these segments of a client.
fn states(plane: &Plane, flags: &[u8]) -> Vec<Option<State>> {
    let state = |&flags: &u8| {
        plane.tcp(1, &[flags]);
        plane.state(1)
    };
    flags.iter().map(state).collect()
}

#[test]
fn with_secure_tcp_a_syn_begins_in_synack() {
    let plane = secure(Method::DirectRoute);
    let flags = [SYN, SYN, ACK, ACK, FIN | ACK, SYN, RST];
    let expected = [
        SynAck,
        SynAck,
        Established,
        Established,
        FinWait,
        SynAck,
        Close,
    ];
    assert_eq!(states(&plane, &flags), expected.map(Some));
    assert_eq!(plane.counts(1), (0, 1));
}

#[test]
fn with_secure_tcp_a_client_alone_establishes_nothing_by_masquerading() {
    let plane = secure(Method::Masquerade);
    let flags = [SYN, ACK, ACK, FIN | ACK, RST];
    let expected = [SynRecv, SynRecv, SynRecv, TimeWait, Close];
    assert_eq!(states(&plane, &flags), expected.map(Some));
}

#[test]
fn what_began_with_secure_tcp_goes_on_without() {
    let plane = secure(Method::DirectRoute);
    assert_eq!(states(&plane, &[SYN]), [Some(SynAck)]);
    plane.sysctl(Sysctl::SecureTcp, 0);
    assert_eq!(
        states(&plane, &[SYN, ACK]),
        [SynRecv, Established].map(Some)
    );
    plane.sysctl(Sysctl::SecureTcp, 1);
    assert_eq!(states(&plane, &[SYN, ACK]), [Established; 2].map(Some));
}

/// Which of these packets are dropped.
fn shed(plane: &Plane, packets: impl Iterator<Item = Packet>) -> Vec<usize> {
    let outcomes = packets.map(|packet| plane.send(&packet).reason);
    let dropped = outcomes.enumerate();
    dropped
        .filter(|(_, reason)| *reason == Some(Reason::Shed))
        .map(|(number, _)| number)
        .collect()
}

#[test]
fn drop_packet_drops_the_first_of_so_many() {
    let plane = Plane::with_members(Scheduler::Rr, &[(1, 1)]);
    plane.sysctl(Sysctl::DropPacket, 10);
    let syns = (0..25).map(|port| Packet::tcp(client(port), vip(80), SYN));
    assert_eq!(shed(&plane, syns), [0, 10, 20]);
    assert_eq!(plane.counted(1).0, 22);
    let known = (1..10).map(|port| Packet::tcp(client(port), vip(80), ACK));
    assert!(shed(&plane, known).is_empty(), "of known connections");
    plane.sysctl(Sysctl::DropPacket, 1);
    let syns = (30..40).map(|port| Packet::tcp(client(port), vip(80), SYN));
    assert_eq!(
        shed(&plane, syns),
        [5, 6, 7, 8, 9],
        "the count was under way"
    );
    let syns = (40..50).map(|port| Packet::tcp(client(port), vip(80), SYN));
    assert_eq!(shed(&plane, syns).len(), 10);
    plane.sysctl(Sysctl::DropPacket, 0);
    let syns = (50..60).map(|port| Packet::tcp(client(port), vip(80), SYN));
    assert!(shed(&plane, syns).is_empty());
}

#[test]
fn drop_packet_counts_what_would_begin_a_connection() {
    let plane = Plane::new();
    for (number, protocol) in [6, UDP, SCTP].into_iter().enumerate() {
        plane.service(number as u32, vip(80), protocol, Scheduler::Rr);
        plane.members(number as u32, &[(1, 1)]);
    }
    plane.sysctl(Sysctl::DropPacket, 1);
    let cases = [
        (Packet::tcp(client(1), vip(80), SYN), Reason::Shed),
        (Packet::tcp(client(1), vip(80), SYN | ACK), Reason::Shed),
        (Packet::tcp(client(1), vip(80), ACK), Reason::NoConnection),
        (Packet::tcp(client(1), vip(81), SYN), Reason::NoService),
        (Packet::udp(client(1), vip(80)), Reason::Shed),
        (Packet::sctp(client(1), vip(80), INIT), Reason::Shed),
        (
            Packet::sctp(client(1), vip(80), COOKIE_ECHO),
            Reason::NoConnection,
        ),
    ];
    for (packet, reason) in cases {
        assert_eq!(plane.send(&packet).reason, Some(reason), "{packet:?}");
    }
    // Also where nobody would have taken it (`tcp_conn_schedule` asks before it schedules).
    plane.members(0, &[(0, 1)]);
    let syn = plane.send(&Packet::tcp(client(1), vip(80), SYN));
    assert_eq!(syn.reason, Some(Reason::Shed));
    plane.sysctl(Sysctl::SloppyTcp, 1);
    let ack = plane.send(&Packet::tcp(client(1), vip(80), ACK));
    assert_eq!(ack.reason, Some(Reason::Shed));
    plane.assert_empty();
}

proptest! {
    /// As the kernel's counter has it (`ip_vs_todrop`), whatever rates follow each other.
    #[test]
    fn drop_packet_counts_as_the_kernel(rates in prop::collection::vec(-2i32..20, 1..60)) {
        let plane = Plane::with_members(Scheduler::Rr, &[(1, 1)]);
        let mut counter = 0;
        for (port, rate) in rates.into_iter().enumerate() {
            plane.sysctl(Sysctl::DropPacket, rate.cast_unsigned());
            let drops = rate != 0 && {
                counter -= 1;
                counter <= 0
            };
            if drops {
                counter = rate;
            }
            let outcome = plane.send(&Packet::tcp(client(port as u16), vip(80), SYN));
            prop_assert_eq!(outcome.reason, drops.then_some(Reason::Shed));
        }
    }
}

/// Looks at all entries twice, as `drop_entry` does in turn; how many it ended.
fn thin(plane: &Plane) -> u64 {
    let slots = || plane.memory.v4.buckets.iter().flat_map(|it| &it.slots);
    let before = plane.memory.noted(Event::Thinned);
    slots().for_each(table::look_at);
    let ended = slots().filter(|slot| table::thin::<V4, _>(&plane.memory, slot));
    let ended = ended.count() as u64;
    assert_eq!(plane.memory.noted(Event::Thinned) - before, ended);
    ended
}

#[test]
fn drop_entry_ends_what_is_half_open() {
    let plane = Plane::new();
    for (number, protocol) in [6, UDP, SCTP].into_iter().enumerate() {
        plane.service(number as u32, vip(80), protocol, Scheduler::Rr);
        plane.members(number as u32, &[(1, 1)]);
    }
    plane.tcp(1, &[SYN]);
    plane.tcp(2, &[SYN, ACK]);
    plane.tcp(3, &[SYN, ACK, FIN | ACK]);
    plane.tcp(4, &[SYN, FIN | ACK]);
    plane.sysctl(Sysctl::SecureTcp, 1);
    plane.tcp(5, &[SYN]);
    assert_eq!(plane.state(5), Some(SynAck));
    plane.send(&Packet::udp(client(6), vip(80)));
    plane.send(&Packet::sctp(client(7), vip(80), INIT));
    assert_eq!(plane.state(7), Some(Init1));
    assert_eq!(plane.counts(1), (3, 4));
    assert_eq!(thin(&plane), 3);
    let left = [2, 3, 4, 6].map(|number| plane.state(number));
    assert_eq!(left, [Established, FinWait, TimeWait, Udp].map(Some));
    assert_eq!((plane.entries().len(), plane.counts(1)), (4, (1, 3)));
    assert_eq!(thin(&plane), 0);
}

#[test]
fn drop_entry_ends_templates_that_floods_left() {
    for (flags, assured) in [
        (&[SYN][..], false),
        (&[SYN, ACK], true),
        (&[SYN, ACK, RST], true),
    ] {
        let plane = Plane::with_members(Scheduler::Rr, &[(1, 1)]);
        plane.persistent(0, 10_000, [255; 16]);
        plane.tcp(1, flags);
        assert_eq!(plane.entries().len(), 2);
        plane.pass_seconds(2000);
        assert_eq!(plane.sweep(), 1, "the connection");
        assert_eq!(thin(&plane), u64::from(!assured), "{flags:?}");
        assert_eq!(plane.entries().len(), usize::from(assured));
    }
}

#[test]
fn drop_entry_leaves_a_template_while_a_connection_has_it() {
    let plane = Plane::with_members(Scheduler::Rr, &[(1, 1)]);
    plane.persistent(0, 10_000, [255; 16]);
    plane.tcp(1, &[SYN]);
    plane.tcp(2, &[SYN, ACK]);
    assert_eq!(thin(&plane), 1, "the half-open connection");
    assert_eq!(thin(&plane), 0);
    let states: Vec<_> = plane.entries().iter().map(|entry| entry.2).collect();
    assert_eq!(states, [State::Template, Established]);
}

/// Between the two looks at it a client comes back.
#[test]
fn drop_entry_leaves_a_template_that_is_used_again() {
    let plane = Plane::with_members(Scheduler::Rr, &[(1, 1)]);
    plane.persistent(0, 10_000, [255; 16]);
    plane.tcp(1, &[SYN]);
    plane.pass_seconds(2000);
    assert_eq!(plane.sweep(), 1, "the connection");
    let slots = || plane.memory.v4.buckets.iter().flat_map(|it| &it.slots);
    slots().for_each(table::look_at);
    plane.tcp(2, &[SYN, ACK]);
    let ended = slots().filter(|slot| table::thin::<V4, _>(&plane.memory, slot));
    assert_eq!(ended.count(), 0);
    assert_eq!(plane.entries().len(), 2);
}
