//! Connections as they lie in the connection table's memory.
//!
//! A [`Slot`] is claimed, published and freed by compare-and-swap of its [`Meta`] word, which
//! also holds state and destination: whoever wins the swap of a state moves the destination's
//! counts, and nobody else does. Every swap to free advances a generation, so that a word read
//! from an earlier tenant never swaps.

use core::fmt;
use core::hash::Hash;

use rlvs_word::{Shared32, Shared64};

/// Slots in a bucket: with as many buckets as [`crate::table::buckets_for`] gives, three in a
/// hundred thousand connections find their first bucket full.
pub const WAYS: usize = 8;

/// One connection or persistence template, or the room for one.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Slot<K> {
    /// What stands here is nobody's: see the feature.
    #[cfg(feature = "other-layout")]
    pub moved: [Shared64; 4],
    pub meta: Shared64,
    #[cfg(feature = "other-layout")]
    pub children: Shared32,
    /// Tick of the last packet.
    ///
    /// Of a [`State::Reverse`] entry: the sequence number that the client's stream begins with.
    pub seen: Shared32,
    /// Of a template: how many live connections it controls. Of a connection by full NAT: its
    /// [`Lease`](crate::lease::Lease). Of its reverse entry: its [`Seat`](crate::table::Seat). By
    /// masquerading: what binds FTP's connections for commands and for data to each other.
    #[cfg(not(feature = "other-layout"))]
    pub children: Shared32,
    pub key: K,
}

/// What one hash value may be stored in.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Bucket<K> {
    pub slots: [Slot<K>; WAYS],
}

/// Bytes that are before all others in another layout.
const MOVED: usize = if cfg!(feature = "other-layout") {
    32
} else {
    0
};

const _: () = assert!(size_of::<Bucket<Words<2, 0>>>() == 256 + WAYS * MOVED);
const _: () = assert!(size_of::<Bucket<Words<5, 1>>>() == 512 + WAYS * MOVED);

/// A key as it lies in a slot: word by word, read while another CPU may write it.
pub trait Key: fmt::Debug + Default {
    /// The key as a value.
    type Value: Copy + Eq + Hash + fmt::Debug;

    fn load(&self) -> Self::Value;

    fn store(&self, value: &Self::Value);

    fn is(&self, value: &Self::Value) -> bool;
}

/// `W` words and `P` more to make slots divide cache lines.
#[derive(Debug)]
#[repr(C)]
pub struct Words<const W: usize, const P: usize> {
    words: [Shared64; W],
    padding: [u64; P],
}

impl<const W: usize, const P: usize> Default for Words<W, P> {
    fn default() -> Self {
        Self {
            words: [const { Shared64::new(0) }; W],
            padding: [0; P],
        }
    }
}

impl<const W: usize, const P: usize> Key for Words<W, P> {
    type Value = [u64; W];

    #[inline(always)]
    fn load(&self) -> [u64; W] {
        let mut value = [0; W];
        for (to, from) in value.iter_mut().zip(&self.words) {
            *to = from.load();
        }
        value
    }

    #[inline(always)]
    fn store(&self, value: &[u64; W]) {
        for (to, from) in self.words.iter().zip(value) {
            to.store(*from);
        }
    }

    #[inline(always)]
    fn is(&self, value: &[u64; W]) -> bool {
        self.words
            .iter()
            .zip(value)
            .all(|(mine, other)| mine.load() == *other)
    }
}

/// Destination (32 bits), state (8), flags (8) and generation (16) of a slot in one word.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Meta(pub u64);

impl Meta {
    /// A template chose this connection's destination.
    pub const CONTROLLED: u8 = 1;
    /// The slot is not in the key's first bucket.
    pub const DISPLACED: u8 = 2;
    /// Full NAT: the real server has what tells it the client's address.
    pub const TOLD: u8 = 4;
    /// The last sweep found this reverse entry of full NAT without its connection, or this template
    /// without any.
    pub const ORPHAN: u8 = 8;
    /// The client is this host.
    pub const OWN: u8 = 16;
    /// It was announced in a connection of FTP, see [`crate::ftp`].
    pub const DATA: u8 = 32;

    /// Another director told it.
    pub const LEARNED: u8 = 64;

    #[inline(always)]
    pub const fn new(destination: u32, state: State, flags: u8) -> Self {
        Self(destination as u64 | (state as u64) << 32 | (flags as u64) << 40)
    }

    #[inline(always)]
    pub const fn destination(self) -> u32 {
        self.0 as u32
    }

