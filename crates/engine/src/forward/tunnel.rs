//! Tunnels: the packet goes whole, in another one, to the real server, as in IPVS
//! (`ip_vs_tunnel_xmit`, `ip_vs_tunnel_xmit_v6`).
//!
//! ```text
//! IPIP  outer IP | packet                          RFC 2003, 2473, 4213
//! GRE   outer IP | GRE (4 or 8) | packet           RFC 2784
//! GUE   outer IP | UDP (8) | GUE (4) | packet      draft-ietf-intarea-gue, variant 0
//! ```
//!
//! Outside, time to live, DSCP and "don't fragment" are the packet's own; so is ECN, but that a
//! packet marked on its way here counts as unmarked (RFC 6040, compatibility mode). A packet too
//! large for the tunnel is not sent: its sender is told by how much, whether it forbids fragments
//! or not, for nothing is fragmented here.
//!
//! Checksums of GRE and GUE are not computed over the packet: a packet with a right transport
//! checksum sums up to what its addresses say (Linux calls that local checksum offload). One
//! without transport checksum goes without an outer one, too.

use rlvs_wire::ethernet::{self, Addresses};
use rlvs_wire::{
    Checksum, Ethernet, Gre, Gue, Ipv4, Ipv6, Udp, gre, gue, ipv4, ipv6, protocol, udp,
};

use crate::destination::{Destination, Tunnel};
use crate::frame::Frame;
use crate::process::Verdict;
use crate::reason::Reason;
use crate::service::load_octets;
use crate::tables::Tables;
use crate::tuple::{IP, Inner, Packet};

/// The first of the ports that GUE's packets come from; the flow's hash says which.
const PORTS: u16 = 0xc000;

/// What an IPv4 header can say of a packet's length.
const LARGEST: u32 = 0xffff;

/// Puts the packet into one to the real server. `hash` is its flow's.
#[inline(always)]
pub fn tunnel<F: Packet, R: Frame, T: Tables>(
    frame: &mut R,
    tables: &T,
    number: u32,
    hash: u32,
) -> Result<Verdict, Reason> {
    let destination = tables.destination(number).ok_or(Reason::Internal)?;
    enter::<F, R>(frame, destination, hash)
}

/// The same, with the real server's record.
#[inline(always)]
pub(crate) fn enter<F: Packet, R: Frame>(
    frame: &mut R,
    destination: &Destination,
    hash: u32,
) -> Result<Verdict, Reason> {
    let flags = destination.flags.load();
    // Without an address of ours in front the packet could not be told from a forged one.
    if flags & Destination::RESOLVED == 0 || destination.outer_source[0].load() == 0 {
        return Err(Reason::Unresolved);
    }
    let packet = F::inner(frame).ok_or(Reason::Internal)?;
    if packet.hops <= 1 {
        return Err(Reason::HopLimit);
    }
    let tunnel = Tunnel(destination.tunnel.load());
    let is_six = flags & Destination::IPV6 != 0;
    // Not an option: what that leaves unwritten the compiler copies all the same, and the verifier
    // takes no copy of what was never written.
    let is_summed = tunnel.is_summed() && F::is_summed(frame);
    let content = F::content(frame, &packet).ok_or(Reason::Internal)?;
    let shim = frame.offset(shim(tunnel, is_summed));
    let outside = match is_six {
        true => ipv6::LENGTH,
        false => ipv4::MIN_LENGTH,
    };
    let room = frame.offset(shim + outside);
    if packet.bytes > most(destination) && !frame.is_in_segments() {
        return Err(Reason::TooLong);
    }
    if packet.bytes + room as u32 > LARGEST {
        return Err(Reason::Encapsulation);
    }
    let out = destination.interface.load();
    let stays = out == frame.interface() && flags & Destination::REDIRECT == 0;
    F::decrement_hops(frame).ok_or(Reason::Internal)?;
    let outer = Outer {
        shim: shim as u16,
        protocol: match tunnel.kind() {
            Tunnel::GRE => protocol::GRE,
            Tunnel::GUE => protocol::UDP,
            _ => packet.protocol,
        },
        is_six,
    };
    frame
        .encapsulate(room, outer)
        .ok_or(Reason::Encapsulation)?;
    let ethernet = frame.header_mut::<Ethernet>(0).ok_or(Reason::Internal)?;
    ethernet.ethertype.set(match is_six {
        true => ethernet::IPV6,
        false => ethernet::IPV4,
    });
    let addresses = frame.header_mut::<Addresses>(0).ok_or(Reason::Internal)?;
    addresses.set(destination.next_hop.load(), destination.source.load());
    let pseudo = match is_six {
        true => write_six(frame, destination, &packet, outer),
        false => write_four(frame, destination, &packet, outer),
    };
    let pseudo = pseudo.ok_or(Reason::Internal)?;
    let at = frame.offset(IP + outside);
    let written = match tunnel.kind() {
        Tunnel::GRE => write_gre(frame, at, &packet, is_summed, content),
        Tunnel::GUE => write_gue(
            frame,
            at,
            &packet,
            Flow { tunnel, hash },
            is_summed,
            content.and(pseudo),
        ),
        _ => Some(()),
    };
    written.ok_or(Reason::Internal)?;
    Ok(match stays {
        true => Verdict::Transmit,
        false => Verdict::Redirect(out),
    })
}

