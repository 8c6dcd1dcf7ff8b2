//! Live connections for listings, read from the tables beside the packet path.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rlvs_control::ConnectionEntry;
use rlvs_engine::connection::{Bucket, Key, Meta, Slot};
use rlvs_engine::family::Endpoints;
use rlvs_engine::lease::Lease;
use rlvs_engine::service::{ANNOUNCED, CALLED};
use rlvs_engine::settings::seconds;
use rlvs_engine::tables::Context;
use rlvs_engine::tuple::Packet;
use rlvs_engine::{FamilyTables, V4, V6, template};
use rlvs_plane::KernelTables;
use rlvs_wire::protocol;

use crate::installed::destination_key;
use crate::server::ConnectionSource;

/// The tables as a source of entries.
#[derive(Debug)]
pub(crate) struct Connections(pub(crate) Arc<KernelTables>);

impl ConnectionSource for Connections {
    fn visit(&self, each: &mut dyn FnMut(ConnectionEntry) -> bool) {
        let tables = &*self.0;
        let _ = buckets::<V4, _>(tables, tables.buckets4(), each)
            && buckets::<V6, _>(tables, tables.buckets6(), each);
    }
}

/// Shows one version's entries to `each` for as long as it says true; what it said last.
pub fn buckets<F: Packet, T: FamilyTables<F>>(
    tables: &T,
    buckets: &[Bucket<F::Key>],
    each: &mut dyn FnMut(ConnectionEntry) -> bool,
) -> bool {
    buckets.iter().all(|bucket| {
        // Once for all of a bucket: the clock is a system call on some machines.
        let Some(context) = Context::new(tables) else {
            return false;
        };
        let entries = bucket.slots.iter();
        entries
            .filter_map(|slot| entry::<F, T>(tables, context, slot))
            .all(&mut *each)
    })
}

fn entry<F: Packet, T: FamilyTables<F>>(
    tables: &T,
    context: Context<'_, T>,
    slot: &Slot<F::Key>,
) -> Option<ConnectionEntry> {
    let meta = Meta(slot.meta.load());
    if !meta.is_clients() {
        return None;
    }
    let endpoints = F::endpoints(&slot.key.load());
    let lease = Lease(slot.children.load());
    let seen = slot.seen.load();
    // The slot has the same tenant still?
    if slot.meta.load() != meta.0 {
        return None;
    }
    let state = meta.state();
    let timeout = match state.is_template() {
        true => template::timeout(context, meta),
        false => context.settings.timeout(state),
    };
    let record = tables.destination(meta.destination())?;
    let destination = destination_key(record);
    let port = |bytes| u16::from_be_bytes(bytes);
    let (client, persistence_engine) = client(&endpoints);
    Some(ConnectionEntry {
        protocol: name(endpoints.protocol).to_owned(),
        state: state.name().to_owned(),
        expires: seconds(left(context.now, seen, timeout)),
        client,
        virtual_address: SocketAddr::new(
            F::ip(endpoints.virtual_address),
            port(endpoints.virtual_port),
        ),
        destination: SocketAddr::new(
            destination.address,
            port(record.port_for(endpoints.virtual_port)),
        ),
        local: local::<F, T>(tables, meta, lease),
        learned: meta.has(Meta::LEARNED),
        persistence_engine,
    })
}

/// Ticks until an entry ends. What another director told may outlast the timeout here: it is as if its
/// last packet were to come.
fn left(now: u32, seen: u32, timeout: u32) -> u32 {
    let left = seen.wrapping_add(timeout).wrapping_sub(now).cast_signed();
    left.max(0).cast_unsigned()
}

/// The client of an entry; of a template by Call-ID any, and what stands for its call in the table.
fn client<F: Packet>(endpoints: &Endpoints<F>) -> (SocketAddr, Option<(String, String)>) {
    let client = SocketAddr::new(
        F::ip(endpoints.client),
        u16::from_be_bytes(endpoints.client_port),
    );
    if endpoints.protocol != CALLED {
        return (client, None);
    }
    let call: String = match client.ip() {
        IpAddr::V4(address) => [&address.octets()[..], &endpoints.client_port].concat(),
        IpAddr::V6(address) => address.octets()[..8].to_vec(),
    }
    .iter()
    .map(|byte| format!("{byte:02x}"))
    .collect();
    let engine = ("sip".to_owned(), format!("#{call}"));
    (SocketAddr::new(F::ip(F::called(0)), 0), Some(engine))
}

/// The local end of a connection by full NAT.
fn local<F: Packet, T: FamilyTables<F>>(
    tables: &T,
    meta: Meta,
    lease: Lease,
) -> Option<SocketAddr> {
    if lease.is_none() || meta.state().is_template() {
        return None;
    }
    let address = F::address(&tables.local(lease.local())?.address);
    let port = u16::from_be_bytes(lease.port());
    Some(SocketAddr::new(F::ip(address), port))
}

fn name(number: u8) -> &'static str {
    match number {
        protocol::TCP | ANNOUNCED => "TCP",
        protocol::UDP | CALLED => "UDP",
        protocol::SCTP => "SCTP",
        _ => "IP",
    }
}
