//! Packets of real servers whose answers pass here, back to the clients of their connections.
//!
//! A client may be this host itself, and so may a real server. IPVS sees the packets of both in the
//! stack, whole and on their way in or out (`ip_vs_in`, `ip_vs_out` at LOCAL_IN and LOCAL_OUT); here
//! they are seen where they enter an interface or leave by it.

use rlvs_wire::protocol;
use rlvs_wire::sctp::ABORT;
use rlvs_wire::tcp::RST;

use crate::connection::{Key, State};
use crate::family::{Endpoints, Family, V4, V6};
use crate::fragment::Origin;
use crate::frame::{Brief, Frame, Route, Way};
use crate::ftp;
use crate::outcome::{Outcome, tried};
use crate::process::{Verdict, Version, follow_first, is_for_us, passes, version};
use crate::reason::Reason;
use crate::respond::Respond;
use crate::service::{MARKED, ServiceKey, filter};
use crate::sysctl::Sysctl;
use crate::table::{self, Seat};
use crate::tables::{Context, FamilyTables, KeyOf};
use crate::tuple::{Packet, Tuple};

/// Looks for nothing but answers in masqueraded connections: where only those are of interest,
/// which the stack of this host gives or gets.
#[inline(always)]
pub fn answers<R, T>(frame: &mut R, tables: &T) -> Verdict
where
    R: Frame,
    T: FamilyTables<V4> + FamilyTables<V6>,
{
    let outcome = match version(frame) {
        Ok(Version::Four) => answers_of::<V4, R, T>(frame, tables),
        Ok(Version::Six) => answers_of::<V6, R, T>(frame, tables),
        Err(reason) => Outcome::failed(reason),
    };
    let Some(reason) = outcome.reason() else {
        return outcome.verdict();
    };
    let verdict = reason.verdict();
    if verdict != Verdict::Pass {
        tables.count(reason);
    }
    verdict
}

#[inline(always)]
fn answers_of<F, R, T>(frame: &mut R, tables: &T) -> Outcome
where
    F: Respond,
    R: Frame,
    T: FamilyTables<F> + FamilyTables<V4> + FamilyTables<V6>,
{
    let [source, _] = tried!(F::addresses(frame));
    if !passes(tables, filter::place_of_server::<F>(source)) {
        return Outcome::failed(Reason::NotVirtual);
    }
    if frame.way() != Way::Out && !is_for_us(frame, tables) {
        return Outcome::failed(Reason::OtherHost);
    }
    if F::is_icmp(frame) {
        return frame.relate::<F, T>(tables);
    }
    let outcome = reply::<F, R, T>(frame, tables);
    match outcome.reason() {
        // Whether a real server is told is decided where its packets come in.
        Some(Reason::NotAsked) => Outcome::failed(Reason::NoAnswer),
        Some(Reason::FragmentUnknown | Reason::FragmentTiny) => {
            follow_first::<F, R, T>(frame, tables)
        }
        _ => outcome,
    }
}

/// A real server's packet, back to the client of its connection.
#[inline(always)]
pub(crate) fn reply<F, R, T>(frame: &mut R, tables: &T) -> Outcome
where
    F: Respond,
    R: Frame,
    T: FamilyTables<F>,
{
    let answer = tried!(frame.recognise::<F, T>(tables));
    if answer.brief.is_fragment() {
        tried!(frame.keep::<F, T>(tables, Origin::server(answer)));
    }
    let announced = frame.hear::<F, T>(tables, answer);
    ftp::announce(tables, announced);
    frame.answer::<F, T>(tables, answer)
}

/// A packet from an address that a destination has whose answers pass here: an answer, or something
/// else, which passes.
#[inline(always)]
pub fn recognise<F, R, T>(frame: &mut R, tables: &T) -> Result<Answer, Reason>
where
    F: Packet,
    R: Frame,
    T: FamilyTables<F>,
{
    let tuple = F::read(frame).map_err(|reason| match reason {
        Reason::FragmentUnknown | Reason::FragmentTiny => reason,
        _ => Reason::NoAnswer,
    })?;
    let context = Context::new(tables).ok_or(Reason::Internal)?;
    let turned = F::turned(&tuple.key);
    let found = table::find_answered::<F, T>(context, &turned);
    let found = found.ok_or_else(|| match tells(context, &tuple) {
        true => context.settings.unknown(Reason::NotAsked),
        false => context.settings.unknown(Reason::NoAnswer),
    })?;
    let slot = found.entry.slot;
    let is_full = found.entry.meta.state() as u8 == State::Reverse as u8;
    let ends = F::endpoints(&slot.key.load());
    let is_of_commands = !is_full && ftp::carries_commands::<F>(&ends);
    Ok(Answer {
        seat: found.seat,
        brief: Brief::of(&tuple).of_commands(is_of_commands),
    })
}

/// Whether the sender of a packet of no known connection is to be told so: a masqueraded real
/// server, with `nat_icmp_send` (ip_vs_core.c, `ip_vs_out_hook`). One that ends a connection itself is
/// not.
#[inline(always)]
fn tells<F: Packet, T: FamilyTables<F>>(context: Context<'_, T>, tuple: &Tuple<F>) -> bool {
    let ends = match tuple.protocol {
        protocol::TCP => tuple.flags & RST != 0,
        protocol::SCTP => tuple.flags == ABORT,
        protocol::UDP => false,
        _ => true,
    };
    !ends && context.settings.is_on(Sysctl::NatIcmpSend) && context.tables.is_server(&tuple.key)
}

/// Whether a packet comes from the end of a masqueraded real server: of a service of its protocol, or
/// by firewall mark, which is for all protocols.
#[inline(always)]
pub fn is_server<F: Packet, T: FamilyTables<F>>(tables: &T, packet: &KeyOf<F>) -> bool {
    let Endpoints {
        client,
        client_port,
        protocol,
        ..
    } = F::endpoints(packet);
    let is_one = |protocol| tables.service(&ServiceKey::of_server(client, client_port, protocol));
    is_one(protocol).is_some() || is_one(MARKED).is_some()
}

/// An answer: the seat of its connection, or of that one's reverse entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Answer {
    pub seat: Seat,
    pub brief: Brief,
}

/// Whether another program takes an answer to a connection of this host, see [`Frame::delivers`].
#[inline(always)]
pub(crate) fn is_for_another<R: Frame>(frame: &R, is_own: bool) -> bool {
    is_own && frame.way() == Way::In && !frame.delivers()
}

/// The way of an answer to the client of a connection, which may be this host itself.
#[inline(always)]
pub(crate) fn to_client<F: Family, R: Frame>(frame: &mut R, is_own: bool, key: &KeyOf<F>) -> Route {
    match (frame.way(), is_own) {
        (Way::Out, _) | (Way::Loopback, true) => Route::UNDER_WAY,
        (Way::In, true) => Route::HERE,
        (Way::In | Way::Loopback, false) => frame.route::<F>(key),
    }
}
