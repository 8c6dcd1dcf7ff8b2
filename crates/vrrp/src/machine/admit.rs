//! Which packets are heard.

use core::fmt;
use core::time::Duration;
use std::net::IpAddr;

use crate::packet::{
    Advertisement, Carried, Datagram, HOP_LIMIT, Malformed, Parsed, Sequence, Sum, Unauthentic,
    Version,
};
use crate::spec::{Authentication, Spec, To};

use super::signed::{Sequences, Unsigned};

/// Why a packet is not heard.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Refusal {
    Malformed(Malformed),
    /// It comes from this router's own address.
    Own,
    /// It is from nobody whom this router knows.
    Stranger,
    /// It went to a group where peers are spoken to, to this host where a group is, or to another
    /// group.
    Destination(IpAddr),
    /// It has been forwarded, or further than a peer's packets may be.
    HopLimit(u8),
    /// The other version.
    Version,
    VirtualRouter(u8),
    /// The checksum is right in a way that is not taken here.
    OldChecksum,
    /// Another kind of authentication, or none, or one where none is expected.
    AuthenticationType,
    Password,
    Unauthentic(Unauthentic),
    Unsigned(Unsigned),
    /// Its sequence number was there before.
    Replayed {
        sequence: u32,
        expected: u32,
    },
    /// Version 2: another interval than this router's.
    Interval(Duration),
    /// It lists so many addresses, which are not this virtual router's number.
    AddressCount(usize),
    /// An address that is not this virtual router's.
    Address(IpAddr),
}

/// What admission depends on beside the spec.
pub(super) struct Known<'k> {
    pub(super) source: Option<IpAddr>,
    pub(super) master: Option<IpAddr>,
    pub(super) sequence: u32,
    pub(super) sequences: &'k Sequences,
    /// The time of day.
    pub(super) time: Duration,
}

/// A packet that is heard.
pub(super) struct Admitted {
    pub(super) advertisement: Advertisement,
    pub(super) sum: Sum,
    /// Of an authentication header.
    pub(super) sequence: Option<u32>,
    /// Of a trailer.
    pub(super) signed: Option<Sequence>,
}

pub(super) fn admit(spec: &Spec, known: &Known, datagram: &Datagram) -> Result<Admitted, Refusal> {
    check_ends(spec, known, datagram)?;
    let parsed = Parsed::new(datagram).map_err(Refusal::Malformed)?;
    let Parsed {
        advertisement,
        sum,
        trailer,
    } = parsed;
    if advertisement.version != spec.version {
        return Err(Refusal::Version);
    }
    if advertisement.virtual_router != spec.virtual_router {
        return Err(Refusal::VirtualRouter(advertisement.virtual_router));
    }
    check_sum(spec, sum)?;
    let sequence = authenticate(spec, known, datagram, &advertisement)?;
    let signing = spec.signing.as_ref();
    let sequences = known.sequences;
    let signed = sequences.check(signing, datagram, trailer.as_ref(), known.time);
    let signed = signed.map_err(Refusal::Unsigned)?;
    if spec.version == Version::V2 && advertisement.interval != spec.interval {
        return Err(Refusal::Interval(advertisement.interval));
    }
    if !(spec.skip_check_adv_addr && known.master == Some(datagram.source)) {
        check_addresses(spec, &advertisement)?;
    }
    Ok(Admitted {
        advertisement,
        sum,
        sequence,
        signed,
    })
}

fn check_ends(spec: &Spec, known: &Known, datagram: &Datagram) -> Result<(), Refusal> {
    if known.source == Some(datagram.source) {
        return Err(Refusal::Own);
    }
    let hop_limit = datagram.hop_limit;
    match &spec.to {
        To::Group(group) if datagram.destination != *group => {
            Err(Refusal::Destination(datagram.destination))
        }
        To::Group(_) if hop_limit != HOP_LIMIT => Err(Refusal::HopLimit(hop_limit)),
        To::Group(_) => Ok(()),
        To::Peers { .. } if datagram.destination.is_multicast() => {
            Err(Refusal::Destination(datagram.destination))
        }
        to @ To::Peers { .. } => match to.peer(datagram.source) {
            Some(peer) if !(peer.min_ttl..=peer.max_ttl).contains(&hop_limit) => {
                Err(Refusal::HopLimit(hop_limit))
            }
            None if to.checks_source() => Err(Refusal::Stranger),
            _ => Ok(()),
        },
    }
}

