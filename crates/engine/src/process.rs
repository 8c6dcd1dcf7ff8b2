//! One packet: read, decide, write.

use rlvs_wire::ethernet::{self, Addresses};
use rlvs_wire::tcp::{RST, SYN};
use rlvs_wire::{Ethernet, Udp, protocol};

use crate::answers::reply;
use crate::begin::opens;
use crate::connection::{Meta, State};
use crate::destination::Destination;
use crate::family::{V4, V6};
use crate::follow::{follow, sender};
use crate::forward::{Method, forward};
use crate::fragment::Origin;
use crate::frame::Frame;
use crate::lease::Lease;
use crate::outcome::{Outcome, tried};
use crate::reason::Reason;
use crate::respond::Respond;
use crate::service::filter;
use crate::sysctl::Sysctl;
use crate::table::{self, Entry};
use crate::tables::{Context, FamilyTables, Tables, interface};
use crate::tcp;
use crate::template;
use crate::tuple::{Packet, Tuple};

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
        Some(
            reason
            @ (Reason::NoDestination | Reason::NotAsked | Reason::HopLimit | Reason::TooLong),
        ) => {
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
    if frame.is_led() {
        let (word, bit) = filter::place::<F>(destination);
        tables.show(word, bit);
        return to_destination::<F, R, T>(frame, tables);
    }
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
    to_destination::<F, R, T>(frame, tables)
}

/// A client's packet, by its connection.
#[inline(always)]
fn to_destination<F, R, T>(frame: &mut R, tables: &T) -> Outcome
where
    F: Respond,
    R: Frame,
    T: FamilyTables<F>,
{
    let mut tuple = tried!(F::read(frame));
    let to = tried!(decide(frame, tables, &mut tuple));
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
fn decide<'t, F: Packet, R: Frame, T: FamilyTables<F>>(
    frame: &mut R,
    tables: &'t T,
    tuple: &mut Tuple<F>,
) -> Result<To<'t>, Reason> {
    let context = Context::new(tables).ok_or(Reason::Internal)?;
    if let Some(entry) = table::find::<F, T>(context, &tuple.key) {
        let number = entry.meta.destination();
        let destination = tables.destination(number).ok_or(Reason::Internal)?;
        let goes_on = !begins_anew(context, tuple, entry, destination);
        if goes_on && destination.is(Destination::AVAILABLE) {
            if entry.meta.state().is_closing() && context.settings.moving.load() != 0 {
                // The client may have had its port again since this entry was carried over.
                return Err(Reason::Moving);
            }
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
    tuple.call = frame.call(tables, message(context, tuple));
    let number = match announced(context, tuple) {
        begun if begun.is(Reason::NoService) => tables.begin(tuple)?,
        begun => begun.number()?,
    };
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

/// The destination of a connection that FTP announced; [`Reason::NoService`] if it was not.
#[inline(always)]
fn announced<F: Packet, T: FamilyTables<F>>(context: Context<'_, T>, tuple: &Tuple<F>) -> Outcome {
    let is_first = tuple.protocol == protocol::TCP && tuple.flags & (SYN | RST) == SYN;
    match is_first && context.settings.announced.load() != 0 {
        true => context.tables.begin_data(tuple),
        false => Outcome::failed(Reason::NoService),
    }
}

/// Where a message is whose Call-ID may be wanted, or 0.
#[inline(always)]
fn message<F: Packet, T: Tables>(context: Context<'_, T>, tuple: &Tuple<F>) -> u32 {
    let is_sought = tuple.protocol == protocol::UDP && context.settings.calls.load() != 0;
    match is_sought {
        true => tuple.transport + size_of::<Udp>() as u32,
        false => 0,
    }
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

/// Whether a UDP flow leaves its destination, which has weight 0: by `expire_quiescent_udp`, unless
/// the flow's client is remembered there and would be sent there again.
#[inline(always)]
fn is_quiescent<T: Tables>(context: Context<'_, T>, meta: Meta, destination: &Destination) -> bool {
    destination.weight.load() == 0
        && context.settings.is_on(Sysctl::ExpireQuiescentUdp)
        && !(meta.has(Meta::CONTROLLED) && template::keeps_clients(context, destination))
}

/// Whether a found connection is over: its time is, or the client uses its port again.
///
/// `conn_reuse_mode` as in IPVS (ip_vs_core.c, `is_new_conn_expected`): with any bit set, a SYN
/// ends a connection in TIME_WAIT or CLOSE, an INIT one that is closed; with bit 1, a SYN also ends
/// one in FIN_WAIT whose server's packets do not pass here. One that a template controls goes on,
/// unless its real server was told of the client, which it is to be of each connection anew.
/// With `expire_nodest_conn`, both end any connection whose destination has weight 0.
#[inline(always)]
fn begins_anew<F: Packet, T: Tables>(
    context: Context<'_, T>,
    tuple: &Tuple<F>,
    entry: Entry<'_, F::Key>,
    destination: &Destination,
) -> bool {
    if table::is_over(context, entry, 0) {
        return true;
    }
    if !opens(tuple) {
        return tuple.protocol == protocol::UDP && is_quiescent(context, entry.meta, destination);
    }
    let settings = context.settings;
    if settings.is_on(Sysctl::ExpireNodestConn) && destination.weight.load() == 0 {
        return true;
    }
    let tells = destination.flags.load() & (Destination::TOA | Destination::PROXY) != 0;
    if entry.meta.has(Meta::CONTROLLED) && !tells {
        return false;
    }
    let mode = settings.sysctl(Sysctl::ConnReuseMode);
    match entry.meta.state() {
        State::TimeWait | State::Close | State::Closed => mode != 0 || tells,
        State::FinWait => mode & 2 != 0 && sender(destination) == tcp::From::ClientAlone,
        _ => false,
    }
}
