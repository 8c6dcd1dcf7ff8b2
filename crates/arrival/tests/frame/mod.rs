//! Packets written out, and their memory.
#![allow(dead_code, reason = "each test uses its part")]

use rlvs_arrival::IP;

const CLIENT4: [u8; 4] = [203, 0, 113, 7];
const VIP4: [u8; 4] = [192, 0, 2, 100];

/// A frame in plain memory.
pub(crate) struct Bytes(Vec<u8>);

impl Bytes {
    /// The frame with this IP packet.
    pub(crate) fn of(packet: &[u8]) -> Self {
        let ethertype: [u8; 2] = match packet[0] >> 4 {
            6 => [0x86, 0xdd],
            _ => [0x08, 0x00],
        };
        Self::typed(ethertype, packet)
    }

    /// Bytes as they are.
    pub(crate) fn raw(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    pub(crate) fn typed(ethertype: [u8; 2], packet: &[u8]) -> Self {
        let mut frame = vec![2; IP - 2];
        frame.extend(ethertype);
        frame.extend(packet);
        Self(frame)
    }
}

impl rlvs_arrival::Bytes for Bytes {
    fn header<H: rlvs_wire::Header>(&self, offset: usize) -> Option<&H> {
        let bytes = self.0.get(offset..offset + size_of::<H>())?;
        H::ref_from_bytes(bytes).ok()
    }

    fn offset(&self, offset: usize) -> usize {
        offset & 4095
    }

    fn length(&self) -> usize {
        self.0.len()
    }
}

pub(crate) fn four(protocol: u8, content: &[u8], options: &[u8]) -> Vec<u8> {
    let header = 20 + options.len();
    let [high, low] = ((header + content.len()) as u16).to_be_bytes();
    let mut packet = vec![
        0x40 | (header / 4) as u8,
        0,
        high,
        low,
        0,
        1,
        0,
        0,
        64,
        protocol,
        0,
        0,
    ];
    packet.extend(CLIENT4);
    packet.extend(VIP4);
    packet.extend(options);
    let checksum = !sum(&packet);
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    packet.extend(content);
    packet
}

pub(crate) fn six(protocol: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = (content.len() as u16).to_be_bytes();
    let mut packet = vec![0x60, 0, 0, 0, high, low, protocol, 64];
    packet.extend([1; 16]);
    packet.extend([2; 16]);
    packet.extend(content);
    packet
}

pub(crate) fn gre(inner: &[u8], has_checksum: bool) -> Vec<u8> {
    let ethertype: [u8; 2] = if inner[0] >> 4 == 6 {
        [0x86, 0xdd]
    } else {
        [8, 0]
    };
    let mut packet = vec![if has_checksum { 0x80 } else { 0 }, 0];
    packet.extend(ethertype);
    packet.extend(if has_checksum {
        &[0xbe, 0xef, 0, 0][..]
    } else {
        &[]
    });
    packet.extend(inner);
    packet
}

pub(crate) fn gue(inner: &[u8], options: &[u8]) -> Vec<u8> {
    let protocol = if inner[0] >> 4 == 6 { 41 } else { 4 };
    let mut packet = vec![(options.len() / 4) as u8, protocol, 0, 0];
    packet.extend(options);
    packet.extend(inner);
    udp(&packet)
}

pub(crate) fn udp(content: &[u8]) -> Vec<u8> {
    let mut packet = vec![0xc0, 1];
    packet.extend(6080u16.to_be_bytes());
    packet.extend((8 + content.len() as u16).to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(content);
    packet
}

fn sum(bytes: &[u8]) -> u16 {
    let words = bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}
