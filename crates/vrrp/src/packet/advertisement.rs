//! What routers say to each other.

use core::time::Duration;
use std::net::IpAddr;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::trailer::{self, Signed};
use super::{Datagram, Key, Malformed, Signature, Sum, Trailer};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Version {
    V2,
    V3,
}

/// An advertisement.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Advertisement {
    pub version: Version,
    pub virtual_router: u8,
    /// 0: this was the last one.
    pub priority: u8,
    /// Between two of them: whole seconds in version 2, hundredths in version 3.
    pub interval: Duration,
    pub carried: Carried,
    /// All of one family.
    pub addresses: Vec<IpAddr>,
}

/// How it says who sends it: the authentication type of version 2.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Carried {
    Nothing,
    /// A password that everyone can read.
    Password(Key),
    /// It is in an authentication header.
    Header,
}

/// What came, and how its checksum was made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Parsed {
    pub advertisement: Advertisement,
    pub sum: Sum,
    pub trailer: Option<Trailer>,
}

#[derive(Clone, Copy, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
struct Fixed {
    version_type: u8,
    virtual_router: u8,
    priority: u8,
    count: u8,
    /// The authentication type and seconds, or hundredths of them.
    interval: [u8; 2],
    checksum: [u8; 2],
}

const FIXED: usize = size_of::<Fixed>();
const ADVERTISEMENT: u8 = 1;
const PASSWORD: usize = 8;
/// The reserved bits of version 3 are not looked at.
const HUNDREDTHS: u16 = 0x0fff;

impl Parsed {
    pub fn new(datagram: &Datagram) -> Result<Self, Malformed> {
        let message = datagram.message;
        let (fixed, rest) = Fixed::ref_from_prefix(message).map_err(|_| Malformed::Truncated)?;
        let version = match fixed.version_type >> 4 {
            2 if datagram.source.is_ipv6() => return Err(Malformed::VersionOfFamily),
            2 => Version::V2,
            3 => Version::V3,
            other => return Err(Malformed::Version(other)),
        };
        match fixed.version_type & 0x0f {
            ADVERTISEMENT => {}
            other => return Err(Malformed::Type(other)),
        }
        if fixed.virtual_router == 0 {
            return Err(Malformed::VirtualRouter);
        }
        let parts = Parts::new(version, datagram.source, fixed.count, rest)?;
        let carried = carried(version, fixed.interval, parts.password)?;
        let interval = interval(version, fixed.interval);
        if interval.is_zero() {
            return Err(Malformed::Interval);
        }
        let sum = sum(version, datagram, parts.trailer).ok_or(Malformed::Checksum)?;
        let advertisement = Advertisement {
            version,
            virtual_router: fixed.virtual_router,
            priority: fixed.priority,
            interval,
            carried,
            addresses: parts.addresses,
        };
        let trailer = parts.trailer.copied();
        Ok(Self {
            advertisement,
            sum,
            trailer,
        })
    }
}

impl Advertisement {
    /// The message, with its checksum.
    pub fn message(&self, source: IpAddr, destination: IpAddr, sum: Sum) -> Vec<u8> {
        self.signed_message(source, destination, sum, None)
    }

    /// The same, maybe with a trailer.
    pub(super) fn signed_message(
        &self,
        source: IpAddr,
        destination: IpAddr,
        sum: Sum,
        signature: Option<Signature>,
    ) -> Vec<u8> {
        let longest = FIXED + 16 * self.addresses.len() + PASSWORD + trailer::LENGTH;
        let mut message = Vec::with_capacity(longest);
        let (version, interval, sum) = match self.version {
            Version::V2 => {
                let seconds = self.interval.as_secs().min(u8::MAX.into()) as u8;
                (2, [self.carried.number(), seconds], Sum::Message)
            }
            Version::V3 => {
                let hundredths = self.interval.as_millis() / 10;
                let hundredths = hundredths.min(HUNDREDTHS.into()) as u16;
                (3, hundredths.to_be_bytes(), sum)
            }
        };
        let mut fixed = Fixed {
            version_type: version << 4 | ADVERTISEMENT,
            virtual_router: self.virtual_router,
            priority: self.priority,
            count: self.addresses.len() as u8,
            interval,
            checksum: [0; 2],
        };
        message.extend(fixed.as_bytes());
        for address in &self.addresses {
            match address {
                IpAddr::V4(address) => message.extend(address.octets()),
                IpAddr::V6(address) => message.extend(address.octets()),
            }
        }
        if self.version == Version::V2 {
            message.extend(self.carried.password());
        }
        let length = message.len();
        if let Some(signature) = signature {
            let signed = Signed {
                version,
                virtual_router: self.virtual_router,
                source,
                message: &message,
            };
            let trailer = Trailer::new(signature, signed);
            message.extend(trailer.as_bytes());
        }
        let summed = summed(source, &message, length);
        fixed.checksum = sum.of(source, destination, summed).to_field();
        message[..FIXED].copy_from_slice(fixed.as_bytes());
        message
    }
}

