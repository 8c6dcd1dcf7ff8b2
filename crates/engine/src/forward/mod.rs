//! How packets reach their destination; one file a forwarding method.

mod answer;
mod client_address;
mod direct_route;
mod full_nat;
mod masquerade;
mod translate;
mod tunnel;

pub use answer::answer;
pub(crate) use answer::{address, client_of, leave};
pub use client_address::{Announce, Stream};
pub use direct_route::direct_route;
pub use full_nat::{full_nat, tell};
pub use masquerade::masquerade;
pub use translate::mend_sctp;
pub(crate) use translate::readdress;
pub(crate) use tunnel::enter;
pub use tunnel::{Outer, most as most_through, tunnel};

use core::hint::black_box;

use crate::destination::Destination;
use crate::frame::{Brief, Frame};
use crate::ftp;
use crate::outcome::{Outcome, tried};
use crate::process::{To, Verdict};
use crate::reason::Reason;
use crate::respond::Respond;
use crate::tables::FamilyTables;
use crate::tuple::Tuple;

/// A client's packet to its destination, by that one's method.
#[inline(always)]
pub fn forward<F: Respond, R: Frame, T: FamilyTables<F>>(
    frame: &mut R,
    tables: &T,
    tuple: &Tuple<F>,
    to: To<'_>,
) -> Outcome {
    // Else the compiler keeps what it has read of it until here, for which there is no stack.
    let tuple = black_box(tuple);
    let (number, destination) = (to.number, to.destination);
    match destination.method() {
        Method::FullNat => {
            tried!(full_nat::check(destination, to.lease, tuple));
            let brief = Brief::of(tuple);
            let stream = tried!(full_nat::stream::<F, R, T>(frame, tables, tuple, to));
            // What is put into a fragment would move all behind it, which comes apart.
            if tuple.is_fragment() && !stream.is_none() {
                return Outcome::failed(Reason::Encapsulation);
            }
            let told = match stream.is_none() {
                true => 0,
                false => tried!(frame.tell::<F>(stream, brief)),
            };
            frame.full_nat::<F, T>(tables, number, to.lease, brief, told)
        }
        Method::Masquerade => {
            let is_of_commands = ftp::carries_commands::<F>(&F::endpoints(&tuple.key));
            let brief = Brief::of(tuple).of_commands(is_of_commands);
            let announced = frame.overhear::<F, T>(tables, brief);
            ftp::announce(tables, announced);
            masquerade(frame, tuple, destination).into()
        }
        _ if destination.is(Destination::LOCAL) => Ok(Verdict::Pass).into(),
        Method::DirectRoute => direct_route(frame, tuple, destination).into(),
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
    /// NAT of both ends: the real server sees an address of the director as its client.
    FullNat = 3,
}

impl Method {
    /// Whether answers come back to the director, which needs an entry to know whose they are.
    #[inline(always)]
    pub const fn answers_pass(self) -> bool {
        matches!(self, Self::Masquerade | Self::FullNat)
    }

    /// Bits that were stored from a method; others count as direct routing.
    #[inline(always)]
    pub const fn from_bits(bits: u8) -> Self {
        match bits & 7 {
            1 => Self::Masquerade,
            2 => Self::Tunnel,
            3 => Self::FullNat,
            _ => Self::DirectRoute,
        }
    }
}
