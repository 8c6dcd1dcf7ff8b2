//! How a real server under full NAT learns who its client is.
//!
//! * TOA: a TCP option, kind 254: client's port and address. Every packet of the client carries it
//!   until the real server has acknowledged data; so the handshake's last one does, with which the
//!   real server's `accept` returns. A packet without data gets it behind its other options, one
//!   with data in front of them.
//! * PROXY protocol, version 2 (haproxy's doc/proxy-protocol.txt): its header is the first that
//!   the real server reads. It goes with the handshake's last packet, or with any later one that
//!   stands at the beginning of the stream, until the real server has it. All that the client
//!   sends is later in the stream by its length, and what the real server acknowledges earlier.
//!
//! So that packets do not become too large, clients are told to send segments smaller by as much.

use rlvs_wire::tcp::{ACK, CHECKSUM, MIN_LENGTH, RST, SYN};
use rlvs_wire::{Checksum, Ipv4, Ipv6, Tcp};

use super::translate::Changed;
use crate::destination::Destination;
use crate::family::{Endpoints, Family, V4, V6};
use crate::frame::{Brief, Frame, MOST_MOVED};
use crate::reason::Reason;
use crate::tuple::{IP, Packet};

/// What is to be told within a packet's TCP stream: flags above the sequence number of the client's
/// first byte. In one word, for the verifier takes no copy of a part of a struct.
#[derive(Clone, Copy, Debug)]
pub struct Stream(pub u64);

impl Stream {
    pub(super) const NONE: Self = Self(0);
    const TOA: u64 = 1 << 32;
    const PROXY: u64 = 1 << 33;
    /// The real server has it.
    const TOLD: u64 = 1 << 34;

    /// By the flags of a [`Destination`].
    #[inline(always)]
    pub(super) fn new(flags: u32, begins: u32, told: bool) -> Self {
        let flag = |is_set, flag| if is_set { flag } else { 0 };
        Self(
            begins as u64
                | flag(flags & Destination::TOA != 0, Self::TOA)
                | flag(flags & Destination::PROXY != 0, Self::PROXY)
                | flag(told, Self::TOLD),
        )
    }

    #[inline(always)]
    pub(super) const fn is_none(self) -> bool {
        self.0 == 0
    }

    #[inline(always)]
    const fn is(self, flag: u64) -> bool {
        self.0 & flag != 0
    }

    /// By how much packets may become longer.
    #[inline(always)]
    fn room<F: Announce>(self) -> usize {
        if self.is(Self::PROXY) {
            F::PROXY
        } else if self.is(Self::TOA) {
            F::TOA
        } else {
            0
        }
    }

    /// Whether the real server says with this packet, for the first time, that it was told.
    #[inline(always)]
    pub(super) fn hears<F: Packet, R: Frame>(self, frame: &R, brief: Brief) -> bool {
        let is_open = self.is(Self::TOA | Self::PROXY) && !self.is(Self::TOLD);
        if !is_open || brief.flags() & (SYN | ACK) != ACK {
            return false;
        }
        let needed = match self.is(Self::PROXY) {
            true => F::PROXY as i32,
            false => 1,
        };
        let tcp = frame.header::<Tcp>(frame.offset(brief.transport()));
        tcp.is_some_and(|tcp| self.since(tcp.acknowledgement) >= needed)
    }

    #[inline(always)]
    fn since(self, number: [u8; 4]) -> i32 {
        u32::from_be_bytes(number).wrapping_sub(self.0 as u32) as i32
    }
}

/// IP versions, as far as telling of a client differs.
pub trait Announce: Family {
    /// Length of the TCP option.
    const TOA: usize;
    /// Length of the PROXY protocol's header.
    const PROXY: usize;

    /// Writes the option at an offset; the sum over it.
    fn write_toa<R: Frame>(frame: &mut R, at: usize, ends: &Endpoints<Self>) -> Option<Checksum>;

    /// Writes the header at an offset; the sum over it.
    fn write_proxy<R: Frame>(frame: &mut R, at: usize, ends: &Endpoints<Self>) -> Option<Checksum>;

    /// Writes into the IP header that the packet is longer.
    fn lengthen<R: Frame>(frame: &mut R, by: usize) -> Option<()>;
}

