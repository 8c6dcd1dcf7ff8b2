//! Fragments: all parts of a datagram go where its first one went.
//!
//! IPVS sees packets put together again (`ip_vs_gather_frags`); here they come as they are. The
//! first fragment has the ports, so it is treated as a whole packet, and leaves a [`Trail`], which
//! the others follow to the same real server or client, translated alike. The transport checksum
//! is in the first fragment, and mending it there accounts for all of them.
//!
//! A fragment whose first has not come by passes: it may be the director's own, of a large ping
//! perhaps. It cannot wait here for its first, since XDP and tc have no place to keep packets.
//!
//! Receivers put together what overlaps, each in its own way, and filters only see the ports that
//! come first (RFC 1858, 3128, 5722). So a first fragment must have the whole transport header,
//! a later one must not reach into it, and a second first one must say the same.

use rlvs_wire::ethernet::Addresses;
use rlvs_wire::{Checksum, Ports, protocol, tcp};
use rlvs_word::{Shared32, Shared64};

use crate::answers::{self, Answer};
use crate::connection::{Key, Meta, State};
use crate::destination::Destination;
use crate::family::{Endpoints, Family};
use crate::forward::{Method, address, client_of, leave};
use crate::frame::{Brief, Frame, Way};
use crate::lease::Lease;
use crate::outcome::Outcome;
use crate::process::{Verdict, passes};
use crate::reason::Reason;
use crate::related::Inward;
use crate::respond::Respond;
use crate::service::{ServiceKey, filter, store_octets};
use crate::settings::ticks;
use crate::table::{self, Entry, Seat};
use crate::tables::{Context, FamilyTables, KeyOf, Tables};
use crate::tuple::{IP, Packet, Piece, Side};

/// How long later fragments find their way: as long as Linux waits for them (`ipfrag_time`).
pub const LIFETIME: u32 = ticks(30);

/// Room for the trails of each IP version beside so many connections.
pub const fn trails_for(connections: u32) -> u32 {
    match connections / 16 {
        ..1024 => 1024,
        trails @ 1024..65_536 => trails,
        _ => 65_536,
    }
}

/// Where a first fragment belongs, in one number: a client's has its destination's number and full
/// NAT's local end; a real server's the seat of its connection and what was read of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Origin(pub u64);

impl Origin {
    /// Destinations' and buckets' numbers are far below.
    const SERVER: u64 = 1 << 63;

    #[inline(always)]
    pub const fn client(number: u32, lease: Lease) -> Self {
        Self((number as u64) << 32 & !Self::SERVER | lease.0 as u64)
    }

    #[inline(always)]
    pub const fn server(answer: Answer) -> Self {
        Self(Self::SERVER | (answer.seat.0 as u64) << 32 | answer.brief.0 as u64)
    }

    #[inline(always)]
    const fn is_server(self) -> bool {
        self.0 & Self::SERVER != 0
    }

    /// The number or the seat.
    #[inline(always)]
    const fn place(self) -> u32 {
        ((self.0 & !Self::SERVER) >> 32) as u32
    }
}

/// What a first fragment leaves for the others of its datagram.
///
/// Trails lie in a table that gives up the oldest ones for new ones. One that another CPU gives
/// away just now may be read half as another's: that fragment is lost, as if its trail were.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Trail {
    /// Tick of the first fragment.
    pub seen: Shared32,
    /// Number of the real server's record.
    pub destination: Shared32,
    /// Both ports, as on the wire.
    pub ports: Shared32,
    /// Where the first fragment ends, in bytes (16 bits), the protocol (8) and flags (8).
    pub first: Shared32,
    /// How many bytes of the datagram have come by, and how many it has; 0: not known yet.
    pub passed: Shared32,
    pub total: Shared32,
    /// Of the flow, for tunnels.
    pub hash: Shared32,
    pub reserved: Shared32,
    /// What the addresses become, as records have them; of an answer also those that stay.
    pub source: [Shared64; 2],
    pub target: [Shared64; 2],
}

const _: () = assert!(size_of::<Trail>() == 64);

