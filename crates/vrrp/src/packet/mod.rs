//! Advertisements as they lie on the wire.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |Version| Type  | Virtual Rtr ID|   Priority    | Count IP Addrs|
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |   Auth Type   |   Adver Int   |          Checksum             |  version 2: seconds
//! |(rsvd) |     Max Adver Int     |          Checksum             |  version 3: hundredths
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                          addresses                            |
//! |                    8 bytes of a password                      |  version 2
//! |                       28 bytes of a trailer                   |  where they are signed
//! ```
//!
//! A [`Datagram`] is what a socket gives, of which [`Parsed::new`] makes an [`Advertisement`] or a
//! [`Malformed`]; an [`Outgoing`] is what a socket takes. Nothing panics, whatever the bytes are.

pub mod advertisement;
pub mod authentication;
pub mod datagram;
pub mod malformed;
pub mod outgoing;
pub mod sum;
pub mod trailer;

pub use advertisement::{Advertisement, Carried, Parsed, Version};
pub use authentication::Key;
pub use datagram::{Datagram, Unauthentic};
pub use malformed::Malformed;
pub use outgoing::{Envelope, Outgoing};
pub use sum::Sum;
pub use trailer::{Sequence, Signature, SigningKey, Trailer};

/// The protocol number (IANA).
pub const PROTOCOL: u8 = 112;

/// Of every packet to a group, and asked of every one that comes from there: no router has
/// forwarded it.
pub const HOP_LIMIT: u8 = 255;

#[cfg(test)]
mod tests;
