//! Persistence: a template remembers where a client's connections go.
//!
//! As in IPVS (net/netfilter/ipvs/ip_vs_core.c, `ip_vs_sched_persist`) it is an entry of the
//! connection table, from the client's masked address and port 0 to the service's address, and to
//! its port, or port 0 if the service has connections to others. It is refreshed by every
//! connection it decides, and outlives its timeout while one of them lives. With `--pe sip` it is
//! from a Call-ID instead of the client, and connections do not keep it: which calls one carries is
//! not known.

use crate::connection::{Key, Meta, State};
use crate::destination::Destination;
use crate::family::{Endpoints, Family};
use crate::service::{CALLED, MARKED, Service};
use crate::sysctl::Sysctl;
use crate::table::{self, Entry, Inserted};
use crate::tables::{Context, FamilyTables, KeyOf, Tables};
use crate::tuple::Packet;

/// The destination that a template gives a new connection of a persistent service. The
/// connection counts as the template's until [`forget`].
#[inline(always)]
pub fn recall<F: Packet, T: FamilyTables<F>>(
    tables: &T,
    connection: &KeyOf<F>,
    call: u64,
    service: u32,
) -> Option<u32> {
    let context = Context::new(tables)?;
    let key = key::<F>(tables.service_at(service)?, connection, call);
    hold(context, serving::<F, T>(context, &key)?)
}

/// Remembers a choice if the table has room; the choice that counts, which may be another CPU's,
/// or `None` if there was no room.
#[inline(always)]
pub fn remember<F: Packet, T: FamilyTables<F>>(
    tables: &T,
    connection: &KeyOf<F>,
    call: u64,
    service: u32,
    destination: u32,
) -> Option<u32> {
    let context = Context::new(tables)?;
    let key = key::<F>(tables.service_at(service)?, connection, call);
    let entry = match table::add_if_room(tables, &key, Meta::new(destination, State::Template, 0)) {
        Inserted::New(entry) => {
            tables.load(destination)?.persistent.add(1);
            entry
        }
        Inserted::Existing(entry) => entry,
        Inserted::Full => return None,
    };
    hold(context, entry)
}

/// Keeps the Call-ID that was read of a packet whose template has begun, for who is told of it. Not a part
/// of [`remember`], for whose stack there would be no room.
#[inline(always)]
pub fn keep_call<F: Packet, T: FamilyTables<F>>(
    tables: &T,
    connection: &KeyOf<F>,
    call: u64,
    service: u32,
) -> Option<()> {
    let (service, id) = (tables.service_at(service)?, tables.call_id()?);
    if !service.is(Service::BY_CALL) {
        return None;
    }
    let client = F::masked(F::endpoints(connection).client, &service.mask());
    id.set_client(F::octets(client));
    // What `key` makes of it.
    let [_, _, _, _, first, second, ..] = call.to_ne_bytes();
    tables.keep_call_id(F::call(F::called(call), [first, second]));
    Some(())
}

/// Counts a connection as the template's, unless that ended since it was found: another CPU, whose
/// clock is a tick on, may think that its time is over. What that CPU read no longer swaps.
#[inline(always)]
fn hold<K, T: Tables>(context: Context<'_, T>, entry: Entry<'_, K>) -> Option<u32> {
    let Entry { slot, meta } = entry;
    let held = meta.succeeded_by(meta.without(Meta::ORPHAN));
    if !slot.meta.replace(meta.0, held.0) {
        return None;
    }
    slot.children.add(1);
    slot.seen.store(context.now);
    Some(meta.destination())
}

/// A connection that its template counted has ended, or did not come to be. One that was established
/// assures the template (ip_vs_conn.c, `ip_vs_control_assure_ct`), which IPVS does at once.
#[inline(always)]
pub fn forget<F: Packet, T: FamilyTables<F>>(
    tables: &T,
    connection: &KeyOf<F>,
    destination: u32,
    assures: bool,
) {
    let service = tables
        .destination(destination)
        .and_then(|destination| tables.service_at(destination.service.load()));
    let (Some(context), Some(service)) = (Context::new(tables), service) else {
        return;
    };
    // A later template of the same client does not count this connection.
    if let Some(entry) = table::find::<F, T>(context, &key::<F>(service, connection, 0))
        && entry.meta.destination() == destination
        && entry.slot.children.load() > 0
    {
        if assures && entry.meta.state() as u8 == State::Template as u8 {
            // Lost to a connection that begins: that one is to assure it.
            let assured = entry.meta.with_state(State::Assured);
            entry.slot.meta.replace(entry.meta.0, assured.0);
        }
        entry.slot.children.add(u32::MAX);
    }
}