impl Carried {
    fn number(self) -> u8 {
        match self {
            Self::Nothing => 0,
            Self::Password(_) => 1,
            Self::Header => 2,
        }
    }

    fn password(self) -> [u8; PASSWORD] {
        match self {
            Self::Password(Key(bytes)) => bytes,
            Self::Nothing | Self::Header => [0; PASSWORD],
        }
    }
}

/// What is behind the fixed part: addresses, the password's place, and maybe a trailer.
struct Parts<'a> {
    addresses: Vec<IpAddr>,
    password: [u8; PASSWORD],
    trailer: Option<&'a Trailer>,
}

impl<'a> Parts<'a> {
    fn new(version: Version, source: IpAddr, count: u8, rest: &'a [u8]) -> Result<Self, Malformed> {
        let size = if source.is_ipv4() { 4 } else { 16 };
        let behind = if version == Version::V2 { PASSWORD } else { 0 };
        let listed = size * usize::from(count);
        let wrong = Malformed::Length {
            expected: FIXED + listed + behind,
            length: FIXED + rest.len(),
        };
        let (list, rest) = rest.split_at_checked(listed).ok_or(wrong)?;
        let (password, rest) = rest.split_at_checked(behind).ok_or(wrong)?;
        let trailer = match rest {
            [] => None,
            rest => Some(Trailer::ref_from_bytes(rest).map_err(|_| wrong)?),
        };
        let addresses = list.chunks(size).filter_map(|bytes| match size {
            4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
            _ => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        });
        Ok(Self {
            addresses: addresses.collect(),
            password: password.try_into().unwrap_or_default(),
            trailer,
        })
    }
}

/// What of a message, which is so long without its trailer, the checksum is over: IPv6 sums up all
/// that is in the packet (RFC 8200, 8.1).
fn summed(source: IpAddr, message: &[u8], length: usize) -> &[u8] {
    match source {
        IpAddr::V4(_) => &message[..length],
        IpAddr::V6(_) => message,
    }
}

fn carried(
    version: Version,
    [kind, _]: [u8; 2],
    password: [u8; PASSWORD],
) -> Result<Carried, Malformed> {
    match (version, kind) {
        (Version::V3, _) | (Version::V2, 0) => Ok(Carried::Nothing),
        (Version::V2, 1) => Ok(Carried::Password(Key(password))),
        (Version::V2, 2) => Ok(Carried::Header),
        (Version::V2, other) => Err(Malformed::AuthenticationType(other)),
    }
}

fn interval(version: Version, field: [u8; 2]) -> Duration {
    match version {
        Version::V2 => Duration::from_secs(field[1].into()),
        Version::V3 => {
            let hundredths = u16::from_be_bytes(field) & HUNDREDTHS;
            Duration::from_millis(10 * u64::from(hundredths))
        }
    }
}

/// Over what the checksum is right.
fn sum(version: Version, datagram: &Datagram, trailer: Option<&Trailer>) -> Option<Sum> {
    let message = datagram.message;
    let length = message.len() - trailer.map_or(0, |_| trailer::LENGTH);
    let summed = summed(datagram.source, message, length);
    let kinds: &[Sum] = match (version, datagram.source.is_ipv4()) {
        (Version::V2, _) => &[Sum::Message],
        (Version::V3, true) => &[Sum::PseudoHeader, Sum::Message, Sum::GroupsPseudoHeader],
        (Version::V3, false) => &[Sum::PseudoHeader],
    };
    let right = |kind: &&Sum| {
        let sum = kind.of(datagram.source, datagram.destination, summed);
        sum.verifies()
    };
    kinds.iter().find(right).copied()
}