/// A trail that is to be left, and the datagram it is of.
#[derive(Debug)]
#[repr(C)]
pub struct Draft<F: Family> {
    pub datagram: F::Key,
    pub trail: Trail,
}

impl<F: Family> Default for Draft<F> {
    fn default() -> Self {
        Self {
            datagram: F::Key::default(),
            trail: Trail::default(),
        }
    }
}

impl Trail {
    /// From the real server.
    const ANSWER: u32 = 1 << 24;
    /// The source, or the destination, becomes another.
    const SOURCE: u32 = 1 << 25;
    const TARGET: u32 = 1 << 26;
    /// The client is this host.
    const OWN: u32 = 1 << 27;

    /// Takes over what another says.
    pub fn copy(&self, other: &Self) {
        for (to, from) in self.words().into_iter().zip(other.words()) {
            to.store(from.load());
        }
        for (to, from) in self.source.iter().zip(&other.source) {
            to.store(from.load());
        }
        for (to, from) in self.target.iter().zip(&other.target) {
            to.store(from.load());
        }
    }

    fn words(&self) -> [&Shared32; 7] {
        [
            &self.seen,
            &self.destination,
            &self.ports,
            &self.first,
            &self.passed,
            &self.total,
            &self.hash,
        ]
    }

    #[inline(always)]
    fn has(&self, flag: u32) -> bool {
        self.first.load() & flag != 0
    }

    #[inline(always)]
    fn end(&self) -> u32 {
        self.first.load() & 0xffff
    }

    #[inline(always)]
    fn protocol(&self) -> u8 {
        (self.first.load() >> 16) as u8
    }

    /// Not by [`crate::settings::elapsed`]: to that, what was seen a month ago is yet to come.
    #[inline(always)]
    fn is_live(&self, now: u32) -> bool {
        const SKEW: u32 = ticks(1);
        now.wrapping_sub(self.seen.load()).wrapping_add(SKEW) <= LIFETIME + SKEW
    }

    /// Whether all of the datagram has come by, so that its identification is free again.
    #[inline(always)]
    fn is_complete(&self) -> bool {
        let total = self.total.load();
        total != 0 && self.passed.load() >= total
    }

    /// A later fragment has come by.
    #[inline(always)]
    fn pass<F: Family>(&self, piece: &Piece<F>) {
        self.passed.add(piece.end.wrapping_sub(piece.start));
        if piece.more == 0 {
            self.total.store(piece.end);
        }
    }
}

/// Lays the trail of a first fragment.
#[inline(always)]
pub fn keep<F, R, T>(frame: &R, tables: &T, origin: Origin) -> Result<(), Reason>
where
    F: Packet,
    R: Frame,
    T: FamilyTables<F>,
{
    let piece = F::piece(frame)?;
    let context = Context::new(tables).ok_or(Reason::Internal)?;
    let ports = frame.header::<Ports>(piece.at as usize);
    let ports = ports.ok_or(Reason::Truncated)?;
    let [[a, b], [c, d]] = [ports.source, ports.destination];
    let ports = u32::from_ne_bytes([a, b, c, d]);
    let draft = tables.draft().ok_or(Reason::Internal)?;
    draft.datagram.store(&piece.key);
    let trail = &draft.trail;
    trail.seen.store(context.now);
    trail.ports.store(ports);
    // Else what another datagram's addresses became would stay.
    trail.source.iter().for_each(|word| word.store(0));
    trail.target.iter().for_each(|word| word.store(0));
    let flags = match origin.is_server() {
        false => to_server(context, trail, origin)?,
        true => to_client::<F, R, T>(frame, context, trail, origin)?,
    };
    let protocol = (piece.protocol as u32) << 16;
    trail.first.store(piece.end & 0xffff | protocol | flags);
    let flow = flow::<F>(&draft.datagram, trail);
    trail.hash.store(F::hash(&flow, 0) as u32);
    trail.passed.store(piece.end);
    trail.total.store(0);
    if let Some(earlier) = tables.trail(draft)
        && earlier.is_live(context.now)
        && !earlier.is_complete()
        && (earlier.ports.load() != ports || earlier.first.load() != trail.first.load())
    {
        return Err(Reason::FragmentOverlap);
    }
    tables.lay(draft);
    Ok(())
}

