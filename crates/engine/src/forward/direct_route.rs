//! Direct routing: the frame goes on to the real server's MAC address; of the packet in it only
//! the time to live changes, as in IPVS (`ip_vs_dr_xmit`).

use rlvs_wire::ethernet::Addresses;

use crate::destination::Destination;
use crate::frame::Frame;
use crate::process::Verdict;
use crate::reason::Reason;
use crate::tuple::{Packet, Tuple};

#[inline(always)]
pub fn direct_route<F: Packet, R: Frame>(
    frame: &mut R,
    tuple: &Tuple<F>,
    destination: &Destination,
) -> Result<Verdict, Reason> {
    let flags = destination.flags.load();
    if flags & Destination::RESOLVED == 0 {
        return Err(Reason::Unresolved);
    }
    if tuple.hops <= 1 {
        return Err(Reason::HopLimit);
    }
    let out = destination.interface.load();
    let stays = out == frame.interface() && flags & Destination::REDIRECT == 0;
    let addresses = frame.header_mut::<Addresses>(0).ok_or(Reason::Internal)?;
    addresses.set(destination.next_hop.load(), destination.source.load());
    F::decrement_hops(frame).ok_or(Reason::Internal)?;
    Ok(if stays {
        Verdict::Transmit
    } else {
        Verdict::Redirect(out)
    })
}
