//! A packet of no known connection: the service it is for, the destination it gets, and its entry.

use rlvs_wire::protocol;
use rlvs_wire::sctp::{ABORT, INIT};
use rlvs_wire::tcp::{RST, SYN};

use crate::connection::{Meta, State};
use crate::destination::Destination;
use crate::family::Endpoints;
use crate::follow::{count, count_connection, follow, is_secure, sender};
use crate::reason::{Event, Reason};
use crate::schedule;
use crate::service::{ANY_PORT, FTP_PORT, Service, ServiceKey, may_be_ftp_data};
use crate::settings::{elapsed, ticks};
use crate::sysctl::Sysctl;
use crate::table::{self, Entry, Inserted};
use crate::tables::{Context, FamilyTables, Tables};
use crate::tuple::{Packet, Tuple};
use crate::{sctp, tcp};

/// A packet of no known connection: begins one if it may and belongs to a service.
#[inline(always)]
pub fn begin<F: Packet, T: FamilyTables<F>>(tables: &T, tuple: &Tuple<F>) -> Result<u32, Reason> {
    let starts = starts(tuple);
    if !starts && now(tables)?.settings.moving.load() != 0 {
        // Its entry may not have been carried over yet, and it would get another one.
        return Err(Reason::Moving);
    }
    let starts = starts || !was_stateless(now(tables)?);
    if starts && !may_start(now(tables)?, tuple) {
        return Err(Reason::NoConnection);
    }
    let service = tables.service_of(tuple)?;
    if starts && now(tables)?.settings.sheds() {
        return Err(Reason::Shed);
    }
    let (destination, flags) = match starts {
        true => choose(tables, tuple, service)?,
        // A later packet of what may be a connection without an entry: it goes where its first
        // went, and gets an entry when there is room.
        false => (constant(now(tables)?, tuple, service)?, 0),
    };
    if is_once(tables, tuple, service) {
        return once(
            now(tables)?,
            tuple,
            Meta::new(destination, State::Udp, flags),
        );
    }
    let state = first(tables, tuple, starts, destination);
    // All in one word: kept apart over the calls they would cost stack.
    let meta = Meta::new(destination, state, flags | tuple.flags_of_entry());
    match table::add(tables, &tuple.key, meta) {
        Inserted::New(_) => enter(now(tables)?, tuple, meta.destination(), meta.state()),
        Inserted::Existing(entry) => {
            forgo(tables, tuple, meta);
            join(now(tables)?, tuple, entry)
        }
        Inserted::Full => {
            forgo(tables, tuple, meta);
            stateless(now(tables)?, tuple, service)
        }
    }
}

/// A packet whose connection another CPU entered a moment ago.
#[inline(always)]
fn join<F: Packet, T: FamilyTables<F>>(
    context: Context<'_, T>,
    tuple: &Tuple<F>,
    entry: Entry<'_, F::Key>,
) -> Result<u32, Reason> {
    let number = entry.meta.destination();
    let destination = context.tables.destination(number).ok_or(Reason::Internal)?;
    if tuple.is_by_error() {
        return Ok(number);
    }
    if !destination.is(Destination::AVAILABLE) {
        return Err(Reason::DestinationGone);
    }
    follow(context, tuple, entry, destination, true);
    Ok(number)
}

/// Whether the packet asks for a connection (ip_vs_core.c, `is_new_conn`).
#[inline(always)]
pub(crate) fn opens<F: Packet>(tuple: &Tuple<F>) -> bool {
    match tuple.protocol {
        protocol::TCP => tuple.flags & SYN != 0,
        protocol::SCTP => tuple.flags == INIT,
        _ => false,
    }
}

/// Whether a packet is let begin a connection: some that do not are, by `sloppy_tcp` and
/// `sloppy_sctp` (ip_vs_proto_tcp.c, `tcp_conn_schedule`; ip_vs_proto_sctp.c).
#[inline(always)]
fn may_start<F: Packet, T: Tables>(context: Context<'_, T>, tuple: &Tuple<F>) -> bool {
    let settings = context.settings;
    starts(tuple)
        || match tuple.protocol {
            protocol::TCP => tuple.flags & RST == 0 && settings.is_on(Sysctl::SloppyTcp),
            protocol::SCTP => tuple.flags != ABORT && settings.is_on(Sysctl::SloppySctp),
            _ => false,
        }
}

