//! ICMP errors about packets of connections reach whom they concern, as in IPVS
//! (`ip_vs_in_icmp`, `ip_vs_out_icmp`).
//!
//! * About an answer, to the virtual address: on to the real server, as a packet of the connection
//!   would go. Path MTU discovery of real servers lives by it.
//! * About a client's packet, from a masqueraded real server or a router near it: on to the client,
//!   as if it came from the virtual address.
//!
//! Under masquerading and full NAT the packet inside is translated too, for the receiver is to recognise it as
//! its own.

use rlvs_wire::ethernet::Addresses;
use rlvs_wire::{Checksum, Ports, icmp};

use crate::answers;
use crate::connection::{Key, Meta, Slot, State};
use crate::destination::Destination;
use crate::family::Endpoints;
use crate::forward::{Method, address, leave};
use crate::frame::{Change, Frame, Way};
use crate::lease::Lease;
use crate::process::Verdict;
use crate::reason::Reason;
use crate::respond::Respond;
use crate::table::{self, Seat};
use crate::tables::{Context, FamilyTables, Tables};
use crate::tuple::{Embedded, IP, Packet, Side};

/// An ICMP packet; those that are no errors, or about no connection, pass. So do, here, those about
/// a connection by full NAT or through a tunnel: they are a matter of [`relate_full_nat`] and
/// [`for_tunnel`].
#[inline(always)]
pub fn relate<F, R, T>(frame: &mut R, tables: &T) -> Result<Verdict, Reason>
where
    F: Respond,
    R: Frame,
    T: FamilyTables<F>,
{
    let embedded = F::embedded(frame).map_err(|_| Reason::Protocol)?;
    let turned = F::turned(&embedded.key);
    let context = Context::new(tables).ok_or(Reason::Internal)?;
    if frame.way() != Way::Out
        && let Some(entry) = table::find::<F, T>(context, &turned)
    {
        let number = entry.meta.destination();
        if !Lease(entry.slot.children.load()).is_none() || goes_by_tunnel(tables, number) {
            return Err(Reason::Protocol);
        }
        if let Some(counters) = tables.counters(context.settings, number) {
            counters.packet(embedded.bytes);
        }
        return to_server(frame, context, &embedded, number);
    }
    to_client::<F, R, T>(frame, context, &embedded)
}

/// The same of connections by full NAT. A stage of its own, for the stack is small.
#[inline(always)]
pub fn relate_full_nat<F, R, T>(frame: &mut R, tables: &T) -> Result<Verdict, Reason>
where
    F: Respond,
    R: Frame,
    T: FamilyTables<F>,
{
    let embedded = F::embedded(frame).map_err(|_| Reason::Protocol)?;
    let turned = F::turned(&embedded.key);
    let context = Context::new(tables).ok_or(Reason::Internal)?;
    if let Some(entry) = table::find::<F, T>(context, &turned) {
        let lease = Lease(entry.slot.children.load());
        return to_full_nat::<F, R, T>(frame, context, &embedded, entry.meta.destination(), lease);
    }
    let found = table::find_answered::<F, T>(context, &embedded.key).ok_or(Reason::Protocol)?;
    let client = Seat(found.entry.slot.children.load());
    let slot = table::slot_at::<F, T>(tables, client).ok_or(Reason::Protocol)?;
    if found.entry.meta.state() as u8 != State::Reverse as u8 {
        return Err(Reason::Protocol);
    }
    from_full_nat::<F, R>(frame, &embedded, slot)
}

/// The destination, and the hash for its tunnel, of a connection through one that an ICMP error is
/// about.
#[inline(always)]
pub fn for_tunnel<F, R, T>(frame: &R, tables: &T) -> Result<Inward, Reason>
where
    F: Respond,
    R: Frame,
    T: FamilyTables<F>,
{
    let embedded = F::embedded(frame).map_err(|_| Reason::Protocol)?;
    let turned = F::turned(&embedded.key);
    let context = Context::new(tables).ok_or(Reason::Internal)?;
    let entry = table::find::<F, T>(context, &turned).ok_or(Reason::Protocol)?;
    let number = entry.meta.destination();
    if !goes_by_tunnel(tables, number) {
        return Err(Reason::Protocol);
    }
    if let Some(counters) = tables.counters(context.settings, number) {
        counters.packet(embedded.bytes);
    }
    Ok(Inward::new(number, F::hash(&embedded.key, 0) as u32))
}