    #[inline(always)]
    pub const fn state(self) -> State {
        State::from_bits((self.0 >> 32) as u8)
    }

    #[inline(always)]
    pub const fn state_bits(self) -> u8 {
        (self.0 >> 32) as u8
    }

    #[inline(always)]
    pub const fn flags(self) -> u8 {
        (self.0 >> 40) as u8
    }

    #[inline(always)]
    pub const fn has(self, flag: u8) -> bool {
        self.flags() & flag != 0
    }

    /// Whether the slot holds something that is published.
    #[inline(always)]
    pub const fn is_live(self) -> bool {
        (self.0 >> 32) as u8 > State::Claimed as u8
    }

    /// Whether the slot holds a connection or a template: something that a client's packet finds.
    #[inline(always)]
    pub const fn is_clients(self) -> bool {
        const FIRST: u8 = State::Claimed as u8 + 1;
        ((self.0 >> 32) as u8).wrapping_sub(FIRST) < State::Reverse as u8 - FIRST
    }

    #[inline(always)]
    pub const fn is_free(self) -> bool {
        (self.0 >> 32) as u8 == State::Free as u8
    }

    #[inline(always)]
    pub const fn is_claimed(self) -> bool {
        (self.0 >> 32) as u8 == State::Claimed as u8
    }

    #[inline(always)]
    pub const fn with(self, flag: u8) -> Self {
        Self(self.0 | (flag as u64) << 40)
    }

    #[inline(always)]
    pub const fn without(self, flag: u8) -> Self {
        Self(self.0 & !((flag as u64) << 40))
    }

    #[inline(always)]
    pub const fn with_state(self, state: State) -> Self {
        Self(self.0 & !(0xff << 32) | (state as u64) << 32)
    }

    /// Whether both are of what one claim of the slot brought into it.
    #[inline(always)]
    pub const fn is_same_tenant(self, other: Meta) -> bool {
        self.0 >> 48 == other.0 >> 48
    }

    /// This slot's next tenant.
    #[inline(always)]
    pub const fn succeeded_by(self, next: Meta) -> Self {
        let generation = (self.0 >> 48).wrapping_add(1);
        Self(next.0 & 0x0000_ffff_ffff_ffff | generation << 48)
    }

    #[inline(always)]
    pub const fn freed(self) -> Self {
        self.succeeded_by(Self(0))
    }
}

/// The state of a connection, of a template, or of a slot without either.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum State {
    Free = 0,
    /// Being filled by a CPU.
    Claimed = 1,
    Udp = 2,
    /// A template; none of its connections that have ended was ever established.
    Template = 3,
    /// One of them was.
    Assured = 4,
    /// TCP's from here on, in IPVS's order (include/net/ip_vs.h).
    None = 5,
    Established = 6,
    SynSent = 7,
    SynRecv = 8,
    FinWait = 9,
    TimeWait = 10,
    Close = 11,
    CloseWait = 12,
    LastAck = 13,
    Listen = 14,
    SynAck = 15,
    /// SCTP's from here on, in IPVS's order.
    SctpNone = 16,
    Init1 = 17,
    Init = 18,
    CookieSent = 19,
    CookieReplied = 20,
    CookieWait = 21,
    Cookie = 22,
    CookieEchoed = 23,
    SctpEstablished = 24,
    ShutdownSent = 25,
    ShutdownReceived = 26,
    ShutdownAckSent = 27,
    Rejected = 28,
    Closed = 29,
    /// Not a state: with it any five bits are one, and reading one checks nothing, which the
    /// verifier would follow both ways.
    Spare30 = 30,
    /// Not a connection, but how answers find one of full NAT: from the local address and port to
    /// the real server's.
    Reverse = 31,
}

impl State {
    /// Bits that were stored from a state.
    #[inline(always)]
    pub const fn from_bits(bits: u8) -> Self {
        match bits & 31 {
            1 => State::Claimed,
            2 => State::Udp,
            3 => State::Template,
            4 => State::Assured,
            5 => State::None,
            6 => State::Established,
            7 => State::SynSent,
            8 => State::SynRecv,
            9 => State::FinWait,
            10 => State::TimeWait,
            11 => State::Close,
            12 => State::CloseWait,
            13 => State::LastAck,
            14 => State::Listen,
            15 => State::SynAck,
            16 => State::SctpNone,
            17 => State::Init1,
            18 => State::Init,
            19 => State::CookieSent,
            20 => State::CookieReplied,
            21 => State::CookieWait,
            22 => State::Cookie,
            23 => State::CookieEchoed,
            24 => State::SctpEstablished,
            25 => State::ShutdownSent,
            26 => State::ShutdownReceived,
            27 => State::ShutdownAckSent,
            28 => State::Rejected,
            29 => State::Closed,
            30 => State::Spare30,
            31 => State::Reverse,
            _ => State::Free,
        }
    }

