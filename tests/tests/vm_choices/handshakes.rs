//! TCP with `secure_tcp`: every segment in every state that a client's packets lead to, whether its
//! real server's answers pass or not.

use crate::generate::SECURE_TCP;
use crate::scenario::{Edit, Kind, Method, Packet, Real, Scenario, Step, Virtual};

const SERVICE: u8 = 0;
const SEGMENTS: [Kind; 5] = [Kind::SynAgain, Kind::Ack, Kind::Fin, Kind::Rst, Kind::Bare];

/// Connections of three segments, the first a SYN.
pub(crate) fn scenarios() -> impl Iterator<Item = Scenario> {
    let methods = [Method::DirectRoute, Method::Masquerade].into_iter();
    methods.enumerate().map(|(turn, method)| {
        let pairs = SEGMENTS.into_iter().flat_map(|second| {
            let third = SEGMENTS.into_iter();
            third.map(move |third| [Kind::Syn, second, third])
        });
        let packets = (2000..).zip(pairs).flat_map(|(port, kinds)| {
            let packet = move |kind| packet(port, kind);
            kinds.map(packet)
        });
        Scenario {
            ipv6: turn % 2 == 1,
            settings: vec![SECURE_TCP],
            steps: vec![Step::Edit(service(method)), Step::Send(packets.collect())],
        }
    })
}

fn packet(port: u16, kind: Kind) -> Packet {
    Packet::plain(SERVICE, port, kind)
}

fn service(method: Method) -> Vec<Edit> {
    vec![
        Edit::BeginService(Virtual::plain(SERVICE, "rr")),
        Edit::Add(Real {
            method,
            ..Real::plain(SERVICE, 0)
        }),
    ]
}
