//! What is read from one packet.

use rlvs_wire::{Checksum, Icmp, Ipv4, Ipv6, Udp, icmp, ipv4, ipv6, protocol};

use crate::connection::Meta;
use crate::family::{Endpoints, Family, V4, V6};
use crate::forward::Announce;
use crate::frame::{Frame, OFFSETS, Way};
use crate::reason::Reason;
use crate::tables::KeyOf;
use crate::upper;

/// Length of the Ethernet header, behind which IP begins.
pub const IP: usize = size_of::<rlvs_wire::Ethernet>();

/// A well-formed packet that may be of a connection.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Tuple<F: Family> {
    /// The key of its connection, which holds both ends and the connection's protocol.
    pub key: KeyOf<F>,
    /// Length of the IP packet in bytes.
    pub bytes: u32,
    /// TCP's flags, or the type of an SCTP packet's deciding chunk; 0 for others.
    pub flags: u8,
    /// Time to live or hop limit.
    pub hops: u8,
    /// The packet's own: of AH and ESP another than the connection's.
    pub protocol: u8,
    /// [`Tuple::FRAGMENT`] and [`Meta::OWN`], or neither.
    pub marks: u8,
    /// Where in the frame the transport header begins.
    pub transport: u32,
}

impl<F: Family> Tuple<F> {
    /// The first fragment of more.
    const FRAGMENT: u8 = 1;

    #[inline(always)]
    pub const fn is_fragment(&self) -> bool {
        self.marks & Self::FRAGMENT != 0
    }

    /// What its connection's entry is flagged with from the start.
    #[inline(always)]
    pub const fn flags_of_entry(&self) -> u8 {
        self.marks & Meta::OWN
    }
}

/// IP packets, as far as reading and writing them differ.
pub trait Packet: Announce {
    /// Where the packet comes from and where it goes.
    fn addresses<R: Frame>(frame: &R) -> Result<[Self::Address; 2], Reason> {
        Self::addresses_at(frame, IP).ok_or(Reason::Truncated)
    }

    /// The whole of it. A later fragment is [`Reason::FragmentUnknown`]: there are no ports in it.
    fn read<R: Frame>(frame: &R) -> Result<Tuple<Self>, Reason>;

    /// The same as a part of its datagram.
    fn piece<R: Frame>(frame: &R) -> Result<Piece<Self>, Reason>;

    /// Takes one from the time to live or hop limit.
    fn decrement_hops<R: Frame>(frame: &mut R) -> Option<()>;

    /// Writes another address into the IP header at an offset; what that changes in sums over it.
    fn replace_address<R: Frame>(
        frame: &mut R,
        at: usize,
        side: Side,
        address: Self::Address,
    ) -> Option<Checksum>;

    /// Whether it is ICMP of this IP version.
    fn is_icmp<R: Frame>(frame: &R) -> bool;

    /// What a tunnel takes over.
    fn inner<R: Frame>(frame: &R) -> Option<Inner>;

    /// Whether its transport checksum covers all behind the IP header.
    fn is_summed<R: Frame>(frame: &R) -> bool;

    /// The sum over the whole packet, told from its addresses: if its transport checksum is right,
    /// so is that.
    fn content<R: Frame>(frame: &R, packet: &Inner) -> Option<Checksum>;

    /// The same of the packet whose IP header is at an offset.
    fn addresses_at<R: Frame>(frame: &R, at: usize) -> Option<[Self::Address; 2]>;

    /// What is left in an error of the packet whose IP header is at an offset.
    fn inside<R: Frame>(frame: &R, at: usize) -> Option<Inside<Self>>;

    /// The protocol of a packet whose IP header is at `ip`, and where its ports are.
    fn ports<R: Frame>(frame: &R, ip: usize) -> Result<(u8, usize), Reason>;

    /// An ICMP error and the packet that it is about.
    fn embedded<R: Frame>(frame: &R) -> Result<Embedded<Self>, Reason>;
}

/// A part of a fragmented datagram.
#[derive(Clone, Copy, Debug)]
pub struct Piece<F: Family> {
    /// Whose part it is: both addresses and, in place of the ports, the identification.
    pub key: KeyOf<F>,
    /// Where in the datagram's payload it begins and ends, in bytes.
    pub start: u32,
    pub end: u32,
    /// Where in the frame it begins.
    pub at: u32,
    /// Length of its IP packet in bytes.
    pub bytes: u32,
    pub protocol: u8,
    /// Time to live or hop limit.
    pub hops: u8,
    /// 1 if more parts follow.
    pub more: u8,
}

/// What a tunnel takes over from the packet inside.
#[derive(Clone, Copy, Debug)]
pub struct Inner {
    /// Its length in bytes.
    pub bytes: u32,
    /// Type of service or traffic class.
    pub class: u8,
    /// Time to live or hop limit.
    pub hops: u8,
    /// IPv4's identification and "don't fragment" flag, as the field they lie in; 0 of IPv6.
    pub identification: u16,
    pub dont_fragment: u16,
    /// What it is as an ethertype and as an IP protocol.
    pub ethertype: u16,
    pub protocol: u8,
}

/// A packet in an ICMP error.
#[derive(Clone, Copy, Debug)]
pub struct Inside<F: Family> {
    /// As a connection of its sender.
    pub key: KeyOf<F>,
    pub protocol: u8,
    /// Its length, of which not all need be there.
    pub bytes: u32,
    /// Where in the frame its ports are; 0 if it has none.
    pub ports: u32,
}

/// What an ICMP error says.
#[derive(Clone, Copy, Debug)]
pub struct Embedded<F: Family> {
    /// The packet it is about, as a connection of its sender.
    pub key: KeyOf<F>,
    pub protocol: u8,
    /// Time to live or hop limit of the error itself.
    pub hops: u8,
    /// Length of its IP packet in bytes.
    pub bytes: u32,
    /// Where in the frame the ICMP header begins.
    pub icmp: u32,
    /// Where the IP header of the packet that it is about begins, and where its ports are.
    pub ip: u32,
    pub ports: u32,
}

/// The two ends of a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    Source,
    Destination,
}

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
            marks: fragment | own(frame),
            flags: upper.flags,
            bytes: total as u32,
            transport: frame.offset(IP + header) as u32,
            hops: ip.ttl,
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
            marks: fragment | own(frame),
            flags: upper.flags,
            bytes: payload.wrapping_add(ipv6::LENGTH) as u32,
            transport: frame.offset(at) as u32,
            hops: ip.hop_limit,
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

#[inline(always)]
fn own<R: Frame>(frame: &R) -> u8 {
    match frame.way() {
        Way::Loopback => Meta::OWN,
        Way::In | Way::Out => 0,
    }
}

/// Whether a transport header has a checksum over all that follows.
#[inline(always)]
fn is_summed<R: Frame>(frame: &R, number: u8, at: usize) -> bool {
    let at = frame.offset(at);
    match number {
        protocol::TCP | protocol::ICMP | protocol::ICMPV6 => true,
        protocol::UDP => frame
            .header::<Udp>(at)
            .is_some_and(|udp| udp.checksum != [0, 0]),
        _ => false,
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