/// Whether the packet begins a connection. One of AH or ESP follows another's.
#[inline(always)]
fn starts<F: Packet>(tuple: &Tuple<F>) -> bool {
    match tuple.protocol {
        _ if tuple.is_by_error() => true,
        protocol::TCP => tuple.flags & (SYN | RST) == SYN,
        protocol::UDP => true,
        _ => opens(tuple),
    }
}

/// The state that a new entry begins with.
#[inline(always)]
fn first<F: Packet, T: Tables>(
    tables: &T,
    tuple: &Tuple<F>,
    starts: bool,
    destination: u32,
) -> State {
    let record = tables.destination(destination);
    let from = record.map_or(tcp::From::ClientAlone, sender);
    match (tuple.protocol, starts) {
        (protocol::TCP, _) if tuple.is_by_error() => State::None,
        (protocol::SCTP, _) if tuple.is_by_error() => State::SctpNone,
        (protocol::TCP, true) => tcp::first(tuple.flags, from, is_secure(tables)),
        (protocol::TCP, false) => tcp::next(State::Established, tuple.flags, from),
        (protocol::SCTP, _) => {
            let before = if starts {
                State::SctpNone
            } else {
                State::SctpEstablished
            };
            sctp::next(before, sctp::Event::of_chunk(tuple.flags), from)
        }
        _ => State::Udp,
    }
}

/// A context for one step: kept over the calls of [`begin`] it would cost stack, of which there
/// is little.
#[inline(always)]
fn now<T: Tables>(tables: &T) -> Result<Context<'_, T>, Reason> {
    Context::new(tables).ok_or(Reason::Internal)
}

/// Number of a packet's service, in IPVS's order: by its firewall mark, else by what it is sent to
/// (ip_vs_ctl.c, `ip_vs_service_find`).
#[inline(always)]
pub fn service<F: Packet, T: FamilyTables<F>>(tables: &T, tuple: &Tuple<F>) -> Result<u32, Reason> {
    if tuple.mark != 0
        && let Some(number) = tables.service(&ServiceKey::of_mark::<F>(tuple.mark))
    {
        return Ok(number);
    }
    let number = by_address(tables, tuple)?;
    let settings = tables.settings().ok_or(Reason::Internal)?;
    match settings.is_led::<F>() && tuple.may_be_marked() {
        true => Err(Reason::MarkFirst),
        false => Ok(number),
    }
}

/// At its port, for FTP, or for all ports.
#[inline(always)]
fn by_address<F: Packet, T: FamilyTables<F>>(tables: &T, tuple: &Tuple<F>) -> Result<u32, Reason> {
    let Endpoints {
        virtual_address,
        virtual_port,
        ..
    } = F::endpoints(&tuple.key);
    let at = |port| tables.service(&ServiceKey::new(virtual_address, port, tuple.protocol));
    if let Some(number) = at(virtual_port) {
        return Ok(number);
    }
    let found = match may_be_ftp_data(tuple.protocol, virtual_port) {
        true => at(FTP_PORT),
        false => None,
    };
    let found = match found {
        Some(number) => Some(number).filter(|number| is_persistent(tables, *number)),
        None => at(ANY_PORT),
    };
    found.ok_or(Reason::NoService)
}

#[inline(always)]
fn is_persistent<T: Tables>(tables: &T, service: u32) -> bool {
    let service = tables.service_at(service);
    service.is_some_and(|service| service.is(Service::PERSISTENT))
}

/// The destination for a new connection, and its flags.
#[inline(always)]
fn choose<F: Packet, T: FamilyTables<F>>(
    tables: &T,
    tuple: &Tuple<F>,
    service: u32,
) -> Result<(u32, u8), Reason> {
    let record = tables.service_at(service).ok_or(Reason::Internal)?;
    let remembers = record.is(Service::PERSISTENT);
    if remembers && tuple.call == 0 && record.is(Service::BY_CALL) {
        return Err(Reason::NoCall);
    }
    if remembers && let Some(remembered) = tables.recall(&tuple.key, tuple.call, service) {
        return Ok((remembered, Meta::CONTROLLED));
    }
    let chosen = schedule::pick(tables, &tuple.key, service);
    let chosen = chosen.ok_or_else(|| nobody(tables, record))?;
    if !remembers {
        return Ok((chosen, 0));
    }
    match tables.remember(&tuple.key, tuple.call, service, chosen) {
        Some(remembered) => {
            if tuple.call != 0 {
                tables.keep_call(&tuple.key, tuple.call, service);
            }
            Ok((remembered, Meta::CONTROLLED))
        }
        None => Ok((chosen, 0)),
    }
}