/// What becomes of a client's packet on its way: flags, and addresses in the draft.
#[inline(always)]
fn to_server<T: Tables>(
    context: Context<'_, T>,
    trail: &Trail,
    origin: Origin,
) -> Result<u32, Reason> {
    let (tables, number) = (context.tables, origin.place());
    trail.destination.store(number);
    let destination = tables.destination(number).ok_or(Reason::Internal)?;
    if !destination.method().answers_pass() {
        return Ok(0);
    }
    copy(&trail.target, &destination.address);
    if destination.method() == Method::Masquerade {
        return Ok(Trail::TARGET);
    }
    let lease = Lease(origin.0 as u32);
    if lease.is_none() {
        return Err(Reason::NoLocalAddress);
    }
    let local = tables.local(lease.local()).ok_or(Reason::Internal)?;
    copy(&trail.source, &local.address);
    Ok(Trail::SOURCE | Trail::TARGET)
}

/// The same of an answer, whose other end is the client already but under full NAT.
#[inline(always)]
fn to_client<F, R, T>(
    frame: &R,
    context: Context<'_, T>,
    trail: &Trail,
    origin: Origin,
) -> Result<u32, Reason>
where
    F: Packet,
    R: Frame,
    T: FamilyTables<F>,
{
    let (tables, brief) = (context.tables, Brief(origin.0 as u32));
    let found = table::slot_at::<F, T>(tables, Seat(origin.place())).ok_or(Reason::NoAnswer)?;
    let slot = match Meta(found.meta.load()).state() as u8 == State::Reverse as u8 {
        true => client_of::<F, R, T>(frame, tables, found, brief)?,
        false => found,
    };
    let meta = Meta(slot.meta.load());
    if !meta.is_clients() || table::is_over(context, Entry { slot, meta }, 0) {
        return Err(Reason::NoAnswer);
    }
    trail.destination.store(meta.destination());
    let ends = F::endpoints(&slot.key.load());
    store_octets(&trail.source, F::octets(ends.virtual_address));
    store_octets(&trail.target, F::octets(ends.client));
    let own = match meta.has(Meta::OWN) {
        true => Trail::OWN,
        false => 0,
    };
    Ok(Trail::ANSWER | Trail::SOURCE | Trail::TARGET | own)
}

#[inline(always)]
fn copy(to: &[Shared64; 2], from: &[Shared64; 2]) {
    for (to, from) in to.iter().zip(from) {
        to.store(from.load());
    }
}

/// The first fragment as a connection's key.
#[inline(always)]
fn flow<F: Family>(datagram: &F::Key, trail: &Trail) -> KeyOf<F> {
    let [a, b, c, d] = trail.ports.load().to_ne_bytes();
    F::key(&Endpoints {
        client_port: [a, b],
        virtual_port: [c, d],
        protocol: trail.protocol(),
        ..F::endpoints(&datagram.load())
    })
}

/// What becomes of a fragment, in one number: an [`Outcome`], or the tunnel it goes through.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Followed(pub u64);

impl Followed {
    /// Outcomes are far below.
    const TUNNEL: u64 = 1 << 63;

    #[inline(always)]
    const fn through(tunnel: Inward) -> Self {
        Self(Self::TUNNEL | tunnel.0)
    }

    #[inline(always)]
    pub const fn tunnel(self) -> Option<Inward> {
        match self.0 & Self::TUNNEL {
            0 => None,
            _ => Some(Inward(self.0 & !Self::TUNNEL)),
        }
    }

    /// If there is no tunnel.
    #[inline(always)]
    pub const fn outcome(self) -> Outcome {
        Outcome(self.0)
    }
}

