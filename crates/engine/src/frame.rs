//! The one door between packet logic and packet memory.

use rlvs_wire::{Checksum, Header};

use crate::answers::{self, Answer};
use crate::by_error;
use crate::call;
use crate::family::{Family, V4, V6};
use crate::forward::{self, Outer, Stream};
use crate::fragment::{self, Followed, Origin};
use crate::ftp::{self, Announced};
use crate::lease::Lease;
use crate::outcome::Outcome;
use crate::reason::Reason;
use crate::related;
use crate::respond::{self, Respond};
use crate::tables::{FamilyTables, KeyOf, Tables};
use crate::tunnelled;
use crate::tuple::{Packet, Tuple};

/// Headers that are written begin below this.
pub const OFFSETS: usize = 4096;

/// At most so much of a frame is moved by [`Frame::open`]: Ethernet, an IPv6 and the longest TCP
/// header, rounded up.
pub const MOST_MOVED: usize = 128;

/// One received frame, starting with its Ethernet header.
pub trait Frame: Sized {
    /// The header at `offset`, if all of it is there.
    fn header<H: Header>(&self, offset: usize) -> Option<&H>;

    /// The same, to be written.
    fn header_mut<H: Header>(&mut self, offset: usize) -> Option<&mut H>;

    /// Length in bytes, of all its pieces.
    fn length(&self) -> usize;

    /// Whether it has so many bytes.
    fn is_at_least(&self, length: usize) -> bool {
        self.length() >= length
    }

    /// The same offset, of which the verifier knows no more than that it is below
    /// [`OFFSETS`]: it would read all that follows again for each way an offset was found.
    fn offset(&self, offset: usize) -> usize {
        offset & (OFFSETS - 1)
    }

    /// Index of the interface it came in on.
    fn interface(&self) -> u32;

    /// How it got here.
    fn way(&self) -> Way {
        Way::In
    }

    /// The firewall mark of a packet that [is led](Frame::is_led); else 0.
    fn mark(&self) -> u32 {
        0
    }

    /// Whether the kernel's routing has led it here because it may be a service's by its mark, see
    /// [`crate::marked`]. Where all or none are, the compiler is to know it.
    fn is_led(&self) -> bool {
        false
    }

    /// Whether a packet that was received can be handed to a socket of this host with another
    /// sender than it came with, see [`Verdict::Deliver`].
    fn delivers(&self) -> bool {
        true
    }

    /// Carries changes over to the transport checksum, wherever that is: in its field, or still
    /// with the kernel.
    fn mend(&mut self, change: Change) -> Option<()>;

    /// Tells the kernel of a change that no Internet checksum in the packet makes up for, if it
    /// keeps a sum over the packet.
    fn account(&mut self, _: Checksum) {}

    /// Copies at most 128 bytes to a place in front of them.
    fn bring(&mut self, from: usize, to: usize, length: usize) -> Option<()>;

    /// Cuts the frame to this length, or makes it so long.
    fn resize(&mut self, length: usize) -> Option<()>;

    /// Makes room for so many bytes at an offset behind the IP header: what is in front of it
    /// stays in front, which is at most [`MOST_MOVED`]. `None`, and nothing done, where that cannot
    /// be. `checksum` is where the field of the transport checksum is.
    fn open(&mut self, at: usize, by: usize, checksum: usize) -> Option<()>;

    /// Makes room for so many bytes in front of the IP header; what is in front of them, the
    /// Ethernet header, is to be written anew.
    fn extend(&mut self, by: usize) -> Option<()>;

    /// Makes so much room in front of the IP header for a packet around this one. The Ethernet
    /// addresses in front of it are to be written anew.
    fn encapsulate(&mut self, room: usize, outer: Outer) -> Option<()>;

    /// Whether this is several packets of one connection, to be parted when they leave.
    fn is_in_segments(&self) -> bool {
        false
    }

    /// Where the kernel would send this packet, were it sent by these ends.
    ///
    /// `ends` is the key of a connection whose client is the receiver.
    fn route<F: Family>(&mut self, ends: &KeyOf<F>) -> Route;

    /// A packet from a real server: [`answers::recognise`], behind a seam as those of
    /// [`FamilyTables`].
    fn recognise<F: Packet, T: FamilyTables<F>>(&mut self, tables: &T) -> Result<Answer, Reason> {
        answers::recognise::<F, Self, T>(self, tables)
    }

    /// An answer that was recognised: [`forward::answer`], a seam as well.
    fn answer<F: Packet, T: FamilyTables<F>>(&mut self, tables: &T, answer: Answer) -> Outcome {
        forward::answer::<F, Self, T>(self, tables, answer.seat, answer.brief).into()
    }

