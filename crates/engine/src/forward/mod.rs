//! How packets reach their destination; one file a forwarding method.

mod direct_route;
mod masquerade;

pub use direct_route::direct_route;
pub use masquerade::{masquerade, unmasquerade};

use crate::destination::Destination;
use crate::frame::Frame;
use crate::process::Verdict;
use crate::reason::Reason;
use crate::tuple::{Packet, Tuple};

/// A client's packet to its destination, by that one's method.
#[inline(always)]
pub fn forward<F: Packet, R: Frame>(
    frame: &mut R,
    tuple: &Tuple<F>,
    destination: &Destination,
) -> Result<Verdict, Reason> {
    match destination.method() {
        Method::Masquerade => masquerade(frame, tuple, destination),
        _ if destination.is(Destination::LOCAL) => Ok(Verdict::Pass),
        Method::DirectRoute | Method::Tunnel => direct_route(frame, tuple, destination),
    }
}

/// The forwarding methods.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Method {
    /// The frame goes to the real server's MAC address.
    DirectRoute = 0,
    /// NAT: packets get the real server's address, replies the virtual one.
    Masquerade = 1,
    /// The packet goes in another to the real server.
    Tunnel = 2,
}

impl Method {
    /// Bits that were stored from a method; others count as direct routing.
    #[inline(always)]
    pub const fn from_bits(bits: u8) -> Self {
        match bits & 7 {
            1 => Self::Masquerade,
            2 => Self::Tunnel,
            _ => Self::DirectRoute,
        }
    }
}
