//! NAT: the packet gets the real server's address and port, as in IPVS (`ip_vs_nat_xmit`); its
//! [`answer`](super::answer) the virtual ones. Checksums are mended, not computed anew.

use rlvs_wire::ethernet::Addresses;

use super::translate::{mend, replace_end};
use crate::destination::Destination;
use crate::frame::{Brief, Frame};
use crate::process::Verdict;
use crate::reason::Reason;
use crate::tuple::{Packet, Side, Tuple};

/// A client's packet, to the real server.
#[inline(always)]
pub fn masquerade<F: Packet, R: Frame>(
    frame: &mut R,
    tuple: &Tuple<F>,
    destination: &Destination,
) -> Result<Verdict, Reason> {
    let flags = destination.flags.load();
    let is_local = flags & Destination::LOCAL != 0;
    if !is_local && flags & Destination::RESOLVED == 0 {
        return Err(Reason::Unresolved);
    }
    if !is_local && tuple.hops <= 1 {
        return Err(Reason::HopLimit);
    }
    let (out, next_hop, source) = (
        destination.interface.load(),
        destination.next_hop.load(),
        destination.source.load(),
    );
    let stays = out == frame.interface() && flags & Destination::REDIRECT == 0;
    let address = F::address(&destination.address);
    if !is_local {
        let addresses = frame.header_mut::<Addresses>(0).ok_or(Reason::Internal)?;
        addresses.set(next_hop, source);
        F::decrement_hops(frame).ok_or(Reason::Internal)?;
    }
    translate(frame, tuple, address, destination).ok_or(Reason::Internal)?;
    Ok(match (is_local, stays) {
        (true, _) => Verdict::Pass,
        (_, true) => Verdict::Transmit,
        _ => Verdict::Redirect(out),
    })
}

#[inline(always)]
fn translate<F: Packet, R: Frame>(
    frame: &mut R,
    tuple: &Tuple<F>,
    address: F::Address,
    destination: &Destination,
) -> Option<()> {
    let brief = Brief::of(tuple);
    let port = |virtual_port| destination.port_for(virtual_port);
    let changed = replace_end::<F, R>(frame, brief, Side::Destination, address, port)?;
    mend::<F, R>(frame, brief, changed)
}
