//! ICMP errors about packets in tunnels, told to the clients whose packets are inside, as in IPVS
//! (`ip_vs_in_icmp`).
//!
//! They come from routers, or from the real server, to the address of ours that is in front of
//! those packets. The client gets an error about its own packet, from the virtual address: of the
//! same kind, or if the IP versions inside and outside differ, that its host is not reached (RFC
//! 2473, section 8). "Too large" tells the client what of the path is left for its packets, and
//! holds for all clients of the real server from now on ([`crate::path_mtu`]).
//!
//! IPVS does so for IPv4 in IPv4 only.

use rlvs_wire::ethernet::{self, Addresses};
use rlvs_wire::{Ethernet, Gre, Gue, Icmp, Udp, gre, gue, icmp, ipv4, protocol, udp};

use crate::destination::{Destination, Tunnel};
use crate::family::{Family, V4, V6};
use crate::forward::{Method, most_through};
use crate::frame::{Frame, RouteKind};
use crate::process::Verdict;
use crate::reason::Reason;
use crate::respond::{Error, KEPT, Respond, is_allowed, sum};
use crate::table;
use crate::tables::{Context, FamilyTables, Tables};
use crate::tuple::{Embedded, IP, Packet};

/// The destination whose packet an ICMP packet is about; those about no tunnel's pass.
///
/// Apart from [`tell`], for the verifier wants call chains to use little stack.
#[inline(always)]
pub fn find<F, R, T>(frame: &R, tables: &T) -> Result<u32, Reason>
where
    F: Respond,
    R: Frame,
    T: FamilyTables<V4> + FamilyTables<V6>,
{
    if !F::is_icmp(frame) {
        return Err(Reason::Protocol);
    }
    let embedded = F::embedded(frame).map_err(|_| Reason::Protocol)?;
    let shim = shim(frame, &embedded).ok_or(Reason::Protocol)?;
    let number = match shim.is_six {
        true => destination_of::<V6, R, T>(frame, tables, shim),
        false => destination_of::<V4, R, T>(frame, tables, shim),
    };
    let number = number.ok_or(Reason::Protocol)?;
    let destination = tables.destination(number).ok_or(Reason::Internal)?;
    match is_tunnel_of::<F, R>(frame, destination, embedded.ip as usize, shim) {
        Some(true) => Ok(number),
        _ => Err(Reason::Protocol),
    }
}

/// Tells the client whose packet an ICMP packet is about, which went to this destination.
#[inline(always)]
pub fn tell<F, R, T>(frame: &mut R, tables: &T, number: u32) -> Result<Verdict, Reason>
where
    F: Respond,
    R: Frame,
    T: FamilyTables<V4> + FamilyTables<V6>,
{
    let embedded = F::embedded(frame).map_err(|_| Reason::Protocol)?;
    let shim = shim(frame, &embedded).ok_or(Reason::Protocol)?;
    match shim.is_six {
        true => tell_client::<V6, F, R, T>(frame, tables, number, &embedded, shim),
        false => tell_client::<V4, F, R, T>(frame, tables, number, &embedded, shim),
    }
}

/// The destination of the client's connection.
#[inline(always)]
fn destination_of<G, R, T>(frame: &R, tables: &T, shim: Shim) -> Option<u32>
where
    G: Respond,
    R: Frame,
    T: FamilyTables<G>,
{
    let inside = G::inside(frame, shim.at)?;
    let entry = table::find::<G, T>(Context::new(tables)?, &inside.key)?;
    Some(entry.meta.destination())
}

/// The same for a client of IP version `G`.
#[inline(always)]
fn tell_client<G, F, R, T>(
    frame: &mut R,
    tables: &T,
    number: u32,
    embedded: &Embedded<F>,
    shim: Shim,
) -> Result<Verdict, Reason>
where
    G: Respond,
    F: Respond,
    R: Frame,
    T: Tables,
{
    let inside = G::inside(frame, shim.at).ok_or(Reason::Protocol)?;
    let destination = tables.destination(number).ok_or(Reason::Internal)?;
    let said = *frame
        .header::<Icmp>(embedded.icmp as usize)
        .ok_or(Reason::Internal)?;
    let error = error::<G, F>(said, destination, tables.now()).ok_or(Reason::Protocol)?;
    if !is_allowed(tables) {
        return Err(Reason::TooManyErrors);
    }
    let route = frame.route::<G>(&inside.key);
    let verdict = match route.kind {
        RouteKind::Known => Verdict::Redirect(route.interface),
        // The kernel would ask as it would for the packet that came.
        RouteKind::Ask if G::INDEX == F::INDEX => Verdict::Neighbour(route.interface),
        RouteKind::Ask | RouteKind::Unresolved => return Err(Reason::Unresolved),
        // No route that is looked up ends here.
        RouteKind::None | RouteKind::Here | RouteKind::UnderWay => return Err(Reason::NoRoute),
    };
    let kept = kept(frame, shim.at, inside.bytes as usize).ok_or(Reason::Protocol)?;
    frame
        .bring(shim.at, IP + G::HEADERS, kept)
        .ok_or(Reason::Internal)?;
    // Apart from what the loop in `sum` says of it: the verifier would go on once for each turn.
    let length = frame.offset(kept);
    let content = sum(frame, IP + G::HEADERS, kept).ok_or(Reason::Internal)?;
    frame
        .resize(IP + G::HEADERS + length)
        .ok_or(Reason::Internal)?;
    let ethernet = frame.header_mut::<Ethernet>(0).ok_or(Reason::Internal)?;
    ethernet.ethertype.set(match G::INDEX {
        0 => ethernet::IPV4,
        _ => ethernet::IPV6,
    });
    let addresses = frame.header_mut::<Addresses>(0).ok_or(Reason::Internal)?;
    addresses.set(route.destination, route.source);
    G::write(frame, error, length, content).ok_or(Reason::Internal)?;
    Ok(verdict)
}

