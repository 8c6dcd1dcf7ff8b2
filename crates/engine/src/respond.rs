//! ICMP errors of our own: why a packet was not forwarded, told to its sender, as IPVS has the
//! kernel do.
//!
//! The error comes from the address that the packet was sent to, and goes back the way that came
//! from. It carries the packet's first [`KEPT`] bytes: all headers, by which a sender finds the
//! socket, and few enough to sum up here.

use rlvs_wire::ethernet::Addresses;
use rlvs_wire::{Checksum, Ethernet, Icmp, Ipv4, Ipv6, icmp, ipv4, ipv6, protocol};

use crate::forward::most_through;
use crate::frame::Frame;
use crate::process::Verdict;
use crate::reason::Reason;
use crate::table;
use crate::tables::{Context, FamilyTables, Tables};
use crate::tuple::{IP, Packet};

/// At most so much of a packet is sent back. A multiple of four.
pub(crate) const KEPT: usize = 128;

/// Time to live and hop limit of what is made here.
const HOPS: u8 = 64;

/// What the sender is told.
#[derive(Clone, Copy, Debug)]
pub struct Error {
    /// ICMP's type and code.
    pub kind: u8,
    pub code: u8,
    /// The largest packet for that way, if that is what is wrong.
    pub mtu: u32,
}

/// IP packets, as far as errors about them differ.
pub trait Respond: Packet {
    /// What a sender is told of a packet that was dropped for this reason, if anything.
    fn error(reason: Reason, mtu: u32) -> Option<Error>;

    /// Writes the headers in front of what is kept of the packet, `kept` bytes whose sum is
    /// `content`.
    fn write<R: Frame>(frame: &mut R, error: Error, kept: usize, content: Checksum) -> Option<()>;

    /// Length of these headers.
    const HEADERS: usize;

    /// A packet this large goes everywhere (RFC 1122, section 3.3.3; RFC 8200, section 5).
    const LEAST_MTU: u32;

    /// "The host is not reached", as type and code.
    const UNREACHABLE: (u8, u8);

    /// Length of the whole packet, and whether its sender may be told of errors.
    fn measure<R: Frame>(frame: &R) -> Option<(usize, bool)>;
}

/// Answers the packet's sender, if it may be told, and drops the packet otherwise.
#[inline(always)]
pub fn respond<F, R, T>(frame: &mut R, tables: &T, reason: Reason) -> Verdict
where
    F: Respond,
    R: Frame,
    T: FamilyTables<F>,
{
    let mtu = match reason {
        Reason::TooLong => most::<F, R, T>(frame, tables).unwrap_or(F::LEAST_MTU),
        _ => 0,
    };
    let error = F::error(reason, mtu).filter(|_| is_allowed(tables));
    match error.and_then(|error| turn_back::<F, R>(frame, error)) {
        // As what is routed: a veth device sends back nothing by itself, unless its peer has XDP.
        Some(()) => Verdict::Redirect(frame.interface()),
        None => Verdict::Drop,
    }
}

/// The largest packet for the way of this one. Looked up once more: it is seldom asked for.
#[inline(always)]
fn most<F, R, T>(frame: &R, tables: &T) -> Option<u32>
where
    F: Respond,
    R: Frame,
    T: FamilyTables<F>,
{
    let tuple = F::read(frame).ok()?;
    let entry = table::find::<F, T>(Context::new(tables)?, &tuple.key)?;
    Some(most_through(tables.destination(entry.meta.destination())?))
}

/// Not more than one error a tick: about a thousand a second, as the kernel's own
/// (`icmp_msgs_per_sec`).
#[inline(always)]
pub(crate) fn is_allowed<T: Tables>(tables: &T) -> bool {
    let Some(context) = Context::new(tables) else {
        return false;
    };
    let last = &context.settings.last_error;
    let allowed = last.load() != context.now;
    last.store(context.now);
    allowed
}

/// Makes the frame one with the error in it, to the packet's sender.
#[inline(always)]
fn turn_back<F: Respond, R: Frame>(frame: &mut R, error: Error) -> Option<()> {
    let (length, may_be_told) = F::measure(frame)?;
    let kept = if length < KEPT { length & !3 } else { KEPT };
    if !may_be_told || kept < ipv4::MIN_LENGTH + icmp::LENGTH {
        return None;
    }
    // Apart from what the loop in `sum` says of it: the verifier would go on once for each turn.
    let length = frame.offset(kept);
    let content = sum(frame, IP, kept)?;
    let addresses = *frame.header::<Addresses>(0)?;
    let ethertype = frame.header::<Ethernet>(0)?.ethertype;
    frame.resize(IP + length)?;
    frame.extend(F::HEADERS)?;
    let ethernet = frame.header_mut::<Ethernet>(0)?;
    ethernet.ethertype = ethertype;
    frame
        .header_mut::<Addresses>(0)?
        .set(addresses.source(), addresses.destination());
    F::write(frame, error, length, content)
}

