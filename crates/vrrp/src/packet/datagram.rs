//! A packet as a raw socket gives it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rlvs_wire::{Ipv4, ipv4, protocol};
use zerocopy::FromBytes;

use super::trailer::{self, Signed};
use super::{Key, Malformed, PROTOCOL, SigningKey, Trailer, authentication};

/// A packet that came in, without a look at what it says.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    pub source: IpAddr,
    pub destination: IpAddr,
    /// Of IPv4 the time to live.
    pub hop_limit: u8,
    /// What an authentication header says, and what it covers.
    pub(super) authentication: Option<authentication::Found<'a>>,
    /// The advertisement.
    pub(super) message: &'a [u8],
}

/// Why a packet is not by who has the key.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Unauthentic {
    NoHeader,
    /// Another key, or it was changed on the way.
    Value,
    /// Its security parameters index is not its source.
    Sender,
}

impl<'a> Datagram<'a> {
    /// A packet of IPv4, which a socket gives with its header, maybe with an authentication header.
    pub fn ipv4(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (header, _) = Ipv4::ref_from_prefix(bytes).map_err(|_| Malformed::IpTruncated)?;
        if header.version() != 4 {
            return Err(Malformed::IpVersion(header.version()));
        }
        let payload = payload(bytes, header)?;
        if header.is_fragment() {
            return Err(Malformed::Fragment);
        }
        let (authentication, message) = match header.protocol {
            PROTOCOL => (None, payload),
            protocol::AUTHENTICATION if header.header_length() != ipv4::MIN_LENGTH => {
                return Err(Malformed::IpOptions);
            }
            protocol::AUTHENTICATION => {
                let (found, message) = authentication::Found::new(*header, payload)?;
                (Some(found), message)
            }
            other => return Err(Malformed::Protocol(other)),
        };
        Ok(Self {
            source: Ipv4Addr::from(header.source).into(),
            destination: Ipv4Addr::from(header.destination).into(),
            hop_limit: header.ttl,
            authentication,
            message,
        })
    }

    /// A packet of IPv6, of which a socket gives what is behind its headers, and the rest beside.
    pub fn ipv6(source: Ipv6Addr, destination: Ipv6Addr, hop_limit: u8, message: &'a [u8]) -> Self {
        Self {
            source: source.into(),
            destination: destination.into(),
            hop_limit,
            authentication: None,
            message,
        }
    }

    /// Which virtual router it is for, if it is an advertisement at all.
    pub fn virtual_router(&self) -> Option<u8> {
        self.message.get(1).copied().filter(|router| *router != 0)
    }

    /// Whether it is in an authentication header made with this key, by who it says; the sequence
    /// number there.
    pub fn authenticated(&self, key: Key) -> Result<u32, Unauthentic> {
        let found = self.authentication.ok_or(Unauthentic::NoHeader)?;
        if !found.is_made_with(key) {
            return Err(Unauthentic::Value);
        }
        if !found.names_its_sender() {
            return Err(Unauthentic::Sender);
        }
        Ok(found.header.sequence.get())
    }

    /// Whether its trailer, which [`super::Parsed`] has found there, is made with this key.
    pub fn is_signed_with(&self, trailer: &Trailer, key: &SigningKey) -> bool {
        let (Some([first, virtual_router]), Some(length)) = (
            self.message.first_chunk::<2>(),
            self.message.len().checked_sub(trailer::LENGTH),
        ) else {
            return false;
        };
        let signed = Signed {
            version: first >> 4,
            virtual_router: *virtual_router,
            source: self.source,
            message: &self.message[..length],
        };
        trailer.is_made_with(key, signed)
    }

    /// Whether it is in an authentication header.
    pub fn has_authentication_header(&self) -> bool {
        self.authentication.is_some()
    }
}

/// What the IP header says is behind it. What the link has filled a short frame up with is not.
fn payload<'a>(bytes: &'a [u8], header: &Ipv4) -> Result<&'a [u8], Malformed> {
    let head = header.header_length();
    if head < ipv4::MIN_LENGTH || head > bytes.len() {
        return Err(Malformed::IpHeaderLength(head as u8));
    }
    let total = header.total_length.get();
    let payload = bytes.get(head..total.into());
    payload.ok_or(Malformed::IpLength(total))
}
