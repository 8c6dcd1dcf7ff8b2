//! A real server's packet to the client of its connection: what NAT did to the client's is undone,
//! as in IPVS (`handle_response`).

use rlvs_wire::ethernet::Addresses;
use rlvs_wire::protocol;

use super::Stream;
use super::client_address::restore;
use super::full_nat::ends;
use super::translate::{mend, replace_end};
use crate::answers;
use crate::connection::{Key, Meta, Slot, State};
use crate::family::Endpoints;
use crate::follow::advance;
use crate::frame::{Brief, Frame, Route, RouteKind};
use crate::lease::Lease;
use crate::process::Verdict;
use crate::reason::Reason;
use crate::table::{self, Entry, Seat};
use crate::tables::{Context, FamilyTables};
use crate::tcp;
use crate::tuple::{Packet, Side};

/// `seat` is that of the connection it answers, or of its reverse entry: by full NAT.
#[inline(always)]
pub fn answer<F: Packet, R: Frame, T: FamilyTables<F>>(
    frame: &mut R,
    tables: &T,
    seat: Seat,
    brief: Brief,
) -> Result<Verdict, Reason> {
    let context = Context::new(tables).ok_or(Reason::Internal)?;
    let found = table::slot_at::<F, T>(tables, seat).ok_or(Reason::NoAnswer)?;
    let is_full = Meta(found.meta.load()).state() as u8 == State::Reverse as u8;
    let begins = found.seen.load();
    let slot = match is_full {
        true => client_of::<F, R, T>(frame, tables, found, brief)?,
        false => found,
    };
    let entry = Entry {
        slot,
        meta: Meta(slot.meta.load()),
    };
    if !entry.meta.is_clients() || table::is_over(context, entry, 0) {
        return Err(Reason::NoAnswer);
    }
    let is_own = entry.meta.has(Meta::OWN);
    if answers::is_for_another(frame, is_own) {
        return Ok(Verdict::Pass);
    }
    let packet = F::inner(frame).ok_or(Reason::Internal)?;
    let key = slot.key.load();
    let route = answers::to_client::<F, R>(frame, is_own, &key);
    if route.counts_hops() && packet.hops <= 1 {
        return Err(hop_limit(is_full));
    }
    let verdict = leave(route)?;
    slot.seen.store(context.now);
    advance(tables, brief, tcp::From::Server, entry);
    if let Some(counters) = tables.counters(context.settings, entry.meta.destination()) {
        counters.reply(packet.bytes);
    }
    let flags = tables
        .destination(entry.meta.destination())
        .map_or(0, |record| record.flags.load());
    let stream = match is_full && brief.protocol() == protocol::TCP {
        true => Stream::new(flags, begins, entry.meta.has(Meta::TOLD)),
        false => Stream::NONE,
    };
    if stream.hears::<F, R>(frame, brief) {
        note_told::<F>(slot);
    }
    let ends = F::endpoints(&key);
    let written = write::<F, R>(frame, stream, &ends, brief, route, is_full);
    written.ok_or(Reason::Internal)?;
    Ok(verdict)
}

/// The stack tells a masqueraded real server, in whose packet it sees one to be forwarded: of the
/// director's addresses it knows the one to say so from. Full NAT's packet it would take for its own.
#[inline(always)]
const fn hop_limit(is_full: bool) -> Reason {
    match is_full {
        true => Reason::HopLimit,
        false => Reason::AnswerHopLimit,
    }
}

/// Where a packet with this route goes.
#[inline(always)]
pub(crate) fn leave(route: Route) -> Result<Verdict, Reason> {
    match route.kind {
        RouteKind::Known => Ok(Verdict::Redirect(route.interface)),
        RouteKind::Ask => Ok(Verdict::Neighbour(route.interface)),
        RouteKind::Here => Ok(Verdict::Deliver),
        RouteKind::UnderWay => Ok(Verdict::Pass),
        RouteKind::Unresolved => Err(Reason::Unresolved),
        RouteKind::None => Err(Reason::NoRoute),
    }
}

/// Addresses the frame for a route.
#[inline(always)]
pub(crate) fn address<F: Packet, R: Frame>(frame: &mut R, route: Route) -> Option<()> {
    if route.kind == RouteKind::UnderWay {
        return Some(());
    }
    let addresses = frame.header_mut::<Addresses>(0)?;
    addresses.set(route.destination, route.source);
    if route.counts_hops() {
        F::decrement_hops(frame)?;
    }
    Some(())
}

/// The client's entry of a reverse one, if it has still the local port that the packet came to.
#[inline(always)]
pub(crate) fn client_of<'t, F: Packet, R: Frame, T: FamilyTables<F>>(
    frame: &R,
    tables: &'t T,
    reverse: &Slot<F::Key>,
    brief: Brief,
) -> Result<&'t Slot<F::Key>, Reason> {
    let client = Seat(reverse.children.load());
    let slot = table::slot_at::<F, T>(tables, client).ok_or(Reason::NoAnswer)?;
    let to: Endpoints<F> = ends::<F, R>(frame, brief)?;
    let is_its = Lease(slot.children.load()).port() == to.virtual_port
        && !Meta(slot.meta.load()).state().is_template();
    is_its.then_some(slot).ok_or(Reason::NoAnswer)
}

/// Remembers that the real server has what tells it the client's address.
#[inline(always)]
fn note_told<F: Packet>(slot: &Slot<F::Key>) {
    let now = Meta(slot.meta.load());
    if now.is_clients() {
        slot.meta.replace(now.0, now.with(Meta::TOLD).0);
    }
}

#[inline(always)]
fn write<F: Packet, R: Frame>(
    frame: &mut R,
    stream: Stream,
    ends: &Endpoints<F>,
    brief: Brief,
    route: Route,
    is_full: bool,
) -> Option<()> {
    address::<F, R>(frame, route)?;
    let (address, port) = (ends.virtual_address, ends.virtual_port);
    let mut changed = replace_end::<F, R>(frame, brief, Side::Source, address, |_| port)?;
    if is_full {
        let (address, port) = (ends.client, ends.client_port);
        let to = replace_end::<F, R>(frame, brief, Side::Destination, address, |_| port)?;
        changed = changed.and(to).and(restore::<F, R>(frame, stream, brief)?);
    }
    mend::<F, R>(frame, brief, changed)
}
