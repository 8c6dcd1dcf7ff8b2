//! One packet: read, decide, write.

use rlvs_wire::ethernet::{self, Addresses};
use rlvs_wire::sctp::{ABORT, INIT};
use rlvs_wire::tcp::{RST, SYN};
use rlvs_wire::{Ethernet, protocol};
use rlvs_word::Shared64;

use crate::answers::reply;
use crate::connection::{Meta, State};
use crate::destination::Destination;
use crate::family::{Endpoints, V4, V6};
use crate::forward::{Method, forward};
use crate::fragment::Origin;
use crate::frame::{Brief, Frame};
use crate::lease::Lease;
use crate::outcome::{Outcome, tried};
use crate::reason::{Event, Reason};
use crate::respond::Respond;
use crate::schedule;
use crate::service::{ANY_PORT, FTP_PORT, Service, ServiceKey, filter, may_be_ftp_data};
use crate::settings::{elapsed, ticks};
use crate::sysctl::Sysctl;
use crate::table::{self, Entry, Inserted};
use crate::tables::{Context, FamilyTables, Tables, interface};
use crate::tuple::{Packet, Tuple};
use crate::{sctp, tcp};

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It ends here.
    Drop,
    /// It goes on to the stack, untouched.
    Pass,
    /// It leaves by the interface it came in on.
    Transmit,
    /// It leaves by this interface.
    Redirect(u32),
    /// The same, to a next hop that the kernel has to ask for.
    Neighbour(u32),
    /// It goes to a socket of this host, by the loopback interface: where it came in, the stack
    /// would not believe its sender, which is an address of this host, too.
    Deliver,
}

/// Decides about a frame, and writes it if it is to be forwarded.
#[inline(always)]
pub fn process<R, T>(frame: &mut R, tables: &T) -> Verdict
where
    R: Frame,
    T: FamilyTables<V4> + FamilyTables<V6>,
{
    let outcome = match version(frame) {
        Ok(Version::Four) => packet::<V4, R, T>(frame, tables),
        Ok(Version::Six) => packet::<V6, R, T>(frame, tables),
        Err(reason) => Outcome::failed(reason),
    };
    let Some(reason) = outcome.reason() else {
        return outcome.verdict();
    };
    tables.count(reason);
    reason.verdict()
}

/// An IP version.
pub(crate) enum Version {
    Four,
    Six,
}

/// That of the packet in a frame.
#[inline(always)]
pub(crate) fn version<R: Frame>(frame: &R) -> Result<Version, Reason> {
    let ethernet = frame.header::<Ethernet>(0).ok_or(Reason::NotIp)?;
    match ethernet.ethertype.get() {
        ethernet::IPV4 => Ok(Version::Four),
        ethernet::IPV6 => Ok(Version::Six),
        ethernet::VLAN | ethernet::SERVICE_VLAN => Err(Reason::Tagged),
        _ => Err(Reason::NotIp),
    }
}

/// Another fragment, on the way of its first.
#[inline(always)]
pub(crate) fn follow_first<F, R, T>(frame: &mut R, tables: &T) -> Outcome
where
    F: Respond,
    R: Frame,
    T: FamilyTables<F>,
{
    let followed = frame.follow::<F, T>(tables);
    match followed.tunnel() {
        Some(inward) => frame.tunnel::<F, T>(tables, inward.destination(), inward.hash()),
        None => followed.outcome(),
    }
}

#[inline(always)]
fn packet<F, R, T>(frame: &mut R, tables: &T) -> Outcome
where
    F: Respond,
    R: Frame,
    T: FamilyTables<F> + FamilyTables<V4> + FamilyTables<V6>,
{
    let outcome = balance::<F, R, T>(frame, tables);
    match outcome.reason() {
        Some(reason @ (Reason::NoDestination | Reason::HopLimit | Reason::TooLong)) => {
            tables.count(reason);
            frame.respond::<F, T>(tables, reason)
        }
        // Without ports there is nobody to be told of errors.
        Some(Reason::FragmentUnknown | Reason::FragmentTiny) => {
            follow_first::<F, R, T>(frame, tables)
        }
        _ => outcome,
    }
}

#[inline(always)]
fn balance<F, R, T>(frame: &mut R, tables: &T) -> Outcome
where
    F: Respond,
    R: Frame,
    T: FamilyTables<F> + FamilyTables<V4> + FamilyTables<V6>,
{
    let [source, destination] = tried!(F::addresses(frame));
    let to_virtual = passes(tables, filter::place::<F>(destination));
    let from_server = passes(tables, filter::place_of_server::<F>(source));
    let is_icmp = F::is_icmp(frame);
    if !to_virtual && !from_server && !is_icmp {
        return Outcome::failed(Reason::NotVirtual);
    }
    if !is_for_us(frame, tables) {
        return Outcome::failed(Reason::OtherHost);
    }
    if is_icmp {
        let outcome = frame.relate::<F, T>(tables);
        return match outcome.is(Reason::Protocol) && !to_virtual {
            true => Outcome::failed(Reason::NotVirtual),
            false => outcome,
        };
    }
    if from_server {
        let outcome = reply::<F, R, T>(frame, tables);
        if !(to_virtual && outcome.is(Reason::NoAnswer)) {
            return outcome;
        }
    }
    let tuple = tried!(F::read(frame));
    let to = tried!(decide(tables, &tuple));
    if tuple.is_fragment() {
        tried!(frame.keep::<F, T>(tables, Origin::client(to.number, to.lease)));
    }
    forward(frame, tables, &tuple, to)
}