/// A fragment that [`Packet::read`] made nothing of: a later one, or one that is too small. The tunnel
/// is a stage after this: one within would have no stack.
#[inline(always)]
pub fn follow<F, R, T>(frame: &mut R, tables: &T) -> Followed
where
    F: Respond,
    R: Frame,
    T: FamilyTables<F>,
{
    match next::<F, R, T>(frame, tables) {
        Ok(followed) => followed,
        Err(reason) => Followed(Outcome::failed(reason).0),
    }
}

#[inline(always)]
fn next<F, R, T>(frame: &mut R, tables: &T) -> Result<Followed, Reason>
where
    F: Respond,
    R: Frame,
    T: FamilyTables<F>,
{
    let piece = F::piece(frame)?;
    let context = Context::new(tables).ok_or(Reason::Internal)?;
    if piece.start == 0 {
        return Err(tiny::<F, R, T>(frame, tables, &piece));
    }
    let draft = tables.draft().ok_or(Reason::Internal)?;
    draft.datagram.store(&piece.key);
    let trail = tables.trail(draft);
    let Some(trail) = trail.filter(|trail| trail.is_live(context.now)) else {
        return Err(unknown::<F, R, T>(frame, context, &piece));
    };
    if piece.start < trail.end() {
        return Err(Reason::FragmentOverlap);
    }
    let is_answer = trail.has(Trail::ANSWER);
    if is_answer && answers::is_for_another(frame, trail.has(Trail::OWN)) {
        return Ok(done(Verdict::Pass));
    }
    trail.pass(&piece);
    match is_answer {
        true => back::<F, R, T>(frame, context, &piece, trail).map(done),
        // What leaves is never a client's.
        false if frame.way() == Way::Out => Err(Reason::FragmentUnknown),
        false => forth::<F, R, T>(frame, context, &piece, trail),
    }
}

#[inline(always)]
fn done(verdict: Verdict) -> Followed {
    Followed(Outcome::from(Ok(verdict)).0)
}

/// A first fragment without the whole transport header. Only those of services are ours to drop.
#[inline(always)]
fn tiny<F, R, T>(frame: &R, tables: &T, piece: &Piece<F>) -> Reason
where
    F: Packet,
    R: Frame,
    T: FamilyTables<F>,
{
    // All but last fragments have at least eight bytes, or the stack drops them.
    let ports = frame.header::<Ports>(piece.at as usize);
    let (Some(ports), Ok([_, destination])) = (ports, F::addresses(frame)) else {
        return Reason::Truncated;
    };
    let key = ServiceKey::new(destination, ports.destination, piece.protocol);
    match tables.service(&key) {
        Some(_) => Reason::FragmentTiny,
        None => Reason::NoService,
    }
}

