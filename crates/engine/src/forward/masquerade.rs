//! NAT: the packet gets the real server's address and port, its reply the virtual ones, as in
//! IPVS (`ip_vs_nat_xmit`, `handle_response`). Checksums are mended, not computed anew.

use rlvs_wire::ethernet::Addresses;
use rlvs_wire::{Checksum, Ports, protocol, tcp, udp};

use crate::destination::Destination;
use crate::family::Endpoints;
use crate::frame::{Change, Frame, Route, RouteKind};
use crate::process::Verdict;
use crate::reason::Reason;
use crate::tables::KeyOf;
use crate::tuple::{IP, Packet, Side, Tuple};

/// A client's packet, to the real server.
#[inline(always)]
pub fn masquerade<F: Packet, R: Frame>(
    frame: &mut R,
    tuple: &Tuple<F>,
    destination: &Destination,
) -> Result<Verdict, Reason> {
    let flags = destination.flags.load();
    let is_local = flags & Destination::LOCAL != 0;
    if !is_local && flags & Destination::RESOLVED == 0 {
        return Err(Reason::Unresolved);
    }
    if !is_local && tuple.hops <= 1 {
        return Err(Reason::HopLimit);
    }
    let (out, next_hop, source) = (
        destination.interface.load(),
        destination.next_hop.load(),
        destination.source.load(),
    );
    let stays = out == frame.interface() && flags & Destination::REDIRECT == 0;
    let address = F::address(&destination.address);
    let port = destination.port().to_be_bytes();
    if !is_local {
        let addresses = frame.header_mut::<Addresses>(0).ok_or(Reason::Internal)?;
        addresses.set(next_hop, source);
        F::decrement_hops(frame).ok_or(Reason::Internal)?;
    }
    translate(frame, tuple, Side::Destination, address, port).ok_or(Reason::Internal)?;
    Ok(match (is_local, stays) {
        (true, _) => Verdict::Pass,
        (_, true) => Verdict::Transmit,
        _ => Verdict::Redirect(out),
    })
}

/// A real server's packet, to the client of the connection `key`.
#[inline(always)]
pub fn unmasquerade<F: Packet, R: Frame>(
    frame: &mut R,
    tuple: &Tuple<F>,
    key: &KeyOf<F>,
    route: Route,
) -> Result<Verdict, Reason> {
    let Endpoints {
        virtual_address,
        virtual_port,
        ..
    } = F::endpoints(key);
    let verdict = match route.kind {
        RouteKind::Known => Verdict::Redirect(route.interface),
        RouteKind::Ask => Verdict::Neighbour(route.interface),
        RouteKind::Unresolved => return Err(Reason::Unresolved),
        RouteKind::None => return Err(Reason::NoRoute),
    };
    let addresses = frame.header_mut::<Addresses>(0).ok_or(Reason::Internal)?;
    addresses.set(route.destination, route.source);
    F::decrement_hops(frame).ok_or(Reason::Internal)?;
    translate(frame, tuple, Side::Source, virtual_address, virtual_port).ok_or(Reason::Internal)?;
    Ok(verdict)
}

/// Gives one end of a packet another address and port.
#[inline(always)]
fn translate<F: Packet, R: Frame>(
    frame: &mut R,
    tuple: &Tuple<F>,
    side: Side,
    address: F::Address,
    port: [u8; 2],
) -> Option<()> {
    let transport = tuple.transport as usize;
    let addresses = F::replace_address(frame, IP, side, address)?;
    let ports = frame.header_mut::<Ports>(transport)?;
    let field = match side {
        Side::Source => &mut ports.source,
        Side::Destination => &mut ports.destination,
    };
    let header = Checksum::default().replace(*field, port);
    *field = port;
    let is_udp = tuple.protocol == protocol::UDP;
    frame.mend(Change {
        field: match is_udp {
            true => transport + udp::CHECKSUM,
            false => transport + tcp::CHECKSUM,
        },
        addresses,
        header,
        is_udp,
        is_ipv6: F::INDEX == 1,
    })
}