/// Writes into a client's packet what it tells of `ends`; its addresses are still to be replaced.
#[inline(always)]
pub(super) fn announce<F: Packet, R: Frame>(
    frame: &mut R,
    stream: Stream,
    ends: &Endpoints<F>,
    brief: Brief,
) -> Result<Changed, Reason> {
    if !stream.is(Stream::TOA | Stream::PROXY) {
        return Ok(Changed::default());
    }
    let segment = Segment::read::<F, R>(frame, brief).ok_or(Reason::Internal)?;
    let changed = match stream.is(Stream::PROXY) {
        _ if brief.flags() & SYN != 0 => return begin(frame, stream, segment),
        true => prefix::<F, R>(frame, stream, ends, segment, brief),
        false => add_option::<F, R>(frame, stream, ends, segment, brief),
    };
    changed.ok_or(Reason::Internal)
}

/// A TCP segment in its frame.
#[derive(Clone, Copy)]
struct Segment {
    /// Where it begins.
    at: usize,
    header: usize,
    payload: usize,
    sequence: [u8; 4],
}

impl Segment {
    #[inline(always)]
    fn read<F: Packet, R: Frame>(frame: &R, brief: Brief) -> Option<Self> {
        let at = frame.offset(brief.transport());
        let tcp = frame.header::<Tcp>(at)?;
        let header = tcp.header_length();
        let bytes = F::inner(frame)?.bytes as usize + IP;
        Some(Self {
            at,
            header,
            payload: bytes.wrapping_sub(at).wrapping_sub(header),
            sequence: tcp.sequence,
        })
    }

    #[inline(always)]
    fn end(self) -> usize {
        self.at + self.header
    }
}

/// A SYN. With the PROXY protocol it has no data, which would be in its place, and offers no
/// selective acknowledgements, whose numbers would be wrong.
#[inline(always)]
fn begin<R: Frame>(frame: &mut R, stream: Stream, segment: Segment) -> Result<Changed, Reason> {
    if stream.is(Stream::PROXY) && segment.payload != 0 {
        return Err(Reason::FastOpen);
    }
    match stream.is(Stream::PROXY) {
        true => forbid_sack(frame, segment).ok_or(Reason::Internal),
        false => Ok(Changed::default()),
    }
}

#[inline(always)]
fn forbid_sack<R: Frame>(frame: &mut R, segment: Segment) -> Option<Changed> {
    const PERMITTED: [u8; 2] = [4, 2];
    const NOTHING: [u8; 2] = [1, 1];
    let at = find_option(frame, segment, PERMITTED[0]);
    if at == 0 {
        return Some(Changed::default());
    }
    let option = frame.header_mut::<[u8; 2]>(frame.offset(at))?;
    if *option != PERMITTED {
        return Some(Changed::default());
    }
    *option = NOTHING;
    Some(replaced(segment, at, PERMITTED, NOTHING))
}

/// The PROXY protocol's header in front of the stream's first byte; all else is moved behind it.
#[inline(always)]
fn prefix<F: Packet, R: Frame>(
    frame: &mut R,
    stream: Stream,
    ends: &Endpoints<F>,
    segment: Segment,
    brief: Brief,
) -> Option<Changed> {
    let is_first = stream.since(segment.sequence) == 0 && !stream.is(Stream::TOLD);
    if is_first && brief.flags() & RST != 0 {
        return Some(Changed::default());
    }
    if is_first && make_room(frame, segment, segment.end(), F::PROXY) {
        let sum = F::write_proxy(frame, frame.offset(segment.end()), ends)?;
        return longer::<F, R>(frame, F::PROXY, sum);
    }
    let moved = u32::from_be_bytes(segment.sequence).wrapping_add(F::PROXY as u32);
    let tcp = frame.header_mut::<Tcp>(segment.at)?;
    let header = Checksum::default().replace4(tcp.sequence, moved.to_be_bytes());
    tcp.sequence = moved.to_be_bytes();
    Some(Changed {
        header,
        ..Changed::default()
    })
}

/// The TCP option that says who the client is, if there is room for it.
#[inline(always)]
fn add_option<F: Packet, R: Frame>(
    frame: &mut R,
    stream: Stream,
    ends: &Endpoints<F>,
    segment: Segment,
    brief: Brief,
) -> Option<Changed> {
    const LONGEST_HEADER: usize = 60;
    let is_asked = !stream.is(Stream::TOLD) && brief.flags() & (ACK | RST) == ACK;
    if !is_asked || segment.header + F::TOA > LONGEST_HEADER {
        return Some(Changed::default());
    }
    let at = match segment.payload {
        0 => segment.end(),
        _ => segment.at + MIN_LENGTH,
    };
    if !make_room(frame, segment, at, F::TOA) {
        return Some(Changed::default());
    }
    let sum = F::write_toa(frame, frame.offset(at), ends)?;
    let tcp = frame.header_mut::<Tcp>(frame.offset(segment.at))?;
    let (flags, before) = (tcp.flags, tcp.data_offset);
    tcp.data_offset = before.wrapping_add((F::TOA as u8 / 4) << 4);
    let sum = sum.replace([before, flags], [tcp.data_offset, flags]);
    longer::<F, R>(frame, F::TOA, sum)
}