    /// The same, before that, if it is of FTP's commands: [`ftp::hear`], a seam as well.
    fn hear<F: Packet, T: FamilyTables<F>>(&mut self, tables: &T, answer: Answer) -> Announced {
        match answer.brief.is_of_commands() {
            true => ftp::hear::<F, Self, T>(self, tables, answer),
            false => Announced::NONE,
        }
    }

    /// A client's packet to a masqueraded real server, if it is of FTP's commands:
    /// [`ftp::overhear`], a seam as well.
    fn overhear<F: Packet, T: FamilyTables<F>>(&mut self, tables: &T, brief: Brief) -> Announced {
        match brief.is_of_commands() {
            true => ftp::overhear::<F, Self, T>(self, tables, brief),
            false => Announced::NONE,
        }
    }

    /// A first fragment: [`fragment::keep`], a seam as well.
    fn keep<F: Packet, T: FamilyTables<F>>(
        &mut self,
        tables: &T,
        origin: Origin,
    ) -> Result<(), Reason> {
        fragment::keep::<F, Self, T>(self, tables, origin)
    }

    /// Another fragment: [`fragment::follow`], a seam as well.
    fn follow<F: Respond, T: FamilyTables<F>>(&mut self, tables: &T) -> Followed {
        fragment::follow::<F, Self, T>(self, tables)
    }

    /// The Call-ID of a SIP message at `at`, if that is not 0: [`call::call`], a seam as well.
    fn call<T: Tables>(&mut self, tables: &T, at: u32) -> u64 {
        match at {
            0 => 0,
            at => call::call(self, tables, at as usize),
        }
    }

    /// An ICMP packet: what becomes of it by a connection, which it may begin; [`by_error`] has the
    /// seam for that.
    fn relate<F, T>(&mut self, tables: &T) -> Outcome
    where
        F: Respond,
        T: FamilyTables<F> + FamilyTables<V4> + FamilyTables<V6>,
    {
        let outcome = self.relate_known::<F, T>(tables);
        if !outcome.is(Reason::Protocol) || self.way() == Way::Out {
            return outcome;
        }
        match by_error::begin::<F, Self, T>(self, tables) {
            Ok(()) => self.relate_known::<F, T>(tables),
            Err(reason) => Outcome::failed(reason),
        }
    }

    /// The same by a connection that is there: [`related::relate`] says what becomes of it, or else
    /// the stages after that; each is a seam.
    fn relate_known<F, T>(&mut self, tables: &T) -> Outcome
    where
        F: Respond,
        T: FamilyTables<F> + FamilyTables<V4> + FamilyTables<V6>,
    {
        let outcome = related::relate::<F, Self, T>(self, tables);
        if outcome != Err(Reason::Protocol) {
            return outcome.into();
        }
        let outcome = related::relate_full_nat::<F, Self, T>(self, tables);
        if outcome != Err(Reason::Protocol) {
            return outcome.into();
        }
        match related::for_tunnel::<F, Self, T>(self, tables) {
            Ok(inward) => return self.tunnel::<F, T>(tables, inward.destination(), inward.hash()),
            Err(Reason::Protocol) => {}
            Err(reason) => return Outcome::failed(reason),
        }
        match tunnelled::find::<F, Self, T>(self, tables) {
            Ok(number) => tunnelled::tell::<F, Self, T>(self, tables, number).into(),
            Err(reason) => Outcome::failed(reason),
        }
    }

    /// A packet for a tunnel: [`forward::tunnel`], a seam as well.
    fn tunnel<F: Respond, T: Tables>(&mut self, tables: &T, number: u32, hash: u32) -> Outcome {
        forward::tunnel::<F, Self, T>(self, tables, number, hash).into()
    }

    /// A client's packet by full NAT: [`forward::full_nat`], a seam as well.
    fn full_nat<F: Respond, T: FamilyTables<F>>(
        &mut self,
        tables: &T,
        number: u32,
        lease: Lease,
        brief: Brief,
        told: u64,
    ) -> Outcome {
        forward::full_nat::<F, Self, T>(self, tables, number, lease, brief, told).into()
    }

    /// What comes before: [`forward::tell`], a seam as well.
    fn tell<F: Respond>(&mut self, stream: Stream, brief: Brief) -> Result<u64, Reason> {
        forward::tell::<F, Self>(self, stream, brief)
    }

