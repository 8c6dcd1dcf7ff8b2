//! A packet as a raw socket takes it.

use std::net::IpAddr;

use rlvs_wire::{Ipv4, ipv4, protocol};
use zerocopy::IntoBytes;

use super::authentication::{self, Covered, Header};
use super::{Advertisement, Key, PROTOCOL, Signature, Sum};

/// A packet to send.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Outgoing {
    pub source: IpAddr,
    pub destination: IpAddr,
    /// Of IPv4 the time to live, which `bytes` has, too.
    pub hop_limit: u8,
    /// IPv4: with its header, whose checksum the kernel fills in (`IP_HDRINCL`). IPv6: what is
    /// behind the header.
    pub bytes: Vec<u8>,
}

/// What is around an advertisement.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub hop_limit: u8,
    pub sum: Sum,
    /// Of IPv4. The kernel would fill in 0, which an authentication header has to know before.
    pub identification: u16,
    /// With which an authentication header is made, and the sequence number there.
    pub authentication: Option<(Key, u32)>,
    /// What a trailer is made of.
    pub signature: Option<Signature<'a>>,
}

/// Internetwork control, as IP precedence has it.
const TOS: u8 = 0xc0;

impl Outgoing {
    pub fn new(envelope: &Envelope, advertisement: &Advertisement) -> Self {
        let &Envelope {
            source,
            destination,
            hop_limit,
            ..
        } = envelope;
        let message =
            advertisement.signed_message(source, destination, envelope.sum, envelope.signature);
        let bytes = match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let header = Ipv4 {
                    version_ihl: 0x45,
                    tos: TOS,
                    total_length: 0.into(),
                    identification: envelope.identification.into(),
                    fragment: 0.into(),
                    ttl: hop_limit,
                    protocol: PROTOCOL,
                    checksum: [0; 2],
                    source: source.octets(),
                    destination: destination.octets(),
                };
                packet(header, envelope.authentication, &message)
            }
            _ => message,
        };
        Self {
            source,
            destination,
            hop_limit,
            bytes,
        }
    }
}

fn packet(mut ip: Ipv4, authentication: Option<(Key, u32)>, message: &[u8]) -> Vec<u8> {
    let covering = if authentication.is_some() {
        size_of::<Header>()
    } else {
        0
    };
    let length = ipv4::MIN_LENGTH + covering + message.len();
    ip.total_length = (length as u16).into();
    let mut bytes = Vec::with_capacity(length);
    if let Some((key, sequence)) = authentication {
        ip.protocol = protocol::AUTHENTICATION;
        let covered = Covered::of(IpAddr::from(ip.destination));
        let header = authentication::header(key, covered, ip, sequence, message);
        bytes.extend(ip.as_bytes());
        bytes.extend(header.as_bytes());
    } else {
        bytes.extend(ip.as_bytes());
    }
    bytes.extend(message);
    bytes
}
