//! Building datagrams of version 1.

use std::net::IpAddr;

use zerocopy::IntoBytes;
use zerocopy::big_endian::U16;

use super::layout::{
    ACROSS, ENGINE_DATA, ENGINE_NAME, Head, IPV6, LOCAL_END, Local, Numbers, OPTIONAL, SEQUENCES,
    Start, Three, VERSION, WORD,
};
use crate::record::{Addresses, Record};

/// Bytes of the headers of IP and UDP.
const AROUND: [u16; 2] = [20 + 8, 40 + 8];
/// What a master takes an MTU to be, whatever its interface says.
const MTU: u16 = 1500;

/// Bytes that a datagram may have by IPv4 or IPv6, with this `--sync-maxlen` or without: 0 is without.
pub fn largest(said: Option<u16>, is_ipv6: bool) -> usize {
    let around = AROUND[usize::from(is_ipv6)];
    let largest = match said {
        None | Some(0) => MTU - around,
        Some(said) => said.min(u16::MAX - around),
    };
    largest.into()
}

/// A datagram that records are put into.
#[derive(Clone, Debug)]
pub struct Builder {
    bytes: Vec<u8>,
    count: u8,
    largest: usize,
}

impl Builder {
    /// Empty, for at most `largest` bytes.
    pub fn new(id: u8, largest: usize) -> Self {
        let head = Head {
            reserved: 0,
            id,
            size: U16::ZERO,
            count: 0,
            version: VERSION,
            spare: U16::ZERO,
        };
        Self {
            bytes: head.as_bytes().to_vec(),
            count: 0,
            largest: largest.min(u16::MAX.into()),
        }
    }

    /// How many records it has.
    pub fn count(&self) -> u8 {
        self.count
    }

    /// Whether there was room. There always is for the first record: a limit that is too low for it
    /// does not count, as in IPVS.
    #[must_use]
    pub fn push(&mut self, record: &Record) -> bool {
        let begins = self.bytes.len().next_multiple_of(WORD);
        let has_room = begins + size(record) <= self.largest && self.count < u8::MAX;
        if has_room || self.count == 0 {
            self.bytes.resize(begins, 0);
            write(record, &mut self.bytes);
            self.count += 1;
            return true;
        }
        false
    }

    /// The datagram.
    pub fn finish(self) -> Vec<u8> {
        let mut bytes = self.bytes;
        let size = (bytes.len() as u16).to_be_bytes();
        bytes[2..4].copy_from_slice(&size);
        bytes[4] = self.count;
        bytes
    }
}

fn write(record: &Record, bytes: &mut Vec<u8>) {
    let start = Start {
        kind: match record.addresses {
            Addresses::V4(_) => 0,
            Addresses::V6(_) => IPV6,
        },
        protocol: record.protocol,
        size: (size(record) as u16).into(),
        flags: record.flags.0.into(),
        state: record.state.into(),
        client_port: record.ports.client.into(),
        virtual_port: record.ports.virtual_port.into(),
        destination_port: record.ports.destination.into(),
        mark: record.mark.into(),
        timeout: record.timeout.into(),
    };
    bytes.extend(start.as_bytes());
    match record.addresses {
        Addresses::V4(ends) => bytes.extend(Three::from(ends).as_bytes()),
        Addresses::V6(ends) => bytes.extend(Three::from(ends).as_bytes()),
    }
    if let Some(sequences) = record.sequences {
        parameter(SEQUENCES, Numbers::from(sequences).as_bytes(), bytes);
    }
    if let Some(engine) = &record.engine {
        parameter(ENGINE_DATA, engine.data(), bytes);
        parameter(ENGINE_NAME, engine.name(), bytes);
    }
    if let Some(end) = &record.local {
        const KIND: u8 = OPTIONAL | LOCAL_END;
        match end.address {
            IpAddr::V4(ip) => parameter(KIND, Local::new(ip.octets(), end).as_bytes(), bytes),
            IpAddr::V6(ip) => parameter(KIND, Local::new(ip.octets(), end).as_bytes(), bytes),
        }
    }
    match record.across {
        Some(IpAddr::V4(ip)) => parameter(ACROSS, &ip.octets(), bytes),
        Some(IpAddr::V6(ip)) => parameter(ACROSS, &ip.octets(), bytes),
        None => {}
    }
}

/// None is longer than a byte can say: [`Engine`](crate::Engine) sees to that.
fn parameter(kind: u8, value: &[u8], bytes: &mut Vec<u8>) {
    bytes.extend([kind, value.len() as u8]);
    bytes.extend(value);
}

/// Without what fills it up.
fn size(record: &Record) -> usize {
    let addresses = match record.addresses {
        Addresses::V4(_) => size_of::<Three<4>>(),
        Addresses::V6(_) => size_of::<Three<16>>(),
    };
    let engine = record.engine.as_ref();
    let engine = engine.map_or(0, |it| 4 + it.name().len() + it.data().len());
    let sequences = record.sequences.map_or(0, |_| 2 + size_of::<Numbers>());
    let local = record.local.map_or(0, |end| match end.address {
        IpAddr::V4(_) => 2 + size_of::<Local<4>>(),
        IpAddr::V6(_) => 2 + size_of::<Local<16>>(),
    });
    let across = record.across.map_or(0, |address| match address {
        IpAddr::V4(_) => 2 + 4,
        IpAddr::V6(_) => 2 + 16,
    });
    size_of::<Start>() + addresses + sequences + engine + local + across
}