    /// SCTP's checksum after other ports: [`forward::mend_sctp`], a seam as well.
    fn mend_sctp<F: Packet>(&mut self, at: usize, difference: u32) -> Option<()> {
        forward::mend_sctp::<F, Self>(self, at, difference)
    }

    /// A packet that was dropped: [`respond`], a seam as well.
    fn respond<F: Respond, T: FamilyTables<F>>(&mut self, tables: &T, reason: Reason) -> Outcome {
        Ok(respond::respond::<F, Self, T>(self, tables, reason)).into()
    }
}

/// What a stage need not read again of a packet, in one number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Brief(pub u32);

impl Brief {
    #[inline(always)]
    pub fn of<F: Family>(tuple: &Tuple<F>) -> Self {
        let transport = tuple.transport & (OFFSETS as u32 - 1);
        Self(
            transport
                | (tuple.protocol as u32) << 12
                | (tuple.flags as u32) << 20
                | (tuple.is_fragment() as u32) << 28,
        )
    }

    /// The same, saying whether it is of [`ftp`]'s commands.
    #[inline(always)]
    pub const fn of_commands(self, is_of_them: bool) -> Self {
        Self(self.0 | (is_of_them as u32) << 29)
    }

    #[inline(always)]
    pub const fn is_of_commands(self) -> bool {
        self.0 >> 29 & 1 != 0
    }

    /// Whether it is the first fragment of more.
    #[inline(always)]
    pub const fn is_fragment(self) -> bool {
        self.0 >> 28 & 1 != 0
    }

    /// Where in the frame the transport header begins.
    #[inline(always)]
    pub const fn transport(self) -> usize {
        self.0 as usize & (OFFSETS - 1)
    }

    #[inline(always)]
    pub const fn protocol(self) -> u8 {
        (self.0 >> 12) as u8
    }

    /// Those of its [`Tuple`].
    #[inline(always)]
    pub const fn flags(self) -> u8 {
        (self.0 >> 20) as u8
    }
}

/// How a packet got to where the engine sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Way {
    /// From another host.
    In,
    /// From a socket of this host, to an address of this host.
    Loopback,
    /// From a socket of this host, on its way out.
    Out,
}

/// What was changed under a transport checksum.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    /// Where the checksum's field is.
    pub field: usize,
    /// In addresses, which it covers by its pseudo header.
    pub addresses: Checksum,
    /// In its own header.
    pub header: Checksum,
    /// UDP's, where 0 says that there is none.
    pub is_udp: bool,
    pub is_ipv6: bool,
}

impl Change {
    /// The field's new content, if all there is to the checksum is the field.
    #[inline(always)]
    pub fn of(&self, field: [u8; 2]) -> [u8; 2] {
        if self.is_udp && field == [0, 0] {
            return field;
        }
        let sum = Checksum::stored(field).and(self.addresses).and(self.header);
        match sum.to_field() {
            [0, 0] if self.is_udp => [0xff, 0xff],
            sum => sum,
        }
    }
}

/// Where the kernel would send a packet.
///
/// Not an enum with fields: what a variant leaves unwritten the compiler copies all the same, and
/// the verifier takes no copy of what was never written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Route {
    pub kind: RouteKind,
    /// The interface it leaves by.
    pub interface: u32,
    /// MAC address of the next hop, if it is known.
    pub destination: u64,
    /// MAC address of the interface.
    pub source: u64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum RouteKind {
    /// Nowhere.
    None,
    Known,
    /// To a neighbour whose MAC address the kernel will ask for.
    Ask,
    /// To a neighbour whose MAC address is not known, and who cannot be asked from here.
    Unresolved,
    /// To a socket of this host.
    Here,
    /// On the way that it is on already.
    UnderWay,
}

/// The sender's MAC address of packets that are handed to this host by the loopback interface,
/// whose frames have none otherwise: they are not looked at again.
pub const DELIVERED: u64 = u64::from_le_bytes([0x02, b'r', b'l', b'v', b's', 0, 0, 0]);

impl Route {
    pub const NONE: Self = Self::of(RouteKind::None);
    pub const UNDER_WAY: Self = Self::of(RouteKind::UnderWay);
    pub const HERE: Self = Self {
        source: DELIVERED,
        ..Self::of(RouteKind::Here)
    };

    const fn of(kind: RouteKind) -> Self {
        Self {
            kind,
            interface: 0,
            destination: 0,
            source: 0,
        }
    }

    /// Whether the packet is passed on to another host.
    #[inline(always)]
    pub fn counts_hops(&self) -> bool {
        !matches!(self.kind, RouteKind::Here | RouteKind::UnderWay)
    }
}
