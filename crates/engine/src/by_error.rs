//! An ICMP error about a packet of no known connection begins that connection, with `schedule_icmp`
//! (ip_vs_core.c, `ip_vs_in_icmp`, `ip_vs_try_to_schedule`): where many directors share an address, it
//! may reach one that the connection's own packets never came to, and a scheduler that goes by
//! addresses sends it to the same real server.

use rlvs_wire::protocol;

use crate::frame::Frame;
use crate::reason::Reason;
use crate::respond::Respond;
use crate::sysctl::Sysctl;
use crate::tables::{FamilyTables, Tables};
use crate::tuple::Tuple;

/// The connection that an error is about, if it is to begin one; [`Reason::Protocol`] otherwise.
#[inline(always)]
pub fn wanted<F: Respond, R: Frame, T: Tables>(frame: &R, tables: &T) -> Result<Tuple<F>, Reason> {
    let settings = tables.settings().ok_or(Reason::Internal)?;
    if !settings.is_on(Sysctl::ScheduleIcmp) {
        return Err(Reason::Protocol);
    }
    let embedded = F::embedded(frame).map_err(|_| Reason::Protocol)?;
    match embedded.protocol {
        protocol::TCP | protocol::UDP | protocol::SCTP => Ok(Tuple {
            key: F::turned(&embedded.key),
            bytes: embedded.bytes,
            flags: 0,
            hops: embedded.hops,
            protocol: embedded.protocol,
            marks: Tuple::<F>::BY_ERROR,
            transport: 0,
            mark: 0,
            call: 0,
        }),
        _ => Err(Reason::Protocol),
    }
}

/// What it means for an error that its connection could not begin: one to no virtual service is a
/// matter of the stack.
#[inline(always)]
pub fn failed(reason: Reason) -> Reason {
    match reason {
        Reason::NoService => Reason::Protocol,
        reason => reason,
    }
}

/// Begins it.
#[inline(always)]
pub fn begin<F: Respond, R: Frame, T: FamilyTables<F>>(
    frame: &R,
    tables: &T,
) -> Result<(), Reason> {
    let tuple = wanted::<F, R, T>(frame, tables)?;
    tables.begin(&tuple).map_err(failed)?;
    Ok(())
}