/// A destination (32 bits) and a hash (31) in one register.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Inward(pub u64);

impl Inward {
    #[inline(always)]
    pub const fn new(destination: u32, hash: u32) -> Self {
        Self(destination as u64 | (hash as u64 & 0x7fff_ffff) << 32)
    }

    #[inline(always)]
    pub const fn destination(self) -> u32 {
        self.0 as u32
    }

    #[inline(always)]
    pub const fn hash(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

#[inline(always)]
fn goes_by_tunnel<T: Tables>(tables: &T, number: u32) -> bool {
    let destination = tables.destination(number);
    destination.is_some_and(|destination| {
        destination.method() as u8 == Method::Tunnel as u8 && !destination.is(Destination::LOCAL)
    })
}

/// To the real server: as if it were the local end that did not get its answer.
#[inline(always)]
fn to_full_nat<F: Respond, R: Frame, T: FamilyTables<F>>(
    frame: &mut R,
    context: Context<'_, T>,
    embedded: &Embedded<F>,
    number: u32,
    lease: Lease,
) -> Result<Verdict, Reason> {
    let destination = context.tables.destination(number).ok_or(Reason::Internal)?;
    let local = context
        .tables
        .local(lease.local())
        .ok_or(Reason::Internal)?;
    let flags = destination.flags.load();
    let ends = destination.method() as u8 != Method::FullNat as u8 || embedded.hops <= 1;
    if lease.is_none() || ends {
        return Err(Reason::Protocol);
    }
    if flags & Destination::RESOLVED == 0 {
        return Err(Reason::Unresolved);
    }
    let out = destination.interface.load();
    let stays = out == frame.interface() && flags & Destination::REDIRECT == 0;
    let address = F::address(&destination.address);
    let port = destination.port_for(virtual_port(embedded));
    let addresses = frame.header_mut::<Addresses>(0).ok_or(Reason::Internal)?;
    addresses.set(destination.next_hop.load(), destination.source.load());
    F::decrement_hops(frame).ok_or(Reason::Internal)?;
    translate(frame, embedded, Side::Destination, address, port).ok_or(Reason::Internal)?;
    let address = F::address(&local.address);
    translate(frame, embedded, Side::Source, address, lease.port()).ok_or(Reason::Internal)?;
    Ok(match stays {
        true => Verdict::Transmit,
        false => Verdict::Redirect(out),
    })
}

/// To the client, whose connection this is: as if the virtual address were what failed.
#[inline(always)]
fn from_full_nat<F: Respond, R: Frame>(
    frame: &mut R,
    embedded: &Embedded<F>,
    slot: &Slot<F::Key>,
) -> Result<Verdict, Reason> {
    let is_own = Meta(slot.meta.load()).has(Meta::OWN);
    if answers::is_for_another(frame, is_own) {
        return Ok(Verdict::Pass);
    }
    let key = slot.key.load();
    let route = answers::to_client::<F, R>(frame, is_own, &key);
    if route.counts_hops() && embedded.hops <= 1 {
        return Err(Reason::Protocol);
    }
    let verdict = leave(route)?;
    let ends: Endpoints<F> = F::endpoints(&key);
    address::<F, R>(frame, route).ok_or(Reason::Internal)?;
    let (address, port) = (ends.virtual_address, ends.virtual_port);
    translate(frame, embedded, Side::Source, address, port).ok_or(Reason::Internal)?;
    let (address, port) = (ends.client, ends.client_port);
    translate(frame, embedded, Side::Destination, address, port).ok_or(Reason::Internal)?;
    Ok(verdict)
}

/// To the real server of the connection.
#[inline(always)]
fn to_server<F: Respond, R: Frame, T: FamilyTables<F>>(
    frame: &mut R,
    context: Context<'_, T>,
    embedded: &Embedded<F>,
    number: u32,
) -> Result<Verdict, Reason> {
    let destination = context.tables.destination(number).ok_or(Reason::Internal)?;
    let flags = destination.flags.load();
    if flags & Destination::LOCAL != 0 {
        return Ok(Verdict::Pass);
    }
    if flags & Destination::RESOLVED == 0 {
        return Err(Reason::Unresolved);
    }
    if embedded.hops <= 1 {
        return Err(Reason::HopLimit);
    }
    let out = destination.interface.load();
    let stays = out == frame.interface() && flags & Destination::REDIRECT == 0;
    let addresses = frame.header_mut::<Addresses>(0).ok_or(Reason::Internal)?;
    addresses.set(destination.next_hop.load(), destination.source.load());
    F::decrement_hops(frame).ok_or(Reason::Internal)?;
    if destination.method() == Method::Masquerade {
        let address = F::address(&destination.address);
        let port = destination.port_for(virtual_port(embedded));
        translate(frame, embedded, Side::Destination, address, port).ok_or(Reason::Internal)?;
    }
    Ok(match stays {
        true => Verdict::Transmit,
        false => Verdict::Redirect(out),
    })
}

/// Of the connection, whose answer the error is about.
#[inline(always)]
fn virtual_port<F: Respond>(embedded: &Embedded<F>) -> [u8; 2] {
    F::endpoints(&embedded.key).client_port
}

/// To the client of a masqueraded connection.
#[inline(always)]
fn to_client<F, R, T>(
    frame: &mut R,
    context: Context<'_, T>,
    embedded: &Embedded<F>,
) -> Result<Verdict, Reason>
where
    F: Respond,
    R: Frame,
    T: FamilyTables<F>,
{
    let found = table::find_answered::<F, T>(context, &embedded.key).ok_or(Reason::Protocol)?;
    let entry = found.entry;
    if entry.meta.state() as u8 == State::Reverse as u8 {
        return Err(Reason::Protocol);
    }
    let is_own = entry.meta.has(Meta::OWN);
    if answers::is_for_another(frame, is_own) {
        return Ok(Verdict::Pass);
    }
    let key = entry.slot.key.load();
    let route = answers::to_client::<F, R>(frame, is_own, &key);
    if route.counts_hops() && embedded.hops <= 1 {
        return Err(Reason::HopLimit);
    }
    let verdict = leave(route)?;
    let number = entry.meta.destination();
    if let Some(counters) = context.tables.counters(context.settings, number) {
        counters.reply(embedded.bytes);
    }
    address::<F, R>(frame, route).ok_or(Reason::Internal)?;
    let Endpoints {
        virtual_address,
        virtual_port,
        ..
    } = F::endpoints(&key);
    translate(frame, embedded, Side::Source, virtual_address, virtual_port)
        .ok_or(Reason::Internal)?;
    Ok(verdict)
}

/// Gives one end of the error, which is the other end of the packet it is about, another address,
/// and that packet another port. The transport checksum of that packet stays, as in IPVS: it is
/// seldom whole, and nobody verifies it.
#[inline(always)]
fn translate<F: Packet, R: Frame>(
    frame: &mut R,
    embedded: &Embedded<F>,
    side: Side,
    address: F::Address,
    port: [u8; 2],
) -> Option<()> {
    let outer = F::replace_address(frame, IP, side, address)?;
    let other = match side {
        Side::Source => Side::Destination,
        Side::Destination => Side::Source,
    };
    let inner = F::replace_address(frame, embedded.ip as usize, other, address)?;
    let of_ports = match embedded.ports {
        0 => Checksum::default(),
        at => renumber(frame, at as usize, other, port)?,
    };
    let is_ipv6 = F::INDEX == 1;
    // ICMP's checksum covers no addresses of IPv4's: not those outside, and the header inside has
    // a checksum, so that what it adds to a sum stays the same.
    let (addresses, header) = match is_ipv6 {
        true => (outer, inner.and(of_ports)),
        false => (Checksum::default(), of_ports),
    };
    frame.mend(Change {
        field: embedded.icmp as usize + icmp::CHECKSUM,
        addresses,
        header,
        is_udp: false,
        is_ipv6,
    })
}

#[inline(always)]
fn renumber<R: Frame>(frame: &mut R, at: usize, side: Side, port: [u8; 2]) -> Option<Checksum> {
    let ports = frame.header_mut::<Ports>(at)?;
    let field = match side {
        Side::Source => &mut ports.source,
        Side::Destination => &mut ports.destination,
    };
    let change = Checksum::default().replace(*field, port);
    *field = port;
    Some(change)
}
