//! How packets reach their destination; one file a forwarding method.

mod direct_route;
mod masquerade;
mod tunnel;

pub use direct_route::direct_route;
pub use masquerade::{masquerade, unmasquerade};
pub use tunnel::{Outer, most as most_through, tunnel};

use crate::destination::Destination;
use crate::frame::Frame;
use crate::process::Verdict;
use crate::reason::Reason;
use crate::respond::Respond;
use crate::tables::Tables;
use crate::tuple::Tuple;

/// A client's packet to its destination, by that one's method.
#[inline(always)]
pub fn forward<F: Respond, R: Frame, T: Tables>(
    frame: &mut R,
    tables: &T,
    tuple: &Tuple<F>,
    (number, destination): (u32, &Destination),
) -> Result<Verdict, Reason> {
    match destination.method() {
        Method::Masquerade => masquerade(frame, tuple, destination),
        _ if destination.is(Destination::LOCAL) => Ok(Verdict::Pass),
        Method::DirectRoute => direct_route(frame, tuple, destination),
        Method::Tunnel => frame.tunnel::<F, T>(tables, number, F::hash(&tuple.key, 0) as u32),
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
