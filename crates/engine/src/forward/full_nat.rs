//! Full NAT: the real server sees a local address of the director as its client, so that answers
//! find back whatever the real server's routes are. From Alibaba's LVS, as in DPVS; the kernel's
//! IPVS has none.
//!
//! ```text
//! client:port  -> virtual:port     becomes     local:port -> real server:port     and back
//! ```
//!
//! The client's address is told otherwise: see [`client_address`](super::client_address).

use rlvs_wire::ethernet::Addresses;
use rlvs_wire::{Ports, Tcp, protocol};

use super::Stream;
use super::client_address::announce;
use super::translate::{Changed, mend, replace_end};
use crate::destination::Destination;
use crate::family::Endpoints;
use crate::frame::{Brief, Frame};
use crate::lease::{Beginning, Lease};
use crate::process::{To, Verdict};
use crate::reason::Reason;
use crate::tables::FamilyTables;
use crate::tuple::{Packet, Side, Tuple};
use crate::upper::is_keyed;

/// Whether a client's packet can go to the real server. Not one of AH or ESP: its answer would have
/// no port to tell by whose it is.
#[inline(always)]
pub(super) fn check<F: Packet>(
    destination: &Destination,
    lease: Lease,
    tuple: &Tuple<F>,
) -> Result<(), Reason> {
    let (hops, flags) = (tuple.hops, destination.flags.load());
    let is_local = flags & Destination::LOCAL != 0;
    if is_keyed(tuple.protocol) {
        return Err(Reason::Protocol);
    }
    if lease.is_none() {
        return Err(Reason::NoLocalAddress);
    }
    if !is_local && flags & Destination::RESOLVED == 0 {
        return Err(Reason::Unresolved);
    }
    if !is_local && hops <= 1 {
        return Err(Reason::HopLimit);
    }
    Ok(())
}

/// What the real server is to be told within this packet's stream.
#[inline(always)]
pub(super) fn stream<F: Packet, R: Frame, T: FamilyTables<F>>(
    frame: &R,
    tables: &T,
    tuple: &Tuple<F>,
    to: To<'_>,
) -> Result<Stream, Reason> {
    let flags = to.destination.flags.load();
    let proxy = flags & Destination::PROXY != 0;
    if tuple.protocol != protocol::TCP || !(proxy || flags & Destination::TOA != 0) {
        return Ok(Stream::NONE);
    }
    // Only the PROXY protocol changes what comes later in the stream.
    if !to.begins && !proxy {
        return Ok(Stream::new(flags, 0, to.told));
    }
    let first = match to.begins {
        true => {
            let tcp = frame.header::<Tcp>(frame.offset(tuple.transport as usize));
            let sequence = u32::from_be_bytes(tcp.ok_or(Reason::Internal)?.sequence);
            Beginning::new(sequence.wrapping_add(1))
        }
        false => Beginning::NONE,
    };
    let beginning = tables.beginning(&tuple.key, (to.number, to.lease), first);
    let begins = beginning.sequence().ok_or(Reason::Internal)?;
    Ok(Stream::new(flags, begins, to.told))
}

/// Writes into a client's packet what tells the real server who its client is, before addresses
/// are replaced. What that changed, packed.
#[inline(always)]
pub fn tell<F: Packet, R: Frame>(
    frame: &mut R,
    stream: Stream,
    brief: Brief,
) -> Result<u64, Reason> {
    let ends = ends::<F, R>(frame, brief)?;
    Ok(announce::<F, R>(frame, stream, &ends, brief)?.packed())
}

/// A client's packet, to the real server. `told` is what [`tell`] changed.
#[inline(always)]
pub fn full_nat<F: Packet, R: Frame, T: FamilyTables<F>>(
    frame: &mut R,
    tables: &T,
    number: u32,
    lease: Lease,
    brief: Brief,
    told: u64,
) -> Result<Verdict, Reason> {
    let destination = tables.destination(number).ok_or(Reason::Internal)?;
    let local = tables.local(lease.local()).ok_or(Reason::Internal)?;
    let flags = destination.flags.load();
    let is_local = flags & Destination::LOCAL != 0;
    let out = destination.interface.load();
    let stays = out == frame.interface() && flags & Destination::REDIRECT == 0;
    if !is_local {
        let addresses = frame.header_mut::<Addresses>(0).ok_or(Reason::Internal)?;
        addresses.set(destination.next_hop.load(), destination.source.load());
        F::decrement_hops(frame).ok_or(Reason::Internal)?;
    }
    let address = F::address(&destination.address);
    let port = |virtual_port| destination.port_for(virtual_port);
    let to = replace_end::<F, R>(frame, brief, Side::Destination, address, port);
    let address = F::address(&local.address);
    let from = replace_end::<F, R>(frame, brief, Side::Source, address, |_| lease.port());
    let (to, from) = (to.ok_or(Reason::Internal)?, from.ok_or(Reason::Internal)?);
    let changed = Changed::unpacked(told).and(to).and(from);
    mend::<F, R>(frame, brief, changed).ok_or(Reason::Internal)?;
    Ok(match (is_local, stays) {
        (true, _) => Verdict::Pass,
        (_, true) => Verdict::Transmit,
        _ => Verdict::Redirect(out),
    })
}

/// The packet's ends, as they are before anything is written.
#[inline(always)]
pub(super) fn ends<F: Packet, R: Frame>(frame: &R, brief: Brief) -> Result<Endpoints<F>, Reason> {
    let [client, virtual_address] = F::addresses(frame)?;
    let transport = frame.offset(brief.transport());
    let ports = frame.header::<Ports>(transport).ok_or(Reason::Internal)?;
    Ok(Endpoints {
        client,
        virtual_address,
        client_port: ports.source,
        virtual_port: ports.destination,
        protocol: brief.protocol(),
    })
}