#[inline(always)]
pub(crate) fn passes<T: Tables>(tables: &T, (word, bit): (u32, u64)) -> bool {
    tables
        .filter(word)
        .is_some_and(|word| word.load() & bit != 0)
}

/// Whether the frame was sent to the MAC address of the interface it came in on.
#[inline(always)]
pub(crate) fn is_for_us<R: Frame, T: Tables>(frame: &R, tables: &T) -> bool {
    let index = frame.interface();
    let (Some(own), Some(addresses)) = (
        tables.interface(interface::slot(index)),
        frame.header::<Addresses>(0),
    ) else {
        return false;
    };
    own.load() == interface::tagged(index, addresses.destination())
}

/// Where a client's packet goes.
#[derive(Clone, Copy, Debug)]
pub struct To<'t> {
    /// The destination and its number.
    pub destination: &'t Destination,
    pub number: u32,
    /// Full NAT: the local end.
    pub lease: Lease,
    /// The packet begins the connection.
    pub begins: bool,
    /// Full NAT: [`Meta::TOLD`].
    pub told: bool,
}

/// The packet's destination: its connection's, or the one chosen for a new connection.
#[inline(always)]
fn decide<'t, F: Packet, T: FamilyTables<F>>(
    tables: &'t T,
    tuple: &Tuple<F>,
) -> Result<To<'t>, Reason> {
    let context = Context::new(tables).ok_or(Reason::Internal)?;
    if let Some(entry) = table::find::<F, T>(context, &tuple.key) {
        let number = entry.meta.destination();
        let destination = tables.destination(number).ok_or(Reason::Internal)?;
        let goes_on = !begins_anew(context, opens(tuple), entry, destination);
        if goes_on && destination.is(Destination::AVAILABLE) {
            follow(context, tuple, entry, destination, false);
            let to = To {
                destination,
                number,
                lease: Lease(entry.slot.children.load()),
                begins: false,
                told: entry.meta.has(Meta::TOLD),
            };
            return lend(tables, tuple, to);
        }
        if goes_on && !context.settings.is_on(Sysctl::ExpireNodestConn) {
            return Err(Reason::DestinationGone);
        }
        tables.end(&tuple.key);
    }
    let number = tables.begin(tuple)?;
    let record = tables.destination(number);
    let to = To {
        destination: record.ok_or(Reason::Internal)?,
        number,
        lease: Lease::NONE,
        begins: false,
        told: false,
    };
    lend(tables, tuple, to)
}

/// Takes a local end for a connection by full NAT that has none yet.
#[inline(always)]
fn lend<'t, F: Packet, T: FamilyTables<F>>(
    tables: &T,
    tuple: &Tuple<F>,
    to: To<'t>,
) -> Result<To<'t>, Reason> {
    if !to.lease.is_none() || to.destination.method() as u8 != Method::FullNat as u8 {
        return Ok(to);
    }
    let taken = tables.take(&tuple.key, to.number);
    if taken.lease().is_none() {
        tables.end(&tuple.key);
        return Err(taken.reason());
    }
    let lease = tables.bind(&tuple.key, taken);
    let begins = tuple.flags & SYN != 0;
    match lease.is_none() {
        true => Err(Reason::TableFull),
        false => Ok(To {
            lease,
            begins,
            ..to
        }),
    }
}

/// Whether a found connection is over: its time is, or the client uses its port again.
///
/// `conn_reuse_mode` as in IPVS (ip_vs_core.c, `is_new_conn_expected`): with any bit set, a SYN
/// ends a connection in TIME_WAIT or CLOSE, an INIT one that is closed; with bit 1, a SYN also ends
/// one in FIN_WAIT whose server's packets do not pass here. One that a template controls goes on.
/// With `expire_nodest_conn`, both end any connection whose destination has weight 0.
#[inline(always)]
fn begins_anew<K, T: Tables>(
    context: Context<'_, T>,
    opens: bool,
    entry: Entry<'_, K>,
    destination: &Destination,
) -> bool {
    if table::is_over(context, entry, 0) {
        return true;
    }
    if !opens {
        return false;
    }
    let settings = context.settings;
    if settings.is_on(Sysctl::ExpireNodestConn) && destination.weight.load() == 0 {
        return true;
    }
    if entry.meta.has(Meta::CONTROLLED) {
        return false;
    }
    let mode = settings.sysctl(Sysctl::ConnReuseMode);
    match entry.meta.state() {
        State::TimeWait | State::Close | State::Closed => mode != 0,
        State::FinWait => mode & 2 != 0 && sender(destination) == tcp::From::ClientAlone,
        _ => false,
    }
}

