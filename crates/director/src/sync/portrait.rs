//! An entry of the connection tables as a message tells it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rlvs_engine::connection::{Key, Meta, Slot, State};
use rlvs_engine::destination::Destination;
use rlvs_engine::family::Endpoints;
use rlvs_engine::forward::Method;
use rlvs_engine::lease::{Beginning, Lease, Local};
use rlvs_engine::service::{ANNOUNCED, CALLED, MARKED, store_octets};
use rlvs_engine::settings::seconds;
use rlvs_engine::tables::{Context, KeyOf};
use rlvs_engine::template;
use rlvs_engine::tuple::Packet;
use rlvs_engine::{Family, FamilyTables, Tables, V4, V6};
use rlvs_plane::Store;
use rlvs_sync::{Addresses, Ends, Engine, Flags, Forwarding, LocalEnd, Ports, Record};
use rlvs_wire::protocol;
use rlvs_word::Shared64;

use super::state;
use crate::installed::destination_key;

/// An entry at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight<V> {
    pub(super) meta: Meta,
    pub(super) key: V,
    /// Tick of its last packet.
    pub(super) seen: u32,
    /// Ticks that it outlives that by.
    pub(super) timeout: u32,
    /// [`Slot::children`]
    children: u32,
}

/// None for what no client finds, and for what changes just now.
pub(super) fn look<F: Packet, T: Tables>(
    context: Context<'_, T>,
    slot: &Slot<F::Key>,
) -> Option<Sight<KeyOf<F>>> {
    let meta = Meta(slot.meta.load());
    if !meta.is_clients() {
        return None;
    }
    let (key, seen, children) = (slot.key.load(), slot.seen.load(), slot.children.load());
    (slot.meta.load() == meta.0).then(|| Sight {
        meta,
        key,
        seen,
        timeout: timeout(context, meta),
        children,
    })
}

pub(super) fn timeout<T: Tables>(context: Context<'_, T>, meta: Meta) -> u32 {
    match meta.state().is_template() {
        true => template::timeout(context, meta),
        false => context.settings.timeout(meta.state()),
    }
}

impl<V> Sight<V> {
    /// Of a connection by full NAT: its local end here.
    pub(super) fn lease(&self) -> Lease {
        Lease(self.children)
    }

    /// The tick at which it ends if no packet comes.
    pub(super) fn ends(&self) -> u32 {
        self.seen.wrapping_add(self.timeout)
    }

    /// Ticks until then.
    pub(super) fn left(&self, now: u32) -> u32 {
        self.ends()
            .wrapping_sub(now)
            .cast_signed()
            .max(0)
            .cast_unsigned()
    }
}

/// Who is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Audience {
    /// Whoever hears the group, a kernel's IPVS among them.
    Group,
    /// A director of rlvs.
    Peer,
}

/// Why something is not told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Untold {
    /// It makes no sense elsewhere: connections of this host, whose ends are this director's; what FTP has
    /// announced; and full NAT and destinations of the other IP version, where they are not known.
    OnlyHere,
    /// A template by a Call-ID of which nothing is left here but what stands for it.
    CallForgotten,
}

pub(super) fn record<F: Packet, T: Store + FamilyTables<F>>(
    tables: &T,
    sight: &Sight<KeyOf<F>>,
    audience: Audience,
) -> Result<Record, Untold> {
    let ends = F::endpoints(&sight.key);
    if ends.protocol != CALLED {
        return ends_and_state::<F, T>(tables, sight, ends, audience).ok_or(Untold::OnlyHere);
    }
    let call = template::call::<F>(&sight.key);
    let (id, client) = match tables.call_id_of(call) {
        Ok(Some(kept)) => kept,
        _ => return Err(Untold::CallForgotten),
    };
    let engine = Engine::new(b"sip", &id).ok_or(Untold::CallForgotten)?;
    let ends = shown::<F, T>(tables, sight.meta, ends, client);
    let record = ends_and_state::<F, T>(tables, sight, ends, audience).ok_or(Untold::OnlyHere)?;
    Ok(Record {
        engine: Some(engine),
        ..record
    })
}

/// The ends of a template by Call-ID, as IPVS has them: its first client's network, and its service's
/// protocol.
fn shown<F: Packet, T: Tables>(
    tables: &T,
    meta: Meta,
    ends: Endpoints<F>,
    client: [u8; 16],
) -> Endpoints<F> {
    let destination = tables.destination(meta.destination());
    let service = destination.and_then(|it| tables.service_at(it.service.load()));
    let is_marked = service.is_some_and(|it| it.mark.load() != 0);
    let octets: [Shared64; 2] = Default::default();
    store_octets(&octets, client);
    Endpoints {
        client: F::address(&octets),
        client_port: [0, 0],
        protocol: match is_marked {
            true => MARKED,
            false => protocol::UDP,
        },
        ..ends
    }
}

