//! A packet of a known connection: the connection lives on, its state moves, and it is counted.

use core::ops::ControlFlow;

use rlvs_wire::protocol;
use rlvs_word::Shared64;

use crate::connection::{Meta, State};
use crate::destination::Destination;
use crate::forward::Method;
use crate::frame::Brief;
use crate::sysctl::Sysctl;
use crate::table::Entry;
use crate::tables::{Context, FamilyTables, Tables};
use crate::tuple::{Packet, Tuple};
use crate::{sctp, tcp};

/// A packet of a known connection; one that is `rare` takes the seam for its state at once.
#[inline(always)]
pub(crate) fn follow<F: Packet, T: FamilyTables<F>>(
    context: Context<'_, T>,
    tuple: &Tuple<F>,
    entry: Entry<'_, F::Key>,
    destination: &Destination,
    rare: bool,
) {
    entry.slot.seen.store(context.now);
    let (packet, from) = (Brief::of(tuple), sender(destination));
    match rare {
        true => context
            .tables
            .contend(&entry.slot.meta, entry.meta, packet, from),
        false => advance(context.tables, packet, from, entry),
    }
    count(context, tuple, entry.meta.destination(), false);
}

/// Whose state rows a client's packet takes.
#[inline(always)]
pub(crate) fn sender(destination: &Destination) -> tcp::From {
    match destination.method() {
        Method::Masquerade | Method::FullNat => tcp::From::Client,
        Method::DirectRoute | Method::Tunnel => tcp::From::ClientAlone,
    }
}

/// Moves a connection's state, and its destination's counts.
#[inline(always)]
pub(crate) fn advance<K, T: Tables>(
    tables: &T,
    packet: Brief,
    from: tcp::From,
    entry: Entry<'_, K>,
) {
    let (slot, meta) = (&entry.slot.meta, entry.meta);
    let moved = match packet.protocol() {
        protocol::TCP => {
            let (state, flags) = (meta.state(), packet.flags());
            let next = tcp::next(state, flags, from);
            tcp::stays(state, next, flags) || !is_secure(tables) && shift(tables, slot, meta, next)
        }
        protocol::SCTP => false,
        _ => true,
    };
    if !moved {
        tables.contend(slot, meta, packet, from);
    }
}

/// Whether TCP's states are those of `secure_tcp`.
#[inline(always)]
pub(crate) fn is_secure<T: Tables>(tables: &T) -> bool {
    let settings = tables.settings();
    settings.is_some_and(|settings| settings.is_on(Sysctl::SecureTcp))
}

/// How often a packet tries to move a state that others move at the same moment: each lost swap is
/// another packet of the same connection that went on, on another CPU.
const TRIES: u32 = 8;

/// [`advance`] from the state that the slot has now, as long as the connection of `meta` has it.
/// IPVS's lock of the connection puts its packets in a row; here the two sides' FINs, on two CPUs,
/// are each counted because the one that loses the swap goes on from what the other wrote.
#[inline(always)]
pub fn contend<T: Tables>(tables: &T, slot: &Shared64, meta: Meta, packet: Brief, from: tcp::From) {
    let is_secure = is_secure(tables);
    tables.repeat(TRIES, |_| {
        let now = Meta(slot.load());
        if !now.is_same_tenant(meta) {
            return ControlFlow::Break(());
        }
        let next = match packet.protocol() {
            protocol::SCTP => {
                let event = sctp::Event::of_chunk(packet.flags());
                sctp::next(now.state(), event, from)
            }
            protocol::TCP if is_secure => tcp::next_secure(now.state(), packet.flags(), from),
            protocol::TCP => tcp::next(now.state(), packet.flags(), from),
            _ => return ControlFlow::Break(()),
        };
        match shift(tables, slot, now, next) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
}

/// Whether the connection has the state `next` now.
#[inline(always)]
pub(crate) fn shift<T: Tables>(tables: &T, slot: &Shared64, meta: Meta, next: State) -> bool {
    let state = meta.state();
    if next as u8 == state as u8 {
        return true;
    }
    let moved = slot.replace(meta.0, meta.with_state(next).0);
    if moved
        && next.is_active() != state.is_active()
        && let Some(load) = tables.load(meta.destination())
    {
        load.shift(next.is_active());
    }
    moved
}

/// By this CPU, for the destination.
#[inline(always)]
pub(crate) fn count<F: Packet, T: Tables>(
    context: Context<'_, T>,
    tuple: &Tuple<F>,
    number: u32,
    begins: bool,
) {
    if let Some(counters) = context.tables.counters(context.settings, number) {
        counters.packet(tuple.bytes);
        if begins {
            counters.connection();
        }
    }
}

/// A new connection that no packet has begun.
#[inline(always)]
pub(crate) fn count_connection<T: Tables>(context: Context<'_, T>, number: u32) {
    if let Some(counters) = context.tables.counters(context.settings, number) {
        counters.connection();
    }
}