/// The sum over `length` bytes from `start` on: a multiple of four, and at most [`KEPT`].
#[inline(always)]
pub(crate) fn sum<R: Frame>(frame: &R, start: usize, length: usize) -> Option<Checksum> {
    let mut sum = Checksum::default();
    let mut at = 0;
    while at < KEPT {
        if at < length {
            sum = sum.plus4(*frame.header::<[u8; 4]>(start + at)?);
        }
        at += 4;
    }
    Some(sum)
}

impl Respond for crate::V4 {
    const HEADERS: usize = ipv4::MIN_LENGTH + icmp::LENGTH;
    const LEAST_MTU: u32 = 576;
    const UNREACHABLE: (u8, u8) = (3, 1);

    #[inline(always)]
    fn error(reason: Reason, mtu: u32) -> Option<Error> {
        let (kind, code) = match reason {
            Reason::NoDestination | Reason::NotAsked => (3, 3),
            Reason::HopLimit => (11, 0),
            Reason::TooLong => (3, 4),
            _ => return None,
        };
        Some(Error { kind, code, mtu })
    }

    /// Not broadcast or multicast addresses, and no frame to a group (RFC 1122, section 3.2.2).
    #[inline(always)]
    fn measure<R: Frame>(frame: &R) -> Option<(usize, bool)> {
        let ip = frame.header::<Ipv4>(IP)?;
        let told = ip.protocol != protocol::ICMP
            && ip.source[0] != 0
            && ip.source[0] < 224
            && !ip.is_later_fragment();
        Some((ip.total_length.get() as usize, told))
    }

    #[inline(always)]
    fn write<R: Frame>(frame: &mut R, error: Error, kept: usize, content: Checksum) -> Option<()> {
        let about = *frame.header::<Ipv4>(IP + Self::HEADERS)?;
        let ip = frame.header_mut::<Ipv4>(IP)?;
        ip.version_ihl = 0x45;
        // Internet control, as the kernel marks what it sends.
        ip.tos = about.tos & 0x1e | 0xc0;
        ip.total_length.set((Self::HEADERS + kept) as u16);
        ip.identification.set(0);
        ip.fragment.set(0);
        ip.ttl = HOPS;
        ip.protocol = protocol::ICMP;
        ip.source = about.destination;
        ip.destination = about.source;
        ip.checksum = [0, 0];
        ip.checksum = ip.sum().to_field();
        write_icmp(frame, IP + ipv4::MIN_LENGTH, error, content)
    }
}

impl Respond for crate::V6 {
    const HEADERS: usize = ipv6::LENGTH + icmp::LENGTH;
    const LEAST_MTU: u32 = 1280;
    const UNREACHABLE: (u8, u8) = (1, 3);

    #[inline(always)]
    fn error(reason: Reason, mtu: u32) -> Option<Error> {
        let (kind, code) = match reason {
            Reason::NoDestination | Reason::NotAsked => (1, 4),
            Reason::HopLimit => (3, 0),
            Reason::TooLong => (2, 0),
            _ => return None,
        };
        Some(Error { kind, code, mtu })
    }

    /// Not multicast or unspecified addresses (RFC 4443, section 2.4).
    #[inline(always)]
    fn measure<R: Frame>(frame: &R) -> Option<(usize, bool)> {
        let ip = frame.header::<Ipv6>(IP)?;
        let told =
            ip.next_header != protocol::ICMPV6 && ip.source[0] != 0xff && ip.source != [0; 16];
        Some((ip.payload_length.get() as usize + ipv6::LENGTH, told))
    }

    #[inline(always)]
    fn write<R: Frame>(frame: &mut R, error: Error, kept: usize, content: Checksum) -> Option<()> {
        let about = *frame.header::<Ipv6>(IP + Self::HEADERS)?;
        let ip = frame.header_mut::<Ipv6>(IP)?;
        let length = (icmp::LENGTH + kept) as u16;
        ip.version_class_flow = [0x60, 0, 0, 0];
        ip.payload_length.set(length);
        ip.next_header = protocol::ICMPV6;
        ip.hop_limit = HOPS;
        ip.source = about.destination;
        ip.destination = about.source;
        let pseudo = content
            .plus16(about.source)
            .plus16(about.destination)
            .plus(length.to_be_bytes())
            .plus([0, protocol::ICMPV6]);
        write_icmp(frame, IP + ipv6::LENGTH, error, pseudo)
    }
}

/// `sum` is that of all else that the checksum covers.
#[inline(always)]
fn write_icmp<R: Frame>(frame: &mut R, at: usize, error: Error, sum: Checksum) -> Option<()> {
    let icmp = frame.header_mut::<Icmp>(at)?;
    icmp.kind = error.kind;
    icmp.code = error.code;
    icmp.rest = error.mtu.to_be_bytes();
    icmp.checksum = sum
        .plus([error.kind, error.code])
        .plus4(icmp.rest)
        .to_field();
    Some(())
}
