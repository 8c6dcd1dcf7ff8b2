//! SCTP: not by chance, but every chunk in every state that a client's packets lead to.

use crate::scenario::{Edit, Kind, Packet, Real, Scenario, Step, Virtual};

const SERVICE: u8 = 3;
const INIT: u8 = 1;
/// All types that IPVS tells apart, and one that it does not know.
const CHUNKS: u8 = 16;
/// Those by which a client gets on from its first packet: INIT, INIT ACK, ABORT, SHUTDOWN ACK,
/// COOKIE ECHO, SHUTDOWN COMPLETE.
const MOVING: [u8; 6] = [INIT, 2, 6, 8, 10, 14];

/// One for each second chunk, the IP version by turns: associations of three packets, each with
/// another third chunk. After the first packet they live for 4 s only, so those that remain so are
/// in a scenario of their own, which is over before that.
pub(crate) fn scenarios() -> impl Iterator<Item = Scenario> {
    let of_three = (0..CHUNKS).map(|second| {
        let thirds =
            (0..CHUNKS).filter(move |third| MOVING.contains(&second) || MOVING.contains(third));
        scenario(second, thirds.map(|third| vec![INIT, second, third]))
    });
    let waiting = (0..CHUNKS).filter(|second| !MOVING.contains(second));
    of_three.chain([scenario(0, waiting.map(|second| vec![INIT, second]))])
}

fn scenario(turn: u8, associations: impl Iterator<Item = Vec<u8>>) -> Scenario {
    let mut packets = Vec::new();
    for (port, chunks) in (2000..).zip(associations) {
        packets.push(packet(port, Kind::Chunk(INIT)));
        packets.extend(chunks[1..].iter().map(|&chunk| packet(port, again(chunk))));
    }
    Scenario {
        ipv6: turn % 2 == 1,
        settings: Vec::new(),
        steps: vec![Step::Edit(service()), Step::Send(packets)],
    }
}

fn again(chunk: u8) -> Kind {
    match chunk {
        INIT => Kind::InitAgain,
        other => Kind::Chunk(other),
    }
}

fn packet(port: u16, kind: Kind) -> Packet {
    Packet::plain(SERVICE, port, kind)
}

/// Two real servers in turn.
fn service() -> Vec<Edit> {
    let mut edits = vec![Edit::BeginService(Virtual::plain(SERVICE, "rr"))];
    edits.extend((0..2).map(|server| Edit::Add(Real::plain(SERVICE, server))));
    edits
}