/// Whether there is a gap of `by` bytes at `at` now. At the end of the packet that is easy.
#[inline(always)]
fn make_room<R: Frame>(frame: &mut R, segment: Segment, at: usize, by: usize) -> bool {
    match segment.payload {
        0 => frame.resize(segment.end() + by).is_some(),
        _ if at > MOST_MOVED => false,
        _ => frame.open(at, by, segment.at + CHECKSUM).is_some(),
    }
}

/// `sum` is that of what was added to the segment.
#[inline(always)]
fn longer<F: Packet, R: Frame>(frame: &mut R, by: usize, sum: Checksum) -> Option<Changed> {
    F::lengthen(frame, by)?;
    Some(Changed {
        // The pseudo header holds the segment's length.
        addresses: Checksum::default().plus((by as u16).to_be_bytes()),
        header: sum,
        ..Changed::default()
    })
}

/// Takes back, in an answer, what [`announce`] did to the client's stream.
#[inline(always)]
pub(super) fn restore<F: Packet, R: Frame>(
    frame: &mut R,
    stream: Stream,
    brief: Brief,
) -> Option<Changed> {
    let flags = brief.flags();
    let room = stream.room::<F>();
    if room == 0 {
        return Some(Changed::default());
    }
    if flags & SYN != 0 {
        return narrow::<F, R>(frame, brief, room as u16);
    }
    if !stream.is(Stream::PROXY) || flags & ACK == 0 {
        return Some(Changed::default());
    }
    let tcp = frame.header_mut::<Tcp>(frame.offset(brief.transport()))?;
    let before = tcp.acknowledgement;
    // Of the header itself the client knows nothing.
    let acknowledged = match stream.since(before) {
        since if since < 0 => 0,
        since if since < room as i32 => since as u32,
        _ => room as u32,
    };
    tcp.acknowledgement = u32::from_be_bytes(before)
        .wrapping_sub(acknowledged)
        .to_be_bytes();
    Some(Changed {
        header: Checksum::default().replace4(before, tcp.acknowledgement),
        ..Changed::default()
    })
}

/// Lowers the largest segment that a SYN says its sender takes.
#[inline(always)]
fn narrow<F: Packet, R: Frame>(frame: &mut R, brief: Brief, by: u16) -> Option<Changed> {
    const LARGEST_SEGMENT: u8 = 2;
    /// Smaller ones are left alone.
    const LEAST: u16 = 256;
    let segment = Segment::read::<F, R>(frame, brief)?;
    let option = find_option(frame, segment, LARGEST_SEGMENT);
    if option == 0 {
        return Some(Changed::default());
    }
    let at = option + 2;
    let value = frame.header_mut::<[u8; 2]>(frame.offset(at))?;
    let before = *value;
    let size = u16::from_be_bytes(before);
    if size < LEAST {
        return Some(Changed::default());
    }
    let after = size.wrapping_sub(by).to_be_bytes();
    *value = after;
    Some(replaced(segment, at, before, after))
}

/// Two bytes that were replaced, which need not lie in one word of the checksum.
#[inline(always)]
fn replaced(segment: Segment, at: usize, [a, b]: [u8; 2], [c, d]: [u8; 2]) -> Changed {
    let header = match at.wrapping_sub(segment.at) & 1 {
        0 => Checksum::default().replace([a, b], [c, d]),
        _ => Checksum::default().replace([b, a], [d, c]),
    };
    Changed {
        header,
        ..Changed::default()
    }
}

/// Where an option of this kind is; 0 if it is not among the first.
#[inline(always)]
fn find_option<R: Frame>(frame: &R, segment: Segment, kind: u8) -> usize {
    const MOST: u32 = 12;
    const NOTHING: u8 = 1;
    let mut at = segment.at + MIN_LENGTH;
    let mut walked = 0;
    while walked < MOST {
        at = frame.offset(at);
        let Some(&[found, length]) = frame.header::<[u8; 2]>(at) else {
            return 0;
        };
        if at >= segment.end() || found == 0 {
            return 0;
        }
        if found == kind {
            return at;
        }
        at += match (found, length) {
            (NOTHING, _) => 1,
            (_, 0 | 1) => return 0,
            (_, length) => length as usize,
        };
        walked += 1;
    }
    0
}