    /// Whether `ipvsadm -L` counts the connection as active (tcp_state_active_table; of SCTP only
    /// what is established).
    #[inline(always)]
    pub const fn is_active(self) -> bool {
        matches!(
            self,
            Self::Established
                | Self::SynSent
                | Self::SynRecv
                | Self::SynAck
                | Self::SctpEstablished
        )
    }

    /// Whether the two sides have not agreed yet.
    #[inline(always)]
    pub const fn is_half_open(self) -> bool {
        matches!(
            self,
            Self::None
                | Self::SynSent
                | Self::SynRecv
                | Self::SynAck
                | Self::SctpNone
                | Self::Init1
                | Self::Init
                | Self::CookieSent
                | Self::CookieReplied
                | Self::CookieWait
                | Self::Cookie
                | Self::CookieEchoed
        )
    }

    /// Whether one side has ended it, or both.
    #[inline(always)]
    pub const fn is_closing(self) -> bool {
        matches!(
            self,
            Self::FinWait
                | Self::TimeWait
                | Self::Close
                | Self::CloseWait
                | Self::LastAck
                | Self::ShutdownSent
                | Self::ShutdownReceived
                | Self::ShutdownAckSent
                | Self::Rejected
                | Self::Closed
        )
    }

    #[inline(always)]
    pub const fn is_template(self) -> bool {
        matches!(self, Self::Template | Self::Assured)
    }

    /// Name as `ipvsadm -Lc` prints it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Free => "FREE",
            Self::Claimed => "CLAIMED",
            Self::Udp => "UDP",
            Self::Template | Self::None | Self::SctpNone | Self::Spare30 => "NONE",
            Self::Assured => "ASSURED",
            Self::Established | Self::SctpEstablished => "ESTABLISHED",
            Self::SynSent => "SYN_SENT",
            Self::SynRecv => "SYN_RECV",
            Self::FinWait => "FIN_WAIT",
            Self::TimeWait => "TIME_WAIT",
            Self::Close => "CLOSE",
            Self::CloseWait => "CLOSE_WAIT",
            Self::LastAck => "LAST_ACK",
            Self::Listen => "LISTEN",
            Self::SynAck => "SYNACK",
            Self::Init1 => "INIT1",
            Self::Init => "INIT",
            Self::CookieSent => "C-SENT",
            Self::CookieReplied => "C-REPLIED",
            Self::CookieWait => "C-WAIT",
            Self::Cookie => "COOKIE",
            Self::CookieEchoed => "C-ECHOED",
            Self::ShutdownSent => "S-SENT",
            Self::ShutdownReceived => "S-RECEIVED",
            Self::ShutdownAckSent => "S-ACK-SENT",
            Self::Rejected => "REJECTED",
            Self::Closed => "CLOSED",
            Self::Reverse => "REVERSE",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_survive_their_bits() {
        for bits in 0..32 {
            assert_eq!(State::from_bits(bits) as u8, bits);
        }
    }

    #[test]
    fn clients_find_all_but_free_and_reverse_entries() {
        let finds = |state| Meta::new(0, state, 0).is_clients();
        for state in [State::Free, State::Claimed, State::Reverse] {
            assert!(!finds(state), "{state:?}");
        }
        for bits in 2..31 {
            assert!(finds(State::from_bits(bits)), "{bits}");
        }
        assert!(Meta::new(0, State::Reverse, 0).is_live());
    }

    #[test]
    fn meta_keeps_its_parts_apart() {
        let meta = Meta::new(0xdead_beef, State::SynRecv, Meta::CONTROLLED);
        assert_eq!(meta.destination(), 0xdead_beef);
        assert_eq!(meta.state(), State::SynRecv);
        assert!(meta.has(Meta::CONTROLLED) && !meta.has(Meta::DISPLACED));
        let established = meta.with_state(State::Established);
        assert_eq!(established.destination(), meta.destination());
        assert_eq!(established.flags(), meta.flags());
        assert!(!meta.freed().is_live());
        assert_ne!(meta.freed().freed().succeeded_by(meta), meta);
    }
}
