//! What an advertisement's checksum is over.

use std::net::{IpAddr, Ipv4Addr};

use rlvs_wire::Checksum;

use super::PROTOCOL;

/// The group of IPv4 (IANA).
pub const GROUP4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);

/// What the checksum is over, beside the message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sum {
    /// Nothing: version 2, and some routers' version 3 over IPv4.
    Message,
    /// A pseudo header: version 3.
    PseudoHeader,
    /// A pseudo header with the group as destination, though the packet goes to one peer:
    /// keepalived up to 1.3.6, over IPv4.
    GroupsPseudoHeader,
}

impl Sum {
    /// The sum over a message whose ends are these.
    pub(super) fn of(self, source: IpAddr, destination: IpAddr, message: &[u8]) -> Checksum {
        let destination = match self {
            Self::Message => return over(message),
            Self::PseudoHeader => destination,
            Self::GroupsPseudoHeader => GROUP4.into(),
        };
        let length = (message.len() as u16).to_be_bytes();
        let pseudo = Checksum::default().plus([0, PROTOCOL]).plus(length);
        over(message)
            .and(pseudo)
            .and(address(source))
            .and(address(destination))
    }
}

fn over(bytes: &[u8]) -> Checksum {
    let words = bytes.chunks(2).map(|word| match word {
        [a, b] => [*a, *b],
        rest => [rest.first().copied().unwrap_or_default(), 0],
    });
    words.fold(Checksum::default(), Checksum::plus)
}

fn address(address: IpAddr) -> Checksum {
    match address {
        IpAddr::V4(address) => Checksum::default().plus4(address.octets()),
        IpAddr::V6(address) => Checksum::default().plus16(address.octets()),
    }
}