/// TOA's kind, as the kernel modules of Alibaba's LVS and of DPVS have it.
const TOA: u8 = 254;

/// PROXY protocol: what every header of version 2 begins with.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Version 2, on behalf of another.
const PROXY: u8 = 0x21;
/// Streams over IPv4 and over IPv6.
const STREAM4: u8 = 0x11;
const STREAM6: u8 = 0x21;

impl Announce for V4 {
    const TOA: usize = 8;
    const PROXY: usize = 28;

    #[inline(always)]
    fn write_toa<R: Frame>(frame: &mut R, at: usize, ends: &Endpoints<V4>) -> Option<Checksum> {
        let ([a, b], [c, d, e, f]) = (ends.client_port, ends.client);
        *frame.header_mut::<[u8; 8]>(at)? = [TOA, Self::TOA as u8, a, b, c, d, e, f];
        Some(
            Checksum::default()
                .plus([TOA, Self::TOA as u8])
                .plus(ends.client_port)
                .plus4(ends.client),
        )
    }

    #[inline(always)]
    fn write_proxy<R: Frame>(frame: &mut R, at: usize, ends: &Endpoints<V4>) -> Option<Checksum> {
        let head = write_head(frame, at, STREAM4, 12)?;
        *frame.header_mut::<[[u8; 4]; 2]>(at + 16)? = [ends.client, ends.virtual_address];
        *frame.header_mut::<[[u8; 2]; 2]>(at + 24)? = [ends.client_port, ends.virtual_port];
        Some(
            head.plus4(ends.client)
                .plus4(ends.virtual_address)
                .plus(ends.client_port)
                .plus(ends.virtual_port),
        )
    }

    #[inline(always)]
    fn lengthen<R: Frame>(frame: &mut R, by: usize) -> Option<()> {
        let ip = frame.header_mut::<Ipv4>(IP)?;
        let before = ip.total_length.get();
        let after = before.wrapping_add(by as u16);
        ip.total_length.set(after);
        let sum = Checksum::stored(ip.checksum).replace(before.to_be_bytes(), after.to_be_bytes());
        ip.checksum = sum.to_field();
        Some(())
    }
}

impl Announce for V6 {
    const TOA: usize = 20;
    const PROXY: usize = 52;

    #[inline(always)]
    fn write_toa<R: Frame>(frame: &mut R, at: usize, ends: &Endpoints<V6>) -> Option<Checksum> {
        let [a, b] = ends.client_port;
        *frame.header_mut::<[u8; 4]>(at)? = [TOA, Self::TOA as u8, a, b];
        *frame.header_mut::<[u8; 16]>(at + 4)? = ends.client;
        Some(
            Checksum::default()
                .plus([TOA, Self::TOA as u8])
                .plus(ends.client_port)
                .plus16(ends.client),
        )
    }

    #[inline(always)]
    fn write_proxy<R: Frame>(frame: &mut R, at: usize, ends: &Endpoints<V6>) -> Option<Checksum> {
        let head = write_head(frame, at, STREAM6, 36)?;
        *frame.header_mut::<[u8; 16]>(at + 16)? = ends.client;
        *frame.header_mut::<[u8; 16]>(at + 32)? = ends.virtual_address;
        *frame.header_mut::<[[u8; 2]; 2]>(at + 48)? = [ends.client_port, ends.virtual_port];
        Some(
            head.plus16(ends.client)
                .plus16(ends.virtual_address)
                .plus(ends.client_port)
                .plus(ends.virtual_port),
        )
    }

    #[inline(always)]
    fn lengthen<R: Frame>(frame: &mut R, by: usize) -> Option<()> {
        let ip = frame.header_mut::<Ipv6>(IP)?;
        ip.payload_length
            .set(ip.payload_length.get().wrapping_add(by as u16));
        Some(())
    }
}

/// The first sixteen bytes of a PROXY header with `length` more; the sum over them.
#[inline(always)]
fn write_head<R: Frame>(frame: &mut R, at: usize, kind: u8, length: u8) -> Option<Checksum> {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = SIGNATURE;
    let head = [a, b, c, d, e, f, g, h, i, j, k, l, PROXY, kind, 0, length];
    *frame.header_mut::<[u8; 16]>(at)? = head;
    Some(Checksum::default().plus16(head))
}
