//! FTP by masquerading: what `ip_vs_ftp` does (net/netfilter/ipvs/ip_vs_ftp.c).
//!
//! Beside its connection for commands a client has one for each transfer. Where it is to come from or
//! go to is said in the stream of commands ([`line`]); then it gets an entry at once ([`data`]), so
//! that it meets the same real server. In passive mode the real server names its own address, which
//! becomes the virtual one ([`text`]).
//!
//! Where the kernel makes packets longer or shorter, and moves all later sequence numbers, here a
//! packet keeps its length: the words before the numbers, which are for people, have room. So
//! nothing has to be remembered, and what is sent again is changed alike. It is changed before its
//! way to the client is known: a packet that does not go there is dropped, or seen here again.

mod data;
mod line;
mod text;

pub(crate) use data::announce;
pub use data::{Announced, Link, arrive, await_data, begin, hold, make_room, recall};

use rlvs_wire::{Checksum, Ports, Tcp, protocol, tcp};

use crate::answers::Answer;
use crate::connection::{Key, Meta};
use crate::family::Endpoints;
use crate::frame::{Brief, Change, Frame};
use crate::service::FTP_PORT;
use crate::table::{self, Seat};
use crate::tables::FamilyTables;
use crate::tuple::{IP, Packet};
use line::{Dialect, Named};

/// Whether packets of a connection are commands, or answers to them: of TCP to port 21, as
/// `ip_vs_ftp` has it if it is told nothing else.
#[inline(always)]
pub(crate) fn carries_commands<F: Packet>(ends: &Endpoints<F>) -> bool {
    ends.protocol == protocol::TCP && ends.virtual_port == FTP_PORT
}

/// A real server's packet in the connection for commands: may announce that the client is to connect
/// to a port.
#[inline(always)]
pub fn hear<F, R, T>(frame: &mut R, tables: &T, answer: Answer) -> Announced
where
    F: Packet,
    R: Frame,
    T: FamilyTables<F>,
{
    let Some((at, length)) = payload::<F, R>(frame, answer.brief) else {
        return Announced::NONE;
    };
    let named = line::find(frame, tables, (at, length), Dialect::ANSWERS);
    if !named.is_port_for_data::<F>() {
        return Announced::NONE;
    }
    if named.is_old::<F>()
        && let Some(address) = replacement::<F, T>(tables, answer.seat, named)
        && let Some(changed) = text::write(frame, tables, at, named, address)
    {
        mend(frame, answer.brief, changed);
    }
    Announced::passive(answer.seat, named.port())
}

/// The virtual address, if the real server names its own. One that names another does so on purpose.
#[inline(always)]
fn replacement<F, T>(tables: &T, seat: Seat, named: Named) -> Option<[u8; 4]>
where
    F: Packet,
    T: FamilyTables<F>,
{
    let slot = table::slot_at::<F, T>(tables, seat)?;
    let record = tables.destination(Meta(slot.meta.load()).destination())?;
    let is_own = named.address() == F::folded(F::address(&record.address));
    let virtual_address = F::endpoints(&slot.key.load()).virtual_address;
    is_own.then(|| F::folded(virtual_address).to_ne_bytes())
}

/// A client's packet in it: may announce that the real server is to connect to a port of the client,
/// from port 20.
#[inline(always)]
pub fn overhear<F, R, T>(frame: &R, tables: &T, brief: Brief) -> Announced
where
    F: Packet,
    R: Frame,
    T: FamilyTables<F>,
{
    let Some(payload) = payload::<F, R>(frame, brief) else {
        return Announced::NONE;
    };
    let named = line::find(frame, tables, payload, Dialect::COMMANDS);
    if !named.is_port_for_data::<F>() {
        return Announced::NONE;
    }
    match seat::<F, R, T>(frame, tables, brief) {
        Some(seat) => Announced::active(seat, named.port()),
        None => Announced::NONE,
    }
}

/// That of the connection of a client's packet.
#[inline(always)]
fn seat<F, R, T>(frame: &R, tables: &T, brief: Brief) -> Option<Seat>
where
    F: Packet,
    R: Frame,
    T: FamilyTables<F>,
{
    let [client, virtual_address] = F::addresses(frame).ok()?;
    let ports = frame.header::<Ports>(frame.offset(brief.transport()))?;
    let key = F::key(&Endpoints {
        client,
        virtual_address,
        client_port: ports.source,
        virtual_port: ports.destination,
        protocol: protocol::TCP,
    });
    table::locate::<F, T>(tables, &key, false, Seat::NONE)
}

/// Where a segment's payload begins, and how long it is; none if it is empty.
#[inline(always)]
fn payload<F: Packet, R: Frame>(frame: &R, brief: Brief) -> Option<(usize, usize)> {
    let transport = frame.offset(brief.transport());
    let header = frame.header::<Tcp>(transport)?.header_length();
    let at = transport + header;
    let end = F::inner(frame)?.bytes as usize + IP;
    (end > at).then(|| (frame.offset(at), end - at))
}

/// Carries a change of the payload over to the checksum.
#[inline(always)]
fn mend<R: Frame>(frame: &mut R, brief: Brief, changed: Checksum) -> Option<()> {
    frame.mend(Change {
        field: frame.offset(brief.transport()) + tcp::CHECKSUM,
        addresses: Checksum::default(),
        header: changed,
        is_udp: false,
        is_ipv6: false,
    })
}
