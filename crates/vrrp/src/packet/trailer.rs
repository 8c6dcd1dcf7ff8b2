//! The trailer of signed advertisements (keepalived's `auth_hmac`, draft-cassen-vrrp-auth-hmac):
//! whoever has no key can neither make an advertisement nor send one again.
//!
//! ```text
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |   Type (1)    |    Key ID     |           Reserved            |
//! |                  seconds of the time of day                   |
//! |     65536th parts of one      |            counter            |
//! |           the first 16 bytes of an HMAC-SHA256                |
//! ```
//!
//! The HMAC is over a pseudo header of 20 bytes, the message, and the trailer. The checksum and the
//! HMAC itself count as zero: of IPv6 the checksum is over the trailer, too, which is known last.

use core::time::Duration;
use std::net::IpAddr;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zerocopy::byteorder::network_endian::U64;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Behind the message.
#[derive(
    Clone, Copy, Debug, Eq, FromBytes, Immutable, IntoBytes, KnownLayout, PartialEq, Unaligned,
)]
#[repr(C)]
pub struct Trailer {
    kind: u8,
    pub key: u8,
    reserved: [u8; 2],
    sequence: U64,
    value: [u8; 16],
}

pub(super) const LENGTH: usize = size_of::<Trailer>();

/// An HMAC-SHA256 cut off behind 16 bytes.
const SHA256: u8 = 1;
/// Where in a message its checksum is.
const CHECKSUM: core::ops::Range<usize> = 6..8;

/// A key, and its number.
#[derive(Clone, Eq, PartialEq)]
pub struct SigningKey {
    /// Not 0.
    pub id: u8,
    pub bytes: Vec<u8>,
}

impl core::fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut core::fmt::Formatter) -> core::fmt::Result {
        write!(formatter, "SigningKey({})", self.id)
    }
}

/// What an advertisement is signed with.
#[derive(Clone, Copy, Debug)]
pub struct Signature<'a> {
    pub key: &'a SigningKey,
    pub sequence: Sequence,
}

/// The time of day at which something was signed, and a counter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sequence(pub u64);

impl Sequence {
    /// The first at a time of day.
    pub fn at(time: Duration) -> Self {
        // The counter of seconds begins anew after 136 years.
        let seconds = u64::from(time.as_secs() as u32);
        let parts = (u64::from(time.subsec_nanos()) << 16) / 1_000_000_000;
        Self(seconds << 32 | parts << 16)
    }

    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }

    /// In the order of RFC 1982, which goes on where numbers begin anew.
    pub fn is_after(self, other: Self) -> bool {
        self.0.wrapping_sub(other.0).cast_signed() > 0
    }

    /// How many seconds before that time of day it was made; less than none if it is ahead of it.
    pub fn age(self, time: Duration) -> i32 {
        let (now, then) = (time.as_secs() as u32, (self.0 >> 32) as u32);
        now.wrapping_sub(then).cast_signed()
    }
}

/// Whose a message is, beside what it says itself.
#[derive(Clone, Copy)]
pub(super) struct Signed<'a> {
    pub(super) version: u8,
    pub(super) virtual_router: u8,
    pub(super) source: IpAddr,
    pub(super) message: &'a [u8],
}

impl Trailer {
    pub(super) fn new(signature: Signature, signed: Signed) -> Self {
        let mut trailer = Self {
            kind: SHA256,
            key: signature.key.id,
            reserved: [0; 2],
            sequence: signature.sequence.0.into(),
            value: [0; 16],
        };
        let code = trailer.digest(signature.key, signed).finalize();
        let code = code.into_bytes();
        trailer.value = core::array::from_fn(|place| code[place]);
        trailer
    }

    /// Whether it is laid out in the way that is known here.
    pub fn is_known(&self) -> bool {
        self.kind == SHA256 && self.reserved == [0; 2]
    }

    pub fn sequence(&self) -> Sequence {
        Sequence(self.sequence.get())
    }

    pub(super) fn is_made_with(&self, key: &SigningKey, signed: Signed) -> bool {
        let mac = self.digest(key, signed);
        mac.verify_truncated_left(&self.value).is_ok()
    }

    fn digest(&self, key: &SigningKey, signed: Signed) -> Hmac<Sha256> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&key.bytes).expect("HMAC takes keys of any length");
        mac.update(&pseudo_header(signed));
        let message = signed.message;
        let (head, behind) = message.split_at(CHECKSUM.start.min(message.len()));
        mac.update(head);
        mac.update(&[0; CHECKSUM.end - CHECKSUM.start]);
        mac.update(behind.get(CHECKSUM.len()..).unwrap_or_default());
        let unsigned = Self {
            value: [0; 16],
            ..*self
        };
        mac.update(unsigned.as_bytes());
        mac
    }
}

/// The family, the version, the virtual router, a zero, and the sender's address with zeros behind.
fn pseudo_header(signed: Signed) -> [u8; 20] {
    let mut header = [0; 20];
    header[1] = signed.version;
    header[2] = signed.virtual_router;
    match signed.source {
        IpAddr::V4(address) => {
            header[0] = 4;
            header[4..8].copy_from_slice(&address.octets());
        }
        IpAddr::V6(address) => {
            header[0] = 6;
            header[4..].copy_from_slice(&address.octets());
        }
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_are_times_and_go_on_where_numbers_begin_anew() {
        let time = Duration::new(0x6800_0000, 500_000_000);
        assert_eq!(Sequence::at(time), Sequence(0x6800_0000_8000_0000));
        assert!(Sequence::at(time).next().is_after(Sequence::at(time)));
        assert!(!Sequence::at(time).is_after(Sequence::at(time)));
        assert!(Sequence(3).is_after(Sequence(u64::MAX - 3)));
        assert!(!Sequence(u64::MAX - 3).is_after(Sequence(3)));
        let second = Duration::from_secs(1);
        assert_eq!(Sequence::at(time).age(time + 7 * second), 7);
        assert_eq!(Sequence::at(time).age(time - 7 * second), -7);
        assert_eq!(Sequence(u64::MAX).age(second), 2);
    }
}