/// Why a later fragment without a trail goes no further. Where TCP's second one begins amid the
/// header, the first cannot have been whole.
#[inline(always)]
fn unknown<F, R, T>(frame: &R, context: Context<'_, T>, piece: &Piece<F>) -> Reason
where
    F: Packet,
    R: Frame,
    T: FamilyTables<F>,
{
    let Ok([_, destination]) = F::addresses(frame) else {
        return Reason::Truncated;
    };
    let is_amid = piece.protocol == protocol::TCP && piece.start < tcp::MIN_LENGTH as u32;
    match is_amid && passes(context.tables, filter::place::<F>(destination)) {
        true => Reason::FragmentTiny,
        false => Reason::FragmentUnknown,
    }
}

/// On to the real server.
#[inline(always)]
fn forth<F, R, T>(
    frame: &mut R,
    context: Context<'_, T>,
    piece: &Piece<F>,
    trail: &Trail,
) -> Result<Followed, Reason>
where
    F: Respond,
    R: Frame,
    T: FamilyTables<F>,
{
    let number = trail.destination.load();
    let destination = context.tables.destination(number).ok_or(Reason::Internal)?;
    let flags = destination.flags.load();
    if flags & Destination::AVAILABLE == 0 {
        return Err(Reason::DestinationGone);
    }
    if let Some(counters) = context.tables.counters(context.settings, number) {
        counters.packet(piece.bytes);
    }
    if flags & Destination::LOCAL != 0 {
        translate::<F, R>(frame, trail).ok_or(Reason::Internal)?;
        return Ok(done(Verdict::Pass));
    }
    if destination.method() == Method::Tunnel {
        return Ok(Followed::through(Inward::new(number, trail.hash.load())));
    }
    if flags & Destination::RESOLVED == 0 {
        return Err(Reason::Unresolved);
    }
    if piece.hops <= 1 {
        return Err(Reason::HopLimit);
    }
    let out = destination.interface.load();
    let stays = out == frame.interface() && flags & Destination::REDIRECT == 0;
    let addresses = frame.header_mut::<Addresses>(0).ok_or(Reason::Internal)?;
    addresses.set(destination.next_hop.load(), destination.source.load());
    F::decrement_hops(frame).ok_or(Reason::Internal)?;
    translate::<F, R>(frame, trail).ok_or(Reason::Internal)?;
    Ok(done(match stays {
        true => Verdict::Transmit,
        false => Verdict::Redirect(out),
    }))
}

/// Back to the client.
#[inline(always)]
fn back<F, R, T>(
    frame: &mut R,
    context: Context<'_, T>,
    piece: &Piece<F>,
    trail: &Trail,
) -> Result<Verdict, Reason>
where
    F: Packet,
    R: Frame,
    T: FamilyTables<F>,
{
    // As for the first: routes may depend on all but the ports.
    let key = F::key(&Endpoints {
        client: F::address(&trail.target),
        virtual_address: F::address(&trail.source),
        client_port: [0, 0],
        virtual_port: [0, 0],
        protocol: trail.protocol(),
    });
    let route = answers::to_client::<F, R>(frame, trail.has(Trail::OWN), &key);
    if route.counts_hops() && piece.hops <= 1 {
        return Err(Reason::HopLimit);
    }
    let verdict = leave(route)?;
    let number = trail.destination.load();
    if let Some(counters) = context.tables.counters(context.settings, number) {
        counters.reply(piece.bytes);
    }
    address::<F, R>(frame, route).ok_or(Reason::Internal)?;
    translate::<F, R>(frame, trail).ok_or(Reason::Internal)?;
    Ok(verdict)
}

/// Writes the addresses that the first fragment got.
#[inline(always)]
fn translate<F: Packet, R: Frame>(frame: &mut R, trail: &Trail) -> Option<()> {
    let mut change = Checksum::default();
    if trail.has(Trail::SOURCE) {
        let source = F::address(&trail.source);
        change = change.and(F::replace_address(frame, IP, Side::Source, source)?);
    }
    if trail.has(Trail::TARGET) {
        let target = F::address(&trail.target);
        change = change.and(F::replace_address(frame, IP, Side::Destination, target)?);
    }
    // An IPv4 header's checksum makes up for what changes in the header.
    if F::INDEX == 1 {
        frame.account(change);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trails_end_and_stay_ended() {
        let trail = Trail::default();
        for start in [0, 5, u32::MAX - 5, 1 << 31] {
            trail.seen.store(start);
            let at = |ticks: u32| trail.is_live(start.wrapping_add(ticks));
            assert!(at(0) && at(LIFETIME) && at(u32::MAX));
            assert!(!at(LIFETIME + 1) && !at(1 << 30) && !at(1 << 31) && !at(3 << 30));
        }
    }

    #[test]
    fn a_datagram_is_complete_when_all_of_it_has_passed() {
        let piece = |start, end, more| Piece::<crate::V4> {
            key: [0; 2],
            start,
            end,
            at: 0,
            bytes: 0,
            protocol: 17,
            hops: 64,
            more,
        };
        let trail = Trail::default();
        trail.passed.store(1480);
        trail.pass(&piece(2960, 3000, 0));
        assert!(!trail.is_complete());
        trail.pass(&piece(1480, 2960, 1));
        assert!(trail.is_complete());
    }

    #[test]
    fn trails_have_room_in_proportion() {
        assert_eq!(
            [0, 16_384, 320_000, 1_000_000, u32::MAX].map(trails_for),
            [1024, 1024, 20_000, 62_500, 65_536]
        );
    }
}
