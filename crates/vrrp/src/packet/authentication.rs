//! The authentication header (RFC 4302) around advertisements of version 2, as keepalived has it:
//! HMAC-MD5-96 with 8 bytes of key, the sender's address as security parameters index, and one
//! sequence number for all routers of the virtual router: each goes on from the highest that it has
//! heard.

use std::net::{IpAddr, Ipv4Addr};

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use rlvs_wire::Ipv4;
use zerocopy::byteorder::network_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{Malformed, PROTOCOL};

/// Eight bytes, zeros behind a shorter password. What is longer is not looked at.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Key(pub [u8; 8]);

impl Key {
    pub fn new(password: &str) -> Self {
        let mut bytes = [0; 8];
        for (byte, given) in bytes.iter_mut().zip(password.bytes()) {
            *byte = given;
        }
        Self(bytes)
    }
}

impl core::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut core::fmt::Formatter) -> core::fmt::Result {
        formatter.write_str("Key")
    }
}

/// The header, with 12 bytes of authentication data.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Header {
    pub next_header: u8,
    /// In words of four bytes, less two.
    pub length: u8,
    reserved: [u8; 2],
    /// Security parameters index: the sender's address.
    pub index: [u8; 4],
    pub sequence: U32,
    /// The first 12 bytes of the HMAC.
    pub value: [u8; 12],
}

const LENGTH: u8 = (size_of::<Header>() / 4 - 2) as u8;

/// How far a packet is covered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Covered {
    /// The time to live is: packets to a group are not forwarded.
    Group,
    /// All that a router on the way may change is not.
    Forwarded,
}

impl Covered {
    pub(super) fn of(destination: IpAddr) -> Self {
        if destination.is_multicast() {
            Self::Group
        } else {
            Self::Forwarded
        }
    }
}

/// An authentication header that came in, and what it covers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'a> {
    ip: Ipv4,
    pub(super) header: &'a Header,
    message: &'a [u8],
}

impl<'a> Found<'a> {
    pub(super) fn new(ip: Ipv4, payload: &'a [u8]) -> Result<(Self, &'a [u8]), Malformed> {
        let (header, message) =
            Header::ref_from_prefix(payload).map_err(|_| Malformed::AuthenticationTruncated)?;
        if header.length != LENGTH {
            return Err(Malformed::AuthenticationLength(header.length));
        }
        if header.next_header != PROTOCOL {
            return Err(Malformed::AuthenticationNext(header.next_header));
        }
        let found = Self {
            ip,
            header,
            message,
        };
        Ok((found, message))
    }

    /// Whether it was made with this key.
    pub(super) fn is_made_with(&self, key: Key) -> bool {
        let covered = Covered::of(Ipv4Addr::from(self.ip.destination).into());
        let mac = digest(key, covered, self.ip, *self.header, self.message);
        mac.verify_truncated_left(&self.header.value).is_ok()
    }

    /// Whether it names its sender.
    pub(super) fn names_its_sender(&self) -> bool {
        self.header.index == self.ip.source
    }
}

/// The header for a message in a packet with this IP header.
pub(super) fn header(
    key: Key,
    covered: Covered,
    ip: Ipv4,
    sequence: u32,
    message: &[u8],
) -> Header {
    let mut header = Header {
        next_header: PROTOCOL,
        length: LENGTH,
        reserved: [0; 2],
        index: ip.source,
        sequence: sequence.into(),
        value: [0; 12],
    };
    header.value = value(key, covered, ip, header, message);
    header
}

pub(super) fn value(
    key: Key,
    covered: Covered,
    ip: Ipv4,
    header: Header,
    message: &[u8],
) -> [u8; 12] {
    let code = digest(key, covered, ip, header, message).finalize();
    let code = code.into_bytes();
    core::array::from_fn(|place| code[place])
}

fn digest(
    key: Key,
    covered: Covered,
    mut ip: Ipv4,
    mut header: Header,
    message: &[u8],
) -> Hmac<Md5> {
    ip.tos = 0;
    ip.fragment = 0.into();
    ip.checksum = [0; 2];
    if covered == Covered::Forwarded {
        ip.ttl = 0;
    }
    header.value = [0; 12];
    let mut mac = Hmac::<Md5>::new_from_slice(&key.0).expect("HMAC takes keys of any length");
    mac.update(ip.as_bytes());
    mac.update(header.as_bytes());
    mac.update(message);
    mac
}
