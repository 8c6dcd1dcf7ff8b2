//! Frames of clients, and what is read from those that a director sends on.

use std::net::{IpAddr, SocketAddr};

use rlvs_control::Protocol;
use rlvs_tests::wire::{CLIENT, DIRECTOR};
use rlvs_wire::Checksum;
use rlvs_wire::sctp::INIT;
use rlvs_wire::tcp::{ACK, FIN, RST, SYN};

use crate::scenario::{Kind, Packet, World, protocol};

/// A packet as it comes in; `number` is in it, and comes out again.
pub(crate) fn build(world: &World, packet: &Packet, number: u32) -> Vec<u8> {
    let source = SocketAddr::new(world.client(packet.client), packet.port);
    let destination = SocketAddr::new(world.vip(), packet.to);
    let (protocol, body) = match protocol(packet.service) {
        Protocol::Udp => (17, udp(source, destination, number)),
        Protocol::Sctp => (132, sctp(source, destination, number, chunk(packet.kind))),
        Protocol::Tcp => (6, tcp(source, destination, number, flags(packet.kind))),
    };
    let mut frame = [DIRECTOR, CLIENT].concat();
    match (source.ip(), destination.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            frame.extend([8, 0]);
            frame.extend(ipv4(
                source.octets(),
                destination.octets(),
                protocol,
                body.len(),
            ));
        }
        (source, destination) => {
            frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
            frame.extend((body.len() as u16).to_be_bytes());
            frame.extend([protocol, 64]);
            frame.extend(octets(source));
            frame.extend(octets(destination));
        }
    }
    frame.extend(body);
    frame
}

/// The number in a frame for `vip`; other frames have none.
pub(crate) fn number(frame: &[u8], vip: IpAddr) -> Option<u32> {
    let (protocol, destination, body) = match frame.get(12..14)? {
        [8, 0] => (frame[23], frame.get(30..34)?, 34),
        [0x86, 0xdd] => (frame[20], frame.get(38..54)?, 54),
        _ => return None,
    };
    if destination != octets(vip) {
        return None;
    }
    let at = body + if protocol == 17 { 8 } else { 4 };
    let number = frame.get(at..at + 4)?;
    Some(u32::from_be_bytes(number.try_into().ok()?))
}

fn flags(kind: Kind) -> u8 {
    match kind {
        Kind::Syn | Kind::SynAgain => SYN,
        Kind::Ack => ACK,
        Kind::Fin => FIN | ACK,
        Kind::Rst => RST,
        _ => 0,
    }
}

fn chunk(kind: Kind) -> u8 {
    match kind {
        Kind::Chunk(number) => number,
        _ => INIT,
    }
}

/// Nobody on the way looks at the checksum.
fn sctp(source: SocketAddr, destination: SocketAddr, number: u32, chunk: u8) -> Vec<u8> {
    let mut packet = ports(source, destination);
    packet.extend(number.to_be_bytes());
    packet.extend([0, 0, 0, 0, chunk, 0, 0, 4]);
    packet
}

fn tcp(source: SocketAddr, destination: SocketAddr, number: u32, flags: u8) -> Vec<u8> {
    let mut header = ports(source, destination);
    header.extend(number.to_be_bytes());
    header.extend([0, 0, 0, 1, 0x50, flags, 4, 0, 0, 0, 0, 0]);
    let checksum = checksum(source, destination, 6, &header);
    header[16..18].copy_from_slice(&checksum);
    header
}

fn udp(source: SocketAddr, destination: SocketAddr, number: u32) -> Vec<u8> {
    let mut header = ports(source, destination);
    header.extend([0, 12, 0, 0]);
    header.extend(number.to_be_bytes());
    let checksum = checksum(source, destination, 17, &header);
    header[6..8].copy_from_slice(&checksum);
    header
}

fn ports(source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    [
        source.port().to_be_bytes(),
        destination.port().to_be_bytes(),
    ]
    .concat()
}

fn ipv4(source: [u8; 4], destination: [u8; 4], protocol: u8, length: usize) -> Vec<u8> {
    let [high, low] = (20 + length as u16).to_be_bytes();
    let mut header = vec![0x45, 0, high, low, 0, 1, 0, 0, 64, protocol, 0, 0];
    header.extend(source);
    header.extend(destination);
    let checksum = sum(Checksum::default(), &header).to_field();
    header[10..12].copy_from_slice(&checksum);
    header
}

fn checksum(source: SocketAddr, destination: SocketAddr, protocol: u8, body: &[u8]) -> [u8; 2] {
    let pseudo = sum(Checksum::default(), &octets(source.ip()));
    let pseudo = sum(pseudo, &octets(destination.ip()));
    let pseudo = pseudo
        .plus((body.len() as u16).to_be_bytes())
        .plus([0, protocol]);
    sum(pseudo, body).to_field()
}

/// Over an even number of bytes.
fn sum(sum: Checksum, bytes: &[u8]) -> Checksum {
    bytes
        .chunks_exact(2)
        .fold(sum, |sum, word| sum.plus([word[0], word[1]]))
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}