/// Whether the packet asks for a connection (ip_vs_core.c, `is_new_conn`).
#[inline(always)]
fn opens<F: Packet>(tuple: &Tuple<F>) -> bool {
    match tuple.protocol {
        protocol::TCP => tuple.flags & SYN != 0,
        protocol::SCTP => tuple.flags == INIT,
        _ => false,
    }
}

/// Whose state rows a client's packet takes.
#[inline(always)]
fn sender(destination: &Destination) -> tcp::From {
    match destination.method() {
        Method::Masquerade | Method::FullNat => tcp::From::Client,
        Method::DirectRoute | Method::Tunnel => tcp::From::ClientAlone,
    }
}

/// A packet of a known connection; one that is `rare` takes the seam for its state at once.
#[inline(always)]
fn follow<F: Packet, T: FamilyTables<F>>(
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

/// A packet whose connection another CPU entered a moment ago.
#[inline(always)]
fn join<F: Packet, T: FamilyTables<F>>(
    context: Context<'_, T>,
    tuple: &Tuple<F>,
    entry: Entry<'_, F::Key>,
) -> Result<u32, Reason> {
    let number = entry.meta.destination();
    let destination = context.tables.destination(number).ok_or(Reason::Internal)?;
    if !destination.is(Destination::AVAILABLE) {
        return Err(Reason::DestinationGone);
    }
    follow(context, tuple, entry, destination, true);
    Ok(number)
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
        protocol::TCP => shift(
            tables,
            slot,
            meta,
            tcp::next(meta.state(), packet.flags(), from),
        ),
        protocol::SCTP => false,
        _ => true,
    };
    if !moved {
        tables.contend(slot, meta, packet, from);
    }
}

/// How often a packet tries to move a state that others move at the same moment: each lost swap is
/// another packet of the same connection that went on, on another CPU.
const TRIES: u32 = 8;

/// [`advance`] from the state that the slot has now, as long as the connection of `meta` has it.
/// IPVS's lock of the connection puts its packets in a row; here the two sides' FINs, on two CPUs,
/// are each counted because the one that loses the swap goes on from what the other wrote.
#[inline(always)]
pub fn contend<T: Tables>(tables: &T, slot: &Shared64, meta: Meta, packet: Brief, from: tcp::From) {
    for _ in 0..TRIES {
        let now = Meta(slot.load());
        if !now.is_same_tenant(meta) {
            return;
        }
        let next = match packet.protocol() {
            protocol::SCTP => {
                let event = sctp::Event::of_chunk(packet.flags());
                sctp::next(now.state(), event, from)
            }
            protocol::TCP => tcp::next(now.state(), packet.flags(), from),
            _ => return,
        };
        if shift(tables, slot, now, next) {
            return;
        }
    }
}

/// Whether the connection has the state `next` now.
#[inline(always)]
fn shift<T: Tables>(tables: &T, slot: &Shared64, meta: Meta, next: State) -> bool {
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

/// A packet of no known connection: begins one if it may and belongs to a service.
#[inline(always)]
pub fn begin<F: Packet, T: FamilyTables<F>>(tables: &T, tuple: &Tuple<F>) -> Result<u32, Reason> {
    let starts = starts(tuple) || !was_stateless(now(tables)?);
    if starts && !may_start(now(tables)?, tuple) {
        return Err(Reason::NoConnection);
    }
    let service = service(tables, tuple)?;
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
        (protocol::TCP, true) => tcp::next(State::None, tuple.flags, from),
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

/// Number of the service that a packet is sent to: at its port, for FTP, or for all ports, in
/// IPVS's order.
#[inline(always)]
fn service<F: Packet, T: FamilyTables<F>>(tables: &T, tuple: &Tuple<F>) -> Result<u32, Reason> {
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
    if remembers && let Some(remembered) = tables.recall(&tuple.key, service) {
        return Ok((remembered, Meta::CONTROLLED));
    }
    let chosen = schedule::pick(tables, &tuple.key, service);
    let chosen = chosen.ok_or(Reason::NoDestination)?;
    if !remembers {
        return Ok((chosen, 0));
    }
    match tables.remember(&tuple.key, service, chosen) {
        Some(remembered) => Ok((remembered, Meta::CONTROLLED)),
        None => Ok((chosen, 0)),
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
        tables.forget(&tuple.key, meta.destination());
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
    count(context, tuple, number, true);
    Ok(number)
}

#[inline(always)]
fn count<F: Packet, T: Tables>(
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