/// The largest packet that goes through a destination's tunnel.
#[inline(always)]
pub fn most(destination: &Destination) -> u32 {
    let tunnel = Tunnel(destination.tunnel.load());
    let outside = match destination.is(Destination::IPV6) {
        true => ipv6::LENGTH,
        false => ipv4::MIN_LENGTH,
    };
    let room = (outside + shim(tunnel, tunnel.is_summed())) as u32;
    match destination.mtu.load() {
        0 => u32::MAX,
        mtu => mtu.saturating_sub(room),
    }
}

/// What is between the two IP headers.
#[derive(Clone, Copy, Debug)]
pub struct Outer {
    /// Length of the tunnel's own header.
    pub shim: u16,
    /// Protocol of the packet outside.
    pub protocol: u8,
    pub is_six: bool,
}

#[inline(always)]
fn shim(tunnel: Tunnel, is_summed: bool) -> usize {
    match tunnel.kind() {
        Tunnel::GRE if is_summed => gre::LENGTH + gre::CHECKSUM_LENGTH,
        Tunnel::GRE => gre::LENGTH,
        Tunnel::GUE => udp::LENGTH + gue::LENGTH,
        _ => 0,
    }
}

/// ECN's "congestion experienced" becomes "capable", all else stays.
#[inline(always)]
fn class(inner: u8) -> u8 {
    if inner & 3 == 3 { inner & !1 } else { inner }
}

/// Gives the sum over the addresses.
#[inline(always)]
fn write_four<R: Frame>(
    frame: &mut R,
    destination: &Destination,
    packet: &Inner,
    outer: Outer,
) -> Option<Checksum> {
    let [a, b, c, d, ..] = load_octets(&destination.outer_source);
    let [e, f, g, h, ..] = load_octets(&destination.address);
    let length = packet.bytes as usize + outer.shim as usize + ipv4::MIN_LENGTH;
    let ip = frame.header_mut::<Ipv4>(IP)?;
    ip.version_ihl = 0x45;
    ip.tos = class(packet.class);
    ip.total_length.set(length as u16);
    ip.identification.set(packet.identification);
    ip.fragment.set(packet.dont_fragment);
    ip.ttl = packet.hops.wrapping_sub(1);
    ip.protocol = outer.protocol;
    ip.source = [a, b, c, d];
    ip.destination = [e, f, g, h];
    ip.checksum = [0, 0];
    ip.checksum = ip.sum().to_field();
    Some(Checksum::default().plus4(ip.source).plus4(ip.destination))
}

#[inline(always)]
fn write_six<R: Frame>(
    frame: &mut R,
    destination: &Destination,
    packet: &Inner,
    outer: Outer,
) -> Option<Checksum> {
    let class = class(packet.class);
    let ip = frame.header_mut::<Ipv6>(IP)?;
    ip.version_class_flow = [0x60 | class >> 4, class << 4, 0, 0];
    ip.payload_length
        .set((packet.bytes as usize + outer.shim as usize) as u16);
    ip.next_header = outer.protocol;
    ip.hop_limit = packet.hops.wrapping_sub(1);
    ip.source = load_octets(&destination.outer_source);
    ip.destination = load_octets(&destination.address);
    Some(Checksum::default().plus16(ip.source).plus16(ip.destination))
}

#[inline(always)]
fn write_gre<R: Frame>(
    frame: &mut R,
    at: usize,
    packet: &Inner,
    is_summed: bool,
    content: Checksum,
) -> Option<()> {
    let gre = frame.header_mut::<Gre>(at)?;
    gre.flags = [0, 0];
    gre.protocol.set(packet.ethertype);
    if is_summed {
        gre.flags = gre::HAS_CHECKSUM;
        let [a, b] = packet.ethertype.to_be_bytes();
        let checksum = content.plus(gre::HAS_CHECKSUM).plus([a, b]).to_field();
        *frame.header_mut::<[[u8; 2]; 2]>(at + gre::LENGTH)? = [checksum, [0, 0]];
    }
    Some(())
}

#[inline(always)]
fn write_gue<R: Frame>(
    frame: &mut R,
    at: usize,
    packet: &Inner,
    flow: Flow,
    is_summed: bool,
    content: Checksum,
) -> Option<()> {
    let (from, to) = (PORTS | flow.hash as u16, flow.tunnel.port());
    let length = (packet.bytes as usize + udp::LENGTH + gue::LENGTH) as u16;
    let gue = frame.header_mut::<Gue>(at + udp::LENGTH)?;
    *gue = Gue::of(packet.protocol);
    let header = gue.bytes();
    // Anew: the compiler leaves out a check that follows from the one before, which the verifier
    // does not see of an offset that it does not know.
    let udp = frame.header_mut::<Udp>(frame.offset(at))?;
    udp.source.set(from);
    udp.destination.set(to);
    udp.length.set(length);
    udp.checksum = [0, 0];
    if is_summed {
        let sum = content
            .plus4(header)
            .plus([0, protocol::UDP])
            .plus(length.to_be_bytes())
            .plus(length.to_be_bytes())
            .plus(from.to_be_bytes())
            .plus(to.to_be_bytes());
        udp.checksum = match sum.to_field() {
            [0, 0] => [0xff, 0xff],
            sum => sum,
        };
    }
    Some(())
}

/// What a flow's packets have in common outside.
#[derive(Clone, Copy)]
struct Flow {
    tunnel: Tunnel,
    hash: u32,
}
