//! Packets of IPv6 (RFC 8200).

use rlvs_wire::{Checksum, Icmp, Ipv6, icmp, ipv6, protocol};

use super::{Embedded, IP, Inner, Inside, Packet, Piece, Side, Tuple, by_way, is_summed};
use crate::family::{Endpoints, Family, V6};
use crate::frame::{Frame, OFFSETS};
use crate::reason::Reason;
use crate::upper;

impl Packet for V6 {
    #[inline(always)]
    fn addresses_at<R: Frame>(frame: &R, at: usize) -> Option<[[u8; 16]; 2]> {
        let ip = frame.header::<Ipv6>(at)?;
        Some([ip.source, ip.destination])
    }

    #[inline(always)]
    fn read<R: Frame>(frame: &R) -> Result<Tuple<V6>, Reason> {
        let ip = frame.header::<Ipv6>(IP).ok_or(Reason::Truncated)?;
        let payload = ip.payload_length.get() as usize;
        if ip.version() != 6 {
            return Err(Reason::Malformed);
        }
        if !frame.is_at_least(IP + ipv6::LENGTH + payload) {
            return Err(Reason::Truncated);
        }
        let chain = skip_extensions(frame, ip.next_header, payload)?;
        if chain.start != 0 {
            return Err(Reason::FragmentUnknown);
        }
        let Chain {
            number,
            skipped,
            more: fragment,
            ..
        } = chain;
        let at = IP + ipv6::LENGTH + skipped;
        if at >= OFFSETS {
            return Err(Reason::Extensions);
        }
        let length = payload.wrapping_sub(skipped);
        let upper = upper::read(frame, number, at, length, fragment)?.forget(frame);
        let key = Self::key(&Endpoints {
            client: ip.source,
            virtual_address: ip.destination,
            client_port: upper.source,
            virtual_port: upper.destination,
            protocol: upper.protocol,
        });
        Ok(Tuple {
            key,
            protocol: upper.own,
            marks: fragment | by_way(frame),
            flags: upper.flags,
            bytes: payload.wrapping_add(ipv6::LENGTH) as u32,
            transport: frame.offset(at) as u32,
            hops: ip.hop_limit,
            mark: frame.mark(),
            call: 0,
        })
    }

    /// Datagrams of IPv6 are known without their protocol (RFC 8200, section 4.5).
    #[inline(always)]
    fn piece<R: Frame>(frame: &R) -> Result<Piece<V6>, Reason> {
        let ip = frame.header::<Ipv6>(IP).ok_or(Reason::Truncated)?;
        let payload = ip.payload_length.get() as usize;
        let chain = skip_extensions(frame, ip.next_header, payload)?;
        let behind = frame.offset(IP + ipv6::LENGTH + chain.behind);
        let header = behind.wrapping_sub(ipv6::FRAGMENT_LENGTH);
        let fragment = frame.header::<ipv6::Fragment>(frame.offset(header));
        let [a, b, c, d] = fragment.ok_or(Reason::Truncated)?.identification;
        let key = Self::key(&Endpoints {
            client: ip.source,
            virtual_address: ip.destination,
            client_port: [a, b],
            virtual_port: [c, d],
            protocol: protocol::FRAGMENT,
        });
        let length = payload.wrapping_sub(chain.behind) as u32;
        Ok(Piece {
            key,
            start: chain.start,
            end: chain.start.wrapping_add(length),
            at: frame.offset(IP + ipv6::LENGTH + chain.skipped) as u32,
            bytes: payload.wrapping_add(ipv6::LENGTH) as u32,
            protocol: chain.number,
            hops: ip.hop_limit,
            more: chain.more,
        })
    }

    #[inline(always)]
    fn decrement_hops<R: Frame>(frame: &mut R) -> Option<()> {
        let ip = frame.header_mut::<Ipv6>(IP)?;
        ip.hop_limit = ip.hop_limit.wrapping_sub(1);
        Some(())
    }

    #[inline(always)]
    fn increment_hops<R: Frame>(frame: &mut R) -> Option<()> {
        let ip = frame.header_mut::<Ipv6>(IP)?;
        ip.hop_limit = ip.hop_limit.wrapping_add(1);
        Some(())
    }

    #[inline(always)]
    fn replace_address<R: Frame>(
        frame: &mut R,
        at: usize,
        side: Side,
        address: [u8; 16],
    ) -> Option<Checksum> {
        let ip = frame.header_mut::<Ipv6>(at)?;
        let field = match side {
            Side::Source => &mut ip.source,
            Side::Destination => &mut ip.destination,
        };
        let change = Checksum::default().replace16(*field, address);
        *field = address;
        Some(change)
    }

    #[inline(always)]
    fn inner<R: Frame>(frame: &R) -> Option<Inner> {
        let ip = frame.header::<Ipv6>(IP)?;
        let [high, low, _, _] = ip.version_class_flow;
        Some(Inner {
            bytes: (ip.payload_length.get() as usize + ipv6::LENGTH) as u32,
            class: high << 4 | low >> 4,
            hops: ip.hop_limit,
            identification: 0,
            dont_fragment: 0,
            ethertype: rlvs_wire::ethernet::IPV6,
            protocol: protocol::IPV6,
        })
    }

    /// Not with extension headers, which are in the sum, too.
    #[inline(always)]
    fn is_summed<R: Frame>(frame: &R) -> bool {
        let ip = frame.header::<Ipv6>(IP);
        ip.is_some_and(|ip| is_summed(frame, ip.next_header, IP + ipv6::LENGTH))
    }