fn check_sum(spec: &Spec, sum: Sum) -> Result<(), Refusal> {
    let taken = match sum {
        Sum::GroupsPseudoHeader => spec.knows_old_checksum(),
        sum => {
            sum == spec.sum() || (sum, spec.sum()) == (Sum::PseudoHeader, Sum::GroupsPseudoHeader)
        }
    };
    match taken {
        true => Ok(()),
        false => Err(Refusal::OldChecksum),
    }
}

fn authenticate(
    spec: &Spec,
    known: &Known,
    datagram: &Datagram,
    advertisement: &Advertisement,
) -> Result<Option<u32>, Refusal> {
    match (spec.authentication, advertisement.carried) {
        (Authentication::None, Carried::Nothing) if !datagram.has_authentication_header() => {
            Ok(None)
        }
        (Authentication::Password(key), Carried::Password(given)) => match key == given {
            true => Ok(None),
            false => Err(Refusal::Password),
        },
        (Authentication::Header(key), Carried::Header) => {
            let sequence = datagram.authenticated(key).map_err(Refusal::Unauthentic)?;
            let expected = known.sequence;
            match sequence >= expected {
                true => Ok(Some(sequence)),
                false => Err(Refusal::Replayed { sequence, expected }),
            }
        }
        _ => Err(Refusal::AuthenticationType),
    }
}

fn check_addresses(spec: &Spec, advertisement: &Advertisement) -> Result<(), Refusal> {
    let listed = &advertisement.addresses;
    if listed.len() != spec.addresses.len() {
        return Err(Refusal::AddressCount(listed.len()));
    }
    let other = listed.iter().find(|it| !spec.addresses.contains(it));
    other.map_or(Ok(()), |address| Err(Refusal::Address(*address)))
}

impl Refusal {
    /// For counters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed(malformed) => malformed.name(),
            Self::Own => "own",
            Self::Stranger => "stranger",
            Self::Destination(_) => "destination",
            Self::HopLimit(_) => "hop-limit",
            Self::Version => "other-version",
            Self::VirtualRouter(_) => "other-virtual-router",
            Self::OldChecksum => "old-checksum",
            Self::AuthenticationType => "other-authentication-type",
            Self::Password => "password",
            Self::Unauthentic(Unauthentic::NoHeader) => "ah-missing",
            Self::Unauthentic(Unauthentic::Value) => "ah-value",
            Self::Unauthentic(Unauthentic::Sender) => "ah-sender",
            Self::Unsigned(unsigned) => unsigned.name(),
            Self::Replayed { .. } => "replayed",
            Self::Interval(_) => "other-interval",
            Self::AddressCount(_) => "address-count",
            Self::Address(_) => "address",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Malformed(malformed) => malformed.fmt(formatter),
            Self::Own => formatter
                .write_str("it comes from this host's own address: is it another host's, too?"),
            Self::Stranger => formatter
                .write_str("it is from none of the peers: add it to unicast_peer if it is one"),
            Self::Destination(address) => write!(
                formatter,
                "it went to {address}: do both use the same group, or both unicast peers?"
            ),
            Self::HopLimit(limit) => write!(
                formatter,
                "its hop limit is {limit}: it did not come straight from a router"
            ),
            Self::Version => formatter.write_str("it is of the other version: set the same"),
            Self::VirtualRouter(router) => write!(formatter, "it is for virtual router {router}"),
            Self::OldChecksum => formatter.write_str(
                "its checksum is made in another way: see old_unicast_checksum and \
                 v3_checksum_as_v2",
            ),
            Self::AuthenticationType => {
                formatter.write_str("its authentication is of another type: set the same auth_type")
            }
            Self::Password => {
                formatter.write_str("it has another password: set the same auth_pass")
            }
            Self::Unauthentic(Unauthentic::NoHeader) => {
                formatter.write_str("it has no authentication header")
            }
            Self::Unauthentic(Unauthentic::Value) => formatter.write_str(
                "its authentication header is made with another password: set the same auth_pass",
            ),
            Self::Unauthentic(Unauthentic::Sender) => {
                formatter.write_str("its authentication header names another sender")
            }
            Self::Unsigned(unsigned) => unsigned.fmt(formatter),
            Self::Replayed { sequence, expected } => write!(
                formatter,
                "its sequence number {sequence} was there before: {expected} is the last"
            ),
            Self::Interval(interval) => write!(
                formatter,
                "its interval is {interval:?}: with version 2 all have to have the same advert_int"
            ),
            Self::AddressCount(count) => write!(
                formatter,
                "it lists {count} addresses: set the same virtual_ipaddress on all"
            ),
            Self::Address(address) => write!(
                formatter,
                "it lists {address}: set the same virtual_ipaddress on all"
            ),
        }
    }
}

impl core::error::Error for Refusal {}
