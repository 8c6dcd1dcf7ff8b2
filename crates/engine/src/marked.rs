//! Packets with the firewall mark of a service.
//!
//! The mark is given by the operator's own rules of netfilter, behind the place where packets come
//! in here. So they pass there, the kernel's routing hands those with such a mark to a device of
//! their own, and there they come by once more: [`Frame::mark`] has the mark, which names the
//! service. IPVS needs it for nothing but that choice; a packet of the connection that is there then
//! is followed where it comes in, like any other's.
//!
//! IPVS asks for the mark before it asks for the address. So while there are services of both kinds
//! ([`Settings::led`](crate::settings::Settings::led)), first packets to addresses of services are
//! led there, too ([`Reason::MarkFirst`](crate::Reason::MarkFirst)).

use crate::family::{V4, V6};
use crate::frame::Frame;
use crate::process::{Version, version};
use crate::tables::Tables;
use crate::tuple::Packet;

/// Gives a packet back the hop that the kernel has counted on the way here: it is not passed on to
/// another host yet.
#[inline(always)]
pub fn give_back_hop<R: Frame>(frame: &mut R) -> Option<()> {
    match version(frame).ok()? {
        Version::Four => V4::increment_hops(frame),
        Version::Six => V6::increment_hops(frame),
    }
}

/// Lets packets to an address through the filter where they come in: it is virtual, as its packets
/// say. The daemon takes that back when no connection is left of it.
#[inline(always)]
pub fn show<T: Tables>(tables: &T, word: u32, bit: u64) {
    let Some(word) = tables.filter(word) else {
        return;
    };
    let before = word.load();
    if before & bit == 0 {
        // If another changes it at the same moment, the next packet tries again.
        word.replace(before, before | bit);
    }
}
