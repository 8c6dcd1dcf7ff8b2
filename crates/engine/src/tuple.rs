//! What is read from one packet.

mod v4;
mod v6;

use rlvs_wire::{Checksum, Udp, protocol};

use crate::connection::Meta;
use crate::family::{Family, V4};
use crate::forward::Announce;
use crate::frame::{Frame, Way};
use crate::reason::Reason;
use crate::tables::KeyOf;

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
    /// Any of [`Tuple::FRAGMENT`], [`Tuple::BY_ERROR`], [`Tuple::LED`] and [`Meta::OWN`].
    pub marks: u8,
    /// Where in the frame the transport header begins.
    pub transport: u32,
    /// [`Frame::mark`].
    pub mark: u32,
    /// [`call`](crate::call::call), if it was looked for; else 0.
    pub call: u64,
}

impl<F: Family> Tuple<F> {
    /// The first fragment of more.
    const FRAGMENT: u8 = 1;
    /// Not a packet, but what an ICMP error would be an answer to, see [`crate::by_error`].
    pub(crate) const BY_ERROR: u8 = 2;
    /// [`Frame::is_led`].
    const LED: u8 = 4;

    #[inline(always)]
    pub const fn is_fragment(&self) -> bool {
        self.marks & Self::FRAGMENT != 0
    }

    #[inline(always)]
    pub const fn is_by_error(&self) -> bool {
        self.marks & Self::BY_ERROR != 0
    }

    /// Whether it may have a firewall mark that is not to be seen here: one that comes in, before
    /// netfilter.
    #[inline(always)]
    pub(crate) const fn may_be_marked(&self) -> bool {
        self.marks & (Self::BY_ERROR | Self::LED | Meta::OWN) == 0
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

    /// Gives one back.
    fn increment_hops<R: Frame>(frame: &mut R) -> Option<()>;

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

/// What the way of a packet says of it.
#[inline(always)]
fn by_way<R: Frame>(frame: &R) -> u8 {
    match frame.way() {
        _ if frame.is_led() => Tuple::<V4>::LED,
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
