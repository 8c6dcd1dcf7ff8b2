//! Entries of data connections: made when a connection is announced, before its first packet.
//!
//! In active mode it is the connection's own entry. In passive mode the client's port is not known;
//! the kernel looks for a connection with client port 0 then (`IP_VS_CONN_F_NO_CPORT`), and so does
//! [`recall`]. A client has one announced at a time, as servers see it: the next one takes its place.

use rlvs_word::Shared32;

use crate::connection::{Key, Meta, Slot, State};
use crate::destination::Destination;
use crate::family::{Endpoints, Family};
use crate::follow::count;
use crate::lease::{Lease, Local};
use crate::outcome::Outcome;
use crate::reason::{Event, Reason};
use crate::service::{ANNOUNCED, FTP_DATA_PORT};
use crate::table::{self, Entry, Inserted, Seat, Spot};
use crate::tables::{Context, FamilyTables, KeyOf};
use crate::tuple::{Packet, Tuple};

/// A connection that was announced, in one number: the seat of the one for commands (32 bits), a port
/// (16) and who connects to it. 0 is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Announced(pub u64);

impl Announced {
    pub const NONE: Self = Self(0);
    const PORT: u32 = 32;
    const ACTIVE: u64 = 1 << 48;

    /// The client connects to a port of the real server.
    #[inline(always)]
    pub(super) fn passive(commands: Seat, port: [u8; 2]) -> Self {
        Self((u16::from_be_bytes(port) as u64) << Self::PORT | commands.0 as u64)
    }

    /// The real server connects to a port of the client.
    #[inline(always)]
    pub(super) fn active(commands: Seat, port: [u8; 2]) -> Self {
        Self(Self::passive(commands, port).0 | Self::ACTIVE)
    }

    /// No port is 0.
    #[inline(always)]
    pub(crate) const fn is_none(self) -> bool {
        self.0 == 0
    }

    #[inline(always)]
    const fn commands(self) -> Seat {
        Seat(self.0 as u32)
    }

    #[inline(always)]
    fn key<F: Family>(self, commands: &KeyOf<F>) -> KeyOf<F> {
        let port = ((self.0 >> Self::PORT) as u16).to_be_bytes();
        let ends = F::endpoints(commands);
        match self.0 & Self::ACTIVE {
            0 => passive::<F>(&ends, port),
            _ => F::key(&Endpoints {
                client_port: port,
                virtual_port: FTP_DATA_PORT,
                ..ends
            }),
        }
    }
}

/// The key of a connection that a client is to open to a port.
#[inline(always)]
fn passive<F: Family>(commands: &Endpoints<F>, port: [u8; 2]) -> KeyOf<F> {
    F::key(&Endpoints {
        client_port: [0, 0],
        virtual_port: port,
        protocol: ANNOUNCED,
        ..*commands
    })
}

/// Enters a connection that was announced, unless another one has its ends.
#[inline(always)]
pub(crate) fn announce<F: Packet, T: FamilyTables<F>>(tables: &T, announced: Announced) {
    let is_full = !announced.is_none() && !tables.await_data(announced);
    if is_full && tables.make_room_for_data(announced) {
        tables.await_data(announced);
    }
}

/// Whether the table had room for it, if it needs any.
#[inline(always)]
pub fn await_data<F: Packet, T: FamilyTables<F>>(tables: &T, announced: Announced) -> bool {
    enter::<F, T>(tables, announced).is_none_or(|spot| !spot.is_none())
}

/// Ends something expendable where it could be entered; whether there was any.
#[inline(always)]
pub fn make_room<F: Packet, T: FamilyTables<F>>(tables: &T, announced: Announced) -> bool {
    let Some(slot) = table::slot_at::<F, T>(tables, announced.commands()) else {
        return false;
    };
    let is_made = tables.make_room(&announced.key::<F>(&slot.key.load()));
    if is_made {
        tables.note(Event::Evicted);
    }
    is_made
}

#[inline(always)]
fn enter<F: Packet, T: FamilyTables<F>>(tables: &T, announced: Announced) -> Option<Spot> {
    let commands = announced.commands();
    let slot = table::slot_at::<F, T>(tables, commands)?;
    let meta = Meta(slot.meta.load());
    if !meta.is_clients() {
        return None;
    }
    let key = announced.key::<F>(&slot.key.load());
    give_way::<F, T>(tables, &key);
    let number = meta.destination();
    let flags = Meta::DATA | meta.flags() & Meta::OWN;
    let spot = tables.insert(&key, Meta::new(number, State::Listen, flags));
    if !spot.is_new() {
        return Some(spot);
    }
    tables
        .load(number)?
        .begin(false, tables.destination(number)?);
    let entered = table::slot_at::<F, T>(tables, spot.seat())?;
    entered.children.store(Link::to(commands).0);
    let earlier = Link(slot.children.load());
    slot.children.store(Link::to(spot.seat()).0);
    if earlier != Link::to(spot.seat()) {
        withdraw::<F, T>(tables, earlier, commands);
    }
    note(&tables.settings()?.announced);
    Some(spot)
}

/// Ends the one with these ends that was announced before.
#[inline(always)]
fn give_way<F: Packet, T: FamilyTables<F>>(tables: &T, key: &KeyOf<F>) -> Option<()> {
    let entry = table::find::<F, T>(Context::new(tables)?, key)?;
    if entry.meta.has(Meta::DATA) {
        table::release_alone::<F, T>(tables, entry);
    }
    Some(())
}