fn ends_and_state<F: Packet, T: FamilyTables<F>>(
    tables: &T,
    sight: &Sight<KeyOf<F>>,
    ends: Endpoints<F>,
    audience: Audience,
) -> Option<Record> {
    let meta = sight.meta;
    if meta.has(Meta::OWN) || ends.protocol == ANNOUNCED {
        return None;
    }
    let destination = tables.destination(meta.destination())?;
    let service = tables.service_at(destination.service.load());
    let is_full_nat = destination.method() == Method::FullNat;
    if is_full_nat && audience == Audience::Group {
        return None;
    }
    let local = match is_full_nat && !meta.state().is_template() {
        // Without one it has not begun.
        true => Some(local_end::<F, T>(tables, sight)?),
        false => None,
    };
    let (addresses, across) = addresses(
        F::ip(ends.client),
        F::ip(ends.virtual_address),
        destination_key(destination).address,
    )?;
    if across.is_some() && audience == Audience::Group {
        return None;
    }
    let port = u16::from_be_bytes;
    Some(Record {
        protocol: ends.protocol,
        flags: flags(destination, meta.state())?,
        state: state::told(meta.state())?.number(),
        addresses,
        ports: Ports {
            client: port(ends.client_port),
            virtual_port: port(ends.virtual_port),
            destination: port(destination.port_for(ends.virtual_port)),
        },
        mark: service.map_or(0, |service| service.mark.load()),
        // 0 would mean: the receiver's own.
        timeout: seconds(sight.timeout).max(1),
        sequences: None,
        engine: None,
        local,
        across,
    })
}

fn local_end<F: Packet, T: FamilyTables<F>>(
    tables: &T,
    sight: &Sight<KeyOf<F>>,
) -> Option<LocalEnd> {
    let lease = sight.lease();
    let local = tables.local(lease.local()).filter(|_| !lease.is_none())?;
    let of = (sight.meta.destination(), lease);
    let begins = tables.beginning(&sight.key, of, Beginning::NONE);
    Some(LocalEnd {
        address: local_address(local),
        port: u16::from_be_bytes(lease.port()),
        begins: begins.sequence()?,
        is_told: sight.meta.has(Meta::TOLD),
    })
}

/// An address that stands for clients.
pub(super) fn local_address(local: &Local) -> IpAddr {
    match local.flags.load() & Local::IPV6 {
        0 => V4::address(&local.address).into(),
        _ => V6::address(&local.address).into(),
    }
}

fn flags(destination: &Destination, state: State) -> Option<Flags> {
    let is_local = destination.is(Destination::LOCAL);
    let by = match destination.method() {
        _ if is_local => Forwarding::Local,
        // IPVS has no number for full NAT.
        Method::Masquerade | Method::FullNat => Forwarding::Masquerade,
        Method::Tunnel => Forwarding::Tunnel,
        Method::DirectRoute => Forwarding::DirectRoute,
    };
    let mut flags = Flags(0).forwarded(by);
    if by != Forwarding::Masquerade {
        flags = flags.with(Flags::NO_OUTPUT);
    }
    if !state.is_active() {
        flags = flags.with(Flags::INACTIVE);
    }
    if state.is_template() {
        flags = flags.with(Flags::TEMPLATE);
    }
    Some(flags)
}

/// The addresses, and the destination's by itself if it is of the other IP version than the clients.
fn addresses(
    client: IpAddr,
    virtual_address: IpAddr,
    destination: IpAddr,
) -> Option<(Addresses, Option<IpAddr>)> {
    match (client, virtual_address) {
        (IpAddr::V4(client), IpAddr::V4(virtual_address)) => {
            let (destination, across) = match destination {
                IpAddr::V4(address) => (address, None),
                IpAddr::V6(_) => (Ipv4Addr::UNSPECIFIED, Some(destination)),
            };
            let ends = Ends {
                client,
                virtual_address,
                destination,
            };
            Some((Addresses::V4(ends), across))
        }
        (IpAddr::V6(client), IpAddr::V6(virtual_address)) => {
            let (destination, across) = match destination {
                IpAddr::V6(address) => (address, None),
                IpAddr::V4(_) => (Ipv6Addr::UNSPECIFIED, Some(destination)),
            };
            let ends = Ends {
                client,
                virtual_address,
                destination,
            };
            Some((Addresses::V6(ends), across))
        }
        _ => None,
    }
}