/// What is between the tunnel's IP header and the client's packet.
#[derive(Clone, Copy)]
struct Shim {
    /// The tunnel, as far as the packet says.
    kind: u8,
    /// GUE's; 0 of others.
    port: u16,
    /// Where the client's packet begins, and whether it is one of IPv6.
    at: usize,
    is_six: bool,
}

/// Reads what follows the IP header of the packet that an error is about.
#[inline(always)]
fn shim<F: Packet, R: Frame>(frame: &R, embedded: &Embedded<F>) -> Option<Shim> {
    let (number, at) = (embedded.protocol, embedded.ports as usize);
    let (kind, port, length, inner) = match number {
        protocol::IPV4 | protocol::IPV6 => (Tunnel::IPIP, 0, 0, number),
        protocol::GRE => {
            let header = frame.header::<Gre>(at)?;
            let length = match header.flags {
                [0, 0] => gre::LENGTH,
                gre::HAS_CHECKSUM => gre::LENGTH + gre::CHECKSUM_LENGTH,
                _ => return None,
            };
            let inner = match header.protocol.get() {
                ethernet::IPV4 => protocol::IPV4,
                ethernet::IPV6 => protocol::IPV6,
                _ => return None,
            };
            (Tunnel::GRE, 0, length, inner)
        }
        protocol::UDP => {
            let port = frame.header::<Udp>(at)?.destination.get();
            let header = frame.header::<Gue>(at + udp::LENGTH)?;
            if header.variant_control_length != 0 || header.flags != [0, 0] {
                return None;
            }
            (
                Tunnel::GUE,
                port,
                udp::LENGTH + gue::LENGTH,
                header.protocol,
            )
        }
        _ => return None,
    };
    let is_six = match inner {
        protocol::IPV4 => false,
        protocol::IPV6 => true,
        _ => return None,
    };
    let at = frame.offset(at + length);
    Some(Shim {
        kind,
        port,
        at,
        is_six,
    })
}

/// Whether the packet whose IP header is at `at` was sent to this destination: nobody is told of
/// one that was not.
#[inline(always)]
fn is_tunnel_of<F: Packet, R: Frame>(
    frame: &R,
    destination: &Destination,
    at: usize,
    shim: Shim,
) -> Option<bool> {
    let [from, to] = F::addresses_at(frame, at)?;
    let tunnel = Tunnel(destination.tunnel.load());
    Some(
        destination.method() == Method::Tunnel
            && destination.is(Destination::IPV6) == (F::INDEX == 1)
            && (tunnel.kind(), tunnel.port()) == (shim.kind, shim.port)
            && F::address(&destination.address) == to
            && F::address(&destination.outer_source) == from,
    )
}

/// What the client is told; nothing of what concerns the packet outside alone.
#[inline(always)]
fn error<G: Respond, F: Family>(said: Icmp, destination: &Destination, now: u32) -> Option<Error> {
    let [a, b, c, d] = said.rest;
    match (F::INDEX, said.kind, said.code) {
        (0, 3, 4) => {
            destination.told_mtu(u16::from_be_bytes([c, d]) as u32, now);
            G::error(Reason::TooLong, most_through(destination))
        }
        (1, 2, _) => {
            destination.told_mtu(u32::from_be_bytes([a, b, c, d]), now);
            G::error(Reason::TooLong, most_through(destination))
        }
        (0, 3 | 11, _) | (1, 1 | 3, _) => {
            let (kind, code) = match G::INDEX == F::INDEX {
                true => (said.kind, said.code),
                false => G::UNREACHABLE,
            };
            Some(Error { kind, code, mtu: 0 })
        }
        _ => None,
    }
}

/// How much of the client's packet, which begins at `at`, is sent back.
#[inline(always)]
fn kept<R: Frame>(frame: &R, at: usize, bytes: usize) -> Option<usize> {
    let there = frame.length().wrapping_sub(at);
    let length = if bytes < there { bytes } else { there };
    let kept = if length < KEPT { length & !3 } else { KEPT };
    (kept >= ipv4::MIN_LENGTH + icmp::LENGTH).then_some(kept)
}
