//! The header outside.

use rlvs_wire::ipv6::Extension;
use rlvs_wire::{Checksum, Ethernet, Ipv4, Ipv6, ethernet, ipv4, ipv6, protocol};

use crate::address::{Address, mapped};
use crate::count::Count;
use crate::inspect::{Bytes, IP};

/// As far as it takes to know whose packet this is.
#[derive(Clone, Copy)]
pub(crate) struct Walk {
    pub(crate) is_six: bool,
    pub(crate) protocol: u8,
    /// Where the protocol's header is.
    pub(crate) at: usize,
    pub(crate) is_fragment: bool,
}

/// All of it, and found right.
#[derive(Clone, Copy)]
pub(crate) struct Outer {
    pub(crate) source: Address,
    pub(crate) class: u8,
    /// Where the packet ends.
    pub(crate) end: usize,
}

#[inline(always)]
pub(crate) fn walk<B: Bytes>(bytes: &B) -> Option<Walk> {
    match bytes.header::<Ethernet>(0)?.ethertype.get() {
        ethernet::IPV4 => walk4(bytes),
        ethernet::IPV6 => walk6(bytes),
        _ => None,
    }
}

/// A later fragment counts as one of its protocol, though the protocol's header is not in it.
#[inline(always)]
fn walk4<B: Bytes>(bytes: &B) -> Option<Walk> {
    let ip = bytes.header::<Ipv4>(IP)?;
    Some(Walk {
        is_six: false,
        protocol: ip.protocol,
        at: IP + ip.header_length(),
        is_fragment: ip.is_fragment(),
    })
}

/// Linux's ip6tnl puts destination options, its limit of tunnels in tunnels (RFC 2473, section
/// 4.1.1), in front of the inner packet.
#[inline(always)]
fn walk6<B: Bytes>(bytes: &B) -> Option<Walk> {
    let first = bytes.header::<Ipv6>(IP)?.next_header;
    let mut walk = Walk {
        is_six: true,
        protocol: first,
        at: IP + ipv6::LENGTH,
        is_fragment: false,
    };
    if walk.protocol == protocol::FRAGMENT {
        walk.protocol = bytes.header::<Extension>(walk.at)?.next_header;
        walk.is_fragment = true;
    } else if walk.protocol == protocol::DESTINATION_OPTIONS {
        let options = bytes.header::<Extension>(walk.at)?;
        walk.protocol = options.next_header;
        walk.at += options.options_length();
    }
    Some(walk)
}

#[inline(always)]
pub(crate) fn read<B: Bytes>(bytes: &B, walk: &Walk) -> Result<Outer, Count> {
    if walk.is_fragment {
        return Err(Count::Fragment);
    }
    let outer = match walk.is_six {
        true => read6(bytes)?,
        false => read4(bytes)?,
    };
    if outer.end > bytes.length() || walk.at > outer.end {
        return Err(Count::Malformed);
    }
    Ok(outer)
}

#[inline(always)]
fn read4<B: Bytes>(bytes: &B) -> Result<Outer, Count> {
    let ip = bytes.header::<Ipv4>(IP).ok_or(Count::Malformed)?;
    if ip.version() != 4 || ip.header_length() < ipv4::MIN_LENGTH || !is_whole(bytes, ip) {
        return Err(Count::Malformed);
    }
    Ok(Outer {
        source: mapped(ip.source),
        class: ip.tos,
        end: IP + ip.total_length.get() as usize,
    })
}

/// Nobody else looks at this checksum: the kernel never sees the header.
#[inline(always)]
fn is_whole<B: Bytes>(bytes: &B, ip: &Ipv4) -> bool {
    let words = (ip.header_length() - ipv4::MIN_LENGTH) / 4;
    let mut sum = ip.sum();
    for word in 0..(ipv4::MAX_LENGTH - ipv4::MIN_LENGTH) / 4 {
        if word < words {
            sum = sum.and(option_word(bytes, word));
        }
    }
    sum.verifies()
}

/// One that is cut off makes the sum wrong enough: the packet's length is looked at as well.
#[inline(always)]
fn option_word<B: Bytes>(bytes: &B, word: usize) -> Checksum {
    let bytes = bytes.header::<[u8; 4]>(IP + ipv4::MIN_LENGTH + 4 * word);
    bytes.map_or(Checksum::default(), |bytes| {
        Checksum::default().plus4(*bytes)
    })
}

#[inline(always)]
fn read6<B: Bytes>(bytes: &B) -> Result<Outer, Count> {
    let ip = bytes.header::<Ipv6>(IP).ok_or(Count::Malformed)?;
    if ip.version() != 6 {
        return Err(Count::Malformed);
    }
    Ok(Outer {
        source: ip.source,
        class: ip.class(),
        end: IP + ipv6::LENGTH + ip.payload_length.get() as usize,
    })
}