    /// Addresses and length are in the header and, negative, in the rest; what is left of both is
    /// in the header's first and last word before the addresses.
    #[inline(always)]
    fn content<R: Frame>(frame: &R, packet: &Inner) -> Option<Checksum> {
        let ip = frame.header::<Ipv6>(IP)?;
        // The hop limit is the one it will leave with.
        let hops = packet.hops.wrapping_sub(1);
        Some(
            Checksum::default()
                .plus4(ip.version_class_flow)
                .plus([ip.next_header, hops])
                .minus([0, ip.next_header]),
        )
    }

    #[inline(always)]
    fn is_icmp<R: Frame>(frame: &R) -> bool {
        let ip = frame.header::<Ipv6>(IP);
        ip.is_some_and(|ip| ip.next_header == protocol::ICMPV6)
    }

    /// No extension headers are walked but that of a first fragment. AH is one in IPv6.
    #[inline(always)]
    fn ports<R: Frame>(frame: &R, at: usize) -> Result<(u8, usize), Reason> {
        let ip = frame.header::<Ipv6>(at).ok_or(Reason::Truncated)?;
        let (mut number, mut behind) = (ip.next_header, at + ipv6::LENGTH);
        if number == protocol::FRAGMENT {
            let fragment = frame.header::<ipv6::Fragment>(behind);
            let fragment = fragment.ok_or(Reason::Truncated)?;
            if fragment.offset() != 0 {
                return Err(Reason::Protocol);
            }
            number = fragment.next_header;
            behind += ipv6::FRAGMENT_LENGTH;
        }
        Ok((number, frame.offset(behind)))
    }

    #[inline(always)]
    fn inside<R: Frame>(frame: &R, at: usize) -> Option<Inside<V6>> {
        let ip = frame.header::<Ipv6>(at)?;
        let (number, ports_at) = Self::ports(frame, at).ok()?;
        if number == protocol::AUTHENTICATION {
            return None;
        }
        let ends = upper::ends(frame, number, ports_at)?;
        Some(Inside {
            key: Self::key(&Endpoints {
                client: ip.source,
                virtual_address: ip.destination,
                client_port: ends.source,
                virtual_port: ends.destination,
                protocol: ends.protocol,
            }),
            protocol: number,
            bytes: (ip.payload_length.get() as usize + ipv6::LENGTH) as u32,
            ports: ends.ports_at(ports_at),
        })
    }

    #[inline(always)]
    fn embedded<R: Frame>(frame: &R) -> Result<Embedded<V6>, Reason> {
        let outer = frame.header::<Ipv6>(IP).ok_or(Reason::Truncated)?;
        let icmp = IP + ipv6::LENGTH;
        let kind = frame.header::<Icmp>(icmp).ok_or(Reason::Truncated)?;
        if !kind.is_error6() {
            return Err(Reason::Protocol);
        }
        let at = icmp + icmp::LENGTH;
        let inside = Self::inside(frame, at).ok_or(Reason::Protocol)?;
        Ok(Embedded {
            key: inside.key,
            protocol: inside.protocol,
            hops: outer.hop_limit,
            bytes: (outer.payload_length.get() as usize + ipv6::LENGTH) as u32,
            icmp: icmp as u32,
            ip: at as u32,
            ports: inside.ports,
        })
    }
}

/// Extension headers walked; more are not seen in practice.
const MOST_EXTENSIONS: u32 = 6;

/// What lies between the IPv6 header and the upper layer.
struct Chain {
    /// The upper-layer protocol, or what a later fragment is a part of.
    number: u8,
    /// 1 if it is a fragment that more follow.
    more: u8,
    /// Of a fragment: where in the datagram it begins, in bytes.
    start: u32,
    /// Of a fragment: length of all headers up to, and with, the fragment header.
    behind: usize,
    /// Length of all headers.
    skipped: usize,
}

/// Walks over the extension headers. A later fragment has none behind the fragment header.
#[inline(always)]
fn skip_extensions<R: Frame>(frame: &R, first: u8, payload: usize) -> Result<Chain, Reason> {
    let mut chain = Chain {
        number: first,
        more: 0,
        start: 0,
        behind: 0,
        skipped: 0,
    };
    if first == protocol::TCP || first == protocol::UDP {
        return Ok(chain);
    }
    let mut walked = 0;
    while walked <= MOST_EXTENSIONS {
        let kind = chain.number;
        if !matches!(
            kind,
            protocol::HOP_BY_HOP
                | protocol::ROUTING
                | protocol::DESTINATION_OPTIONS
                | protocol::AUTHENTICATION
                | protocol::FRAGMENT
        ) {
            return Ok(chain);
        }
        let at = IP + ipv6::LENGTH + chain.skipped;
        let extension = frame
            .header::<ipv6::Extension>(at)
            .ok_or(Reason::Truncated)?;
        chain.number = extension.next_header;
        chain.skipped += match kind {
            protocol::AUTHENTICATION => extension.authentication_length(),
            protocol::FRAGMENT => ipv6::FRAGMENT_LENGTH,
            _ => extension.options_length(),
        };
        if chain.skipped > payload {
            return Err(Reason::Malformed);
        }
        if chain.skipped >= OFFSETS - IP - ipv6::LENGTH {
            return Err(Reason::Extensions);
        }
        chain.skipped = frame.offset(chain.skipped);
        if kind == protocol::FRAGMENT {
            let fragment = frame.header::<ipv6::Fragment>(at);
            let fragment = fragment.ok_or(Reason::Truncated)?;
            chain.more = fragment.more();
            chain.start = fragment.offset();
            chain.behind = chain.skipped;
            if chain.start != 0 {
                return Ok(chain);
            }
        }
        walked += 1;
    }
    Err(Reason::Extensions)
}
