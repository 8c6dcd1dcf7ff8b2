//! Packets of IPv4 (RFC 791).

use rlvs_wire::{Checksum, Icmp, Ipv4, icmp, ipv4, protocol};

use super::{Embedded, IP, Inner, Inside, Packet, Piece, Side, Tuple, by_way, is_summed};
use crate::family::{Endpoints, Family, V4};
use crate::frame::Frame;
use crate::reason::Reason;
use crate::upper;

impl Packet for V4 {
    #[inline(always)]
    fn addresses_at<R: Frame>(frame: &R, at: usize) -> Option<[[u8; 4]; 2]> {
        let ip = frame.header::<Ipv4>(at)?;
        Some([ip.source, ip.destination])
    }

    #[inline(always)]
    fn read<R: Frame>(frame: &R) -> Result<Tuple<V4>, Reason> {
        let ip = frame.header::<Ipv4>(IP).ok_or(Reason::Truncated)?;
        let header = ip.header_length();
        let total = ip.total_length.get() as usize;
        if ip.version() != 4 || header < ipv4::MIN_LENGTH || total < header {
            return Err(Reason::Malformed);
        }
        if !frame.is_at_least(IP + total) {
            return Err(Reason::Truncated);
        }
        if !sum_is_right(frame, ip, header)? {
            return Err(Reason::HeaderChecksum);
        }
        if ip.is_later_fragment() {
            return Err(Reason::FragmentUnknown);
        }
        let fragment = ip.more_fragments();
        let length = total.wrapping_sub(header);
        let upper = upper::read(frame, ip.protocol, IP + header, length, fragment)?.forget(frame);
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
            bytes: total as u32,
            transport: frame.offset(IP + header) as u32,
            hops: ip.ttl,
            mark: frame.mark(),
            call: 0,
        })
    }

    #[inline(always)]
    fn piece<R: Frame>(frame: &R) -> Result<Piece<V4>, Reason> {
        let ip = frame.header::<Ipv4>(IP).ok_or(Reason::Truncated)?;
        let header = ip.header_length();
        let total = ip.total_length.get() as u32;
        let key = Self::key(&Endpoints {
            client: ip.source,
            virtual_address: ip.destination,
            client_port: ip.identification.to_bytes(),
            virtual_port: [0, 0],
            protocol: ip.protocol,
        });
        let start = ip.fragment_offset();
        Ok(Piece {
            key,
            start,
            end: start.wrapping_add(total.wrapping_sub(header as u32)),
            at: frame.offset(IP + header) as u32,
            bytes: total,
            protocol: ip.protocol,
            hops: ip.ttl,
            more: ip.more_fragments(),
        })
    }

    #[inline(always)]
    fn decrement_hops<R: Frame>(frame: &mut R) -> Option<()> {
        frame.header_mut::<Ipv4>(IP)?.decrement_ttl();
        Some(())
    }

    #[inline(always)]
    fn increment_hops<R: Frame>(frame: &mut R) -> Option<()> {
        frame.header_mut::<Ipv4>(IP)?.increment_ttl();
        Some(())
    }

    #[inline(always)]
    fn replace_address<R: Frame>(
        frame: &mut R,
        at: usize,
        side: Side,
        address: [u8; 4],
    ) -> Option<Checksum> {
        let ip = frame.header_mut::<Ipv4>(at)?;
        let field = match side {
            Side::Source => &mut ip.source,
            Side::Destination => &mut ip.destination,
        };
        let change = Checksum::default().replace4(*field, address);
        *field = address;
        ip.checksum = Checksum::stored(ip.checksum).and(change).to_field();
        Some(change)
    }

    #[inline(always)]
    fn inner<R: Frame>(frame: &R) -> Option<Inner> {
        let ip = frame.header::<Ipv4>(IP)?;
        Some(Inner {
            bytes: ip.total_length.get().into(),
            class: ip.tos,
            hops: ip.ttl,
            identification: ip.identification.get(),
            dont_fragment: ip.fragment.get() & ipv4::DONT_FRAGMENT,
            ethertype: rlvs_wire::ethernet::IPV4,
            protocol: protocol::IPV4,
        })
    }

    #[inline(always)]
    fn is_summed<R: Frame>(frame: &R) -> bool {
        let ip = frame.header::<Ipv4>(IP);
        ip.is_some_and(|ip| {
            !ip.is_fragment() && is_summed(frame, ip.protocol, IP + ip.header_length())
        })
    }

    /// A header with a right checksum adds nothing, the rest the opposite of the pseudo header, which
    /// ICMP has none of.
    #[inline(always)]
    fn content<R: Frame>(frame: &R, packet: &Inner) -> Option<Checksum> {
        let ip = frame.header::<Ipv4>(IP)?;
        if ip.protocol == protocol::ICMP {
            return Some(Checksum::default());
        }
        let length = (packet.bytes as usize).wrapping_sub(ip.header_length()) as u16;
        Some(
            Checksum::default()
                .minus4(ip.source)
                .minus4(ip.destination)
                .minus([0, ip.protocol])
                .minus(length.to_be_bytes()),
        )
    }

    #[inline(always)]
    fn is_icmp<R: Frame>(frame: &R) -> bool {
        let ip = frame.header::<Ipv4>(IP);
        ip.is_some_and(|ip| ip.protocol == protocol::ICMP)
    }

    #[inline(always)]
    fn ports<R: Frame>(frame: &R, at: usize) -> Result<(u8, usize), Reason> {
        let ip = frame.header::<Ipv4>(at).ok_or(Reason::Truncated)?;
        if ip.header_length() < ipv4::MIN_LENGTH || ip.is_later_fragment() {
            return Err(Reason::Protocol);
        }
        Ok((ip.protocol, frame.offset(at + ip.header_length())))
    }

    #[inline(always)]
    fn inside<R: Frame>(frame: &R, at: usize) -> Option<Inside<V4>> {
        let ip = frame.header::<Ipv4>(at)?;
        let (number, ports_at) = Self::ports(frame, at).ok()?;
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
            bytes: ip.total_length.get().into(),
            ports: ends.ports_at(ports_at),
        })
    }

    #[inline(always)]
    fn embedded<R: Frame>(frame: &R) -> Result<Embedded<V4>, Reason> {
        let outer = frame.header::<Ipv4>(IP).ok_or(Reason::Truncated)?;
        if outer.header_length() < ipv4::MIN_LENGTH || outer.is_fragment() {
            return Err(Reason::Protocol);
        }
        let icmp = frame.offset(IP + outer.header_length());
        let kind = frame.header::<Icmp>(icmp).ok_or(Reason::Truncated)?;
        let at = frame.offset(icmp + icmp::LENGTH);
        if !kind.is_error4() {
            return Err(Reason::Protocol);
        }
        let inside = Self::inside(frame, at).ok_or(Reason::Protocol)?;
        Ok(Embedded {
            key: inside.key,
            protocol: inside.protocol,
            hops: outer.ttl,
            bytes: outer.total_length.get().into(),
            icmp: icmp as u32,
            ip: at as u32,
            ports: inside.ports,
        })
    }
}

/// Whether an IPv4 header's checksum is right, options included. IPVS need not look, for the
/// stack has; here the stack has not seen the packet yet.
#[inline(always)]
fn sum_is_right<R: Frame>(frame: &R, ip: &Ipv4, header: usize) -> Result<bool, Reason> {
    let mut sum = ip.sum();
    if header > ipv4::MIN_LENGTH {
        let mut at = ipv4::MIN_LENGTH;
        while at < ipv4::MAX_LENGTH {
            if at < header {
                sum = sum.plus4(*frame.header::<[u8; 4]>(IP + at).ok_or(Reason::Truncated)?);
            }
            at += 4;
        }
    }
    Ok(sum.verifies())
}
