//! Remote checksum offload (draft-herbert-remotecsumoffload): the sender left the inner transport
//! checksum to us. What arrived must be what was sent before it gets a right one.

use rlvs_wire::{Checksum, Ipv4, Ipv6, Udp, protocol};

use crate::inspect::{Bytes, Found, IP};

/// Whether the outer UDP checksum says that the packet is whole, given the sum over all that it is
/// about. A packet of this machine may still lack it: its field then has the sum of the pseudo
/// header, for a device to go on with.
#[inline(always)]
pub fn is_whole<B: Bytes>(bytes: &B, found: &Found, sum: u32) -> Option<bool> {
    let udp = bytes.header::<Udp>(bytes.offset(found.shim))?;
    let [a, b] = udp.length.to_bytes();
    let pseudo = addresses(bytes, found)?
        .plus([0, protocol::UDP])
        .plus([a, b]);
    let [a, b] = pseudo.to_field();
    Some(pseudo.plus4(sum.to_ne_bytes()).verifies() || udp.checksum == [!a, !b])
}

/// The bytes of the inner checksum field, given the sum over what it is about.
#[inline(always)]
pub fn field(sum: u32) -> [u8; 2] {
    match Checksum::default().plus4(sum.to_ne_bytes()).to_field() {
        // The same number, and to UDP not "none was computed".
        [0, 0] => [0xff, 0xff],
        field => field,
    }
}

#[inline(always)]
fn addresses<B: Bytes>(bytes: &B, found: &Found) -> Option<Checksum> {
    let sum = Checksum::default();
    if found.outer_is_six {
        let ip = bytes.header::<Ipv6>(IP)?;
        return Some(sum.plus16(ip.source).plus16(ip.destination));
    }
    let ip = bytes.header::<Ipv4>(IP)?;
    Some(sum.plus4(ip.source).plus4(ip.destination))
}
