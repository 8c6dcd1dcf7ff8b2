//! Frames of clients, and what is read from those that a director sends on.

use std::net::{IpAddr, SocketAddr};

use rlvs_control::Protocol;
use rlvs_tests::wire::{CLIENT, DIRECTOR};
use rlvs_wire::Checksum;
use rlvs_wire::sctp::INIT;
use rlvs_wire::tcp::{ACK, FIN, RST, SYN};

use crate::scenario::{CLIENTS, Kind, Packet, World, protocol};

/// A packet as it comes in; `number` is in it, and comes out again.
pub(crate) fn build(world: &World, packet: &Packet, number: u32) -> Vec<u8> {
    let source = SocketAddr::new(world.client(packet.client), packet.port);
    let destination = SocketAddr::new(world.address(packet.address), packet.to);
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

/// A frame that a director sends on: the number in it, and all of it but what a tunnel puts around
/// the packet. None of others.
pub(crate) fn forwarded(frame: &[u8], world: &World) -> Option<(u32, Vec<u8>)> {
    let (ends, mut packet) = frame.split_at_checked(12)?;
    let mut header = header(packet)?;
    if [IPIP, IPV6].contains(&header.protocol) {
        // Both begin with the ethertype that the packet inside has, too: the family is the same.
        packet = packet.split_at_checked(header.length)?.1;
        header = self::header(&[&frame[12..14], packet].concat())?;
    } else {
        packet = packet.split_at_checked(2)?.1;
    }
    let is_ours = (0..CLIENTS).any(|client| octets(world.client(client)) == header.source);
    let at = header.length - 2 + if header.protocol == 17 { 8 } else { 4 };
    let number = packet.get(at..at + 4).filter(|_| is_ours)?;
    let number = u32::from_be_bytes(number.try_into().ok()?);
    Some((number, [ends, packet].concat()))
}

const IPIP: u8 = 4;
const IPV6: u8 = 41;

/// An IP header behind its ethertype.
struct Header {
    protocol: u8,
    source: Vec<u8>,
    /// The ethertype's two bytes included.
    length: usize,
}

fn header(packet: &[u8]) -> Option<Header> {
    let (protocol, source, length) = match packet.get(..2)? {
        [8, 0] => (*packet.get(11)?, packet.get(14..18)?, 22),
        [0x86, 0xdd] => (*packet.get(8)?, packet.get(10..26)?, 42),
        _ => return None,
    };
    Some(Header {
        protocol,
        source: source.to_vec(),
        length,
    })
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