/// What it means that no destination takes the packet. By a firewall mark, with `cache_bypass`: where
/// no cache serves, the origin does (ip_vs_core.c, `ip_vs_leave`).
#[inline(always)]
fn nobody<T: Tables>(tables: &T, service: &Service) -> Reason {
    let settings = tables.settings();
    let bypasses = settings.is_some_and(|settings| settings.is_on(Sysctl::CacheBypass));
    match service.mark.load() != 0 && bypasses {
        true => Reason::Bypassed,
        false => Reason::NoDestination,
    }
}

/// One-packet scheduling (`-o`).
#[inline(always)]
fn is_once<F: Packet, T: Tables>(tables: &T, tuple: &Tuple<F>, service: u32) -> bool {
    let service = tables.service_at(service);
    tuple.protocol == protocol::UDP && service.is_some_and(|it| it.is(Service::ONE_PACKET))
}

/// The packet is a connection that has ended when it is sent (`IP_VS_CONN_F_ONE_PACKET`): no entry
/// is made. What counts it, and what it may do to a destination's threshold, is as with others.
#[inline(always)]
fn once<F: Packet, T: FamilyTables<F>>(
    context: Context<'_, T>,
    tuple: &Tuple<F>,
    meta: Meta,
) -> Result<u32, Reason> {
    forgo(context.tables, tuple, meta);
    if tuple.is_by_error() {
        return Err(Reason::Protocol);
    }
    let number = meta.destination();
    let destination = context.tables.destination(number).ok_or(Reason::Internal)?;
    if destination.upper_threshold.load() != 0
        && let Some(load) = context.tables.load(number)
    {
        load.begin(false, destination);
        load.end(false, destination);
    }
    count(context, tuple, number, true);
    Ok(number)
}

/// Takes back what [`choose`] counted.
#[inline(always)]
fn forgo<F: Packet, T: FamilyTables<F>>(tables: &T, tuple: &Tuple<F>, meta: Meta) {
    if meta.has(Meta::CONTROLLED) {
        tables.forget(&tuple.key, meta.destination(), false);
    }
}

/// Enters a new connection in the counts.
#[inline(always)]
fn enter<F: Packet, T: Tables>(
    context: Context<'_, T>,
    tuple: &Tuple<F>,
    number: u32,
    state: State,
) -> Result<u32, Reason> {
    let destination = context.tables.destination(number).ok_or(Reason::Internal)?;
    if let Some(load) = context.tables.load(number) {
        load.begin(state.is_active(), destination);
    }
    match tuple.is_by_error() {
        // The error is counted when it goes on.
        true => count_connection(context, number),
        false => count(context, tuple, number, true),
    }
    Ok(number)
}

/// The destination that a flow without an entry has, now and later.
#[inline(always)]
fn constant<F: Packet, T: FamilyTables<F>>(
    context: Context<'_, T>,
    tuple: &Tuple<F>,
    service: u32,
) -> Result<u32, Reason> {
    let chosen = context.tables.pick_stateless(&tuple.key, service);
    chosen.ok_or(Reason::NoDestination)
}

/// Forwards without an entry: no client is refused for want of memory, but by masquerading and
/// full NAT, where nobody could tell whose the answer is.
#[inline(always)]
fn stateless<F: Packet, T: FamilyTables<F>>(
    context: Context<'_, T>,
    tuple: &Tuple<F>,
    service: u32,
) -> Result<u32, Reason> {
    let number = constant(context, tuple, service)?;
    let record = context.tables.destination(number).ok_or(Reason::Internal)?;
    if record.method().answers_pass() {
        return Err(Reason::TableFull);
    }
    let settings = context.settings;
    // Seldom written, for every packet reads this memory.
    if !was_stateless(context) || elapsed(context.now, settings.last_stateless.load()) > A_SECOND {
        settings.last_stateless.store(context.now);
        settings.ever_stateless.store(1);
    }
    context.tables.note(Event::Stateless);
    count(context, tuple, number, false);
    Ok(number)
}

const A_SECOND: u32 = ticks(1);

/// Whether connections without an entry may still live: one was begun, or seen, no longer ago
/// than an idle connection lives.
#[inline(always)]
fn was_stateless<T: Tables>(context: Context<'_, T>) -> bool {
    let settings = context.settings;
    settings.ever_stateless.load() != 0
        && elapsed(context.now, settings.last_stateless.load())
            <= settings.timeout(State::Established)
}