/// The key of the template of this connection's client, or call, and service.
#[inline(always)]
pub fn key<F: Family>(service: &Service, connection: &KeyOf<F>, call: u64) -> KeyOf<F> {
    let endpoints = F::endpoints(connection);
    let endpoints = match service.mark.load() {
        0 => endpoints,
        mark => Endpoints {
            virtual_address: F::marked(mark),
            virtual_port: [0, 0],
            protocol: MARKED,
            ..endpoints
        },
    };
    let (client, [_, _, _, _, first, second, ..], protocol) = match service.is(Service::BY_CALL) {
        false => {
            let client = F::masked(endpoints.client, &service.mask());
            (client, [0; 8], endpoints.protocol)
        }
        true => (F::called(call), call.to_ne_bytes(), CALLED),
    };
    F::key(&Endpoints {
        client,
        client_port: [first, second],
        virtual_port: match service.is(Service::MANY_PORTS) {
            true => [0, 0],
            false => endpoints.virtual_port,
        },
        protocol,
        ..endpoints
    })
}

/// What stands for the Call-ID in a template's key.
#[inline(always)]
pub fn call<F: Family>(key: &KeyOf<F>) -> u64 {
    let endpoints = F::endpoints(key);
    F::call(endpoints.client, endpoints.client_port)
}

/// The template, if its destination still serves; one that no longer does is ended.
#[inline(always)]
fn serving<'t, F: Packet, T: FamilyTables<F>>(
    context: Context<'t, T>,
    key: &KeyOf<F>,
) -> Option<Entry<'t, F::Key>> {
    let entry = table::find::<F, T>(context, key)?;
    let destination = context.tables.destination(entry.meta.destination())?;
    let serves = destination.is(Destination::AVAILABLE) && keeps_clients(context, destination);
    if serves && !table::is_over(context, entry, 0) {
        return Some(entry);
    }
    table::release_alone::<F, T>(context.tables, entry);
    None
}

/// Whether clients who are remembered at a destination still go there. One of weight 0 keeps them
/// unless `expire_quiescent_template` is set (ip_vs_conn.c, `ip_vs_check_template`), or it is being
/// drained.
#[inline(always)]
pub(crate) fn keeps_clients<T: Tables>(context: Context<'_, T>, destination: &Destination) -> bool {
    destination.weight.load() != 0
        || !destination.is(Destination::DRAINING)
            && !context.settings.is_on(Sysctl::ExpireQuiescentTemplate)
}

/// Whether a template's connections keep it beyond its time. Not if its destination was removed:
/// nobody is sent there by it, and without the service's mask its connections cannot let it go.
#[inline(always)]
pub fn is_held<K, T: Tables>(context: Context<'_, T>, entry: Entry<'_, K>) -> bool {
    entry.meta.state().is_template()
        && entry.slot.children.load() > 0
        && keeps(context.tables, entry.meta.destination())
}

/// Whether packets find another template with this one's key: two CPUs may begin the same at one
/// moment. Nothing is decided by it, and its connections cannot let it go.
pub fn is_hidden<F: Packet, T: FamilyTables<F>>(
    context: Context<'_, T>,
    entry: Entry<'_, F::Key>,
) -> bool {
    let found = || table::find::<F, T>(context, &entry.slot.key.load());
    entry.meta.state().is_template()
        && found().is_some_and(|found| !core::ptr::eq(found.slot, entry.slot))
}

#[inline(always)]
fn keeps<T: Tables>(tables: &T, destination: u32) -> bool {
    let Some(destination) = tables.destination(destination) else {
        return false;
    };
    let service = tables.service_at(destination.service.load());
    destination.is(Destination::AVAILABLE)
        && service.is_some_and(|service| !service.is(Service::BY_CALL))
}

/// How long a template outlives its last use, in ticks: what its service says now.
#[inline(always)]
pub fn timeout<T: Tables>(context: Context<'_, T>, meta: Meta) -> u32 {
    let tables = context.tables;
    let service = tables
        .destination(meta.destination())
        .and_then(|destination| tables.service_at(destination.service.load()));
    match service {
        Some(service) if service.is(Service::PERSISTENT) => service.persistence.load(),
        _ => context.settings.timeout(State::Template),
    }
}