/// Ends a connection that was announced and never began.
#[inline(always)]
fn withdraw<F: Packet, T: FamilyTables<F>>(
    tables: &T,
    announced: Link,
    commands: Seat,
) -> Option<()> {
    let slot = table::slot_at::<F, T>(tables, announced.seat()?)?;
    let meta = Meta(slot.meta.load());
    if is_announced(meta) && slot.children.load() == Link::to(commands).0 {
        table::release_alone::<F, T>(tables, Entry { slot, meta });
    }
    Some(())
}

/// Seldom written, for packets read this memory.
#[inline(always)]
fn note(ever: &Shared32) {
    if ever.load() == 0 {
        ever.store(1);
    }
}

#[inline(always)]
fn is_announced(meta: Meta) -> bool {
    meta.has(Meta::DATA) && meta.state() as u8 == State::Listen as u8
}

/// The first packet of a connection: if it was announced, it begins. Else [`Reason::NoService`].
///
/// IPVS does not count it as one more connection of its service: it counts those that it schedules.
#[inline(always)]
pub fn begin<F: Packet, T: FamilyTables<F>>(tables: &T, tuple: &Tuple<F>) -> Outcome {
    let announced = tables.recall_announced(&tuple.key);
    if announced.reason().is_some() {
        return announced;
    }
    let number = announced.0 as u32;
    let flags = Meta::DATA | tuple.flags_of_entry();
    match table::add(tables, &tuple.key, Meta::new(number, State::SynRecv, flags)) {
        Inserted::New(_) => {
            // Whatever becomes of the entry meanwhile: when it ends, that counts as well.
            if let (Some(load), Some(record)) = (tables.load(number), tables.destination(number)) {
                load.begin(State::SynRecv.is_active(), record);
            }
            tables.arrive(&tuple.key);
        }
        Inserted::Existing(_) => {}
        Inserted::Full => return Outcome::failed(Reason::TableFull),
    }
    if let Some(context) = Context::new(tables) {
        count(context, tuple, number, false);
    }
    announced
}

/// The destination of a connection that is to begin, if it was announced; else
/// [`Reason::NoService`].
#[inline(always)]
pub fn recall<F: Packet, T: FamilyTables<F>>(tables: &T, key: &KeyOf<F>) -> Outcome {
    let Some(entry) = awaited::<F, T>(tables, key) else {
        return Outcome::failed(Reason::NoService);
    };
    let number = entry.meta.destination();
    match tables.destination(number) {
        Some(destination) if destination.is(Destination::AVAILABLE) => Outcome::found(number),
        Some(_) => Outcome::failed(Reason::DestinationGone),
        None => Outcome::failed(Reason::Internal),
    }
}

/// It has begun, and has an entry: what was announced is no longer awaited.
#[inline(always)]
pub fn arrive<F: Packet, T: FamilyTables<F>>(tables: &T, key: &KeyOf<F>) -> Option<()> {
    let announced = awaited::<F, T>(tables, key)?;
    let entry = table::find::<F, T>(Context::new(tables)?, key)?;
    entry.slot.children.store(announced.slot.children.load());
    table::release_alone::<F, T>(tables, announced);
    Some(())
}

/// What was announced of a connection with this key.
#[inline(always)]
fn awaited<'t, F: Packet, T: FamilyTables<F>>(
    tables: &'t T,
    key: &KeyOf<F>,
) -> Option<Entry<'t, F::Key>> {
    let context = Context::new(tables)?;
    let ends = F::endpoints(key);
    let entry = table::find::<F, T>(context, &passive::<F>(&ends, ends.virtual_port))?;
    let is_awaited = is_announced(entry.meta) && !table::is_over(context, entry, 0);
    is_awaited.then_some(entry)
}

/// Keeps the connection for commands alive as long as its data connection is (`n_control` in
/// ip_vs_conn.c): nothing is said there during a long transfer. For the daemon's sweep.
pub fn hold<F: Packet, T: FamilyTables<F>>(context: Context<'_, T>, data: &Slot<F::Key>) {
    let seat = Link(data.children.load()).seat();
    let Some(slot) = seat.and_then(|seat| table::slot_at::<F, T>(context.tables, seat)) else {
        return;
    };
    let entry = Entry {
        slot,
        meta: Meta(slot.meta.load()),
    };
    // The slot may be another's since.
    let (its, own) = (
        F::endpoints(&slot.key.load()),
        F::endpoints(&data.key.load()),
    );
    let is_its = entry.meta.is_clients()
        && entry.meta.destination() == Meta(data.meta.load()).destination()
        && super::carries_commands::<F>(&its)
        && its.client == own.client
        && its.virtual_address == own.virtual_address;
    if is_its && !table::is_over(context, entry, 0) {
        slot.seen.store(context.now);
    }
}

/// Where the connection for commands of one for data lies, or the latest announced of one for
/// commands. It lies where full NAT's connections have their [`Lease`], which
/// it is never taken for: there are no local addresses of such numbers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Link(pub u32);

impl Link {
    const MARK: u32 = 0xf << Self::BITS;
    /// Of a seat: tables for more than a hundred million connections have farther ones, to which
    /// there are no links.
    const BITS: u32 = 28;

    const NONE: Self = Self(0);

    #[inline(always)]
    pub fn to(seat: Seat) -> Self {
        match seat.0 & Self::MARK {
            0 => Self(Self::MARK | seat.0),
            _ => Self::NONE,
        }
    }

    #[inline(always)]
    pub fn seat(self) -> Option<Seat> {
        (self.0 & Self::MARK == Self::MARK).then_some(Seat(self.0 & !Self::MARK))
    }
}

const _: () = assert!(Local::MOST <= Lease(Link::MARK).local());
