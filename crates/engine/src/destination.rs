//! A real server inside one service, as the packet path knows it.

use rlvs_word::{Shared32, Shared64};

use crate::forward::Method;
use crate::service::FTP_PORT;

/// One destination; its place in the table is its number.
///
/// The daemon writes it, packet paths read it. Words that change while packets flow are shared;
/// the others are written before the destination's number is first given out.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Destination {
    /// What stands here is nobody's: see the feature.
    #[cfg(feature = "other-layout")]
    pub moved: [Shared64; 8],
    /// Next hop: its MAC address (48 bits).
    pub next_hop: Shared64,
    /// MAC address of the director's interface towards it (48 bits).
    pub source: Shared64,
    /// That interface's index.
    pub interface: Shared32,
    pub flags: Shared32,
    pub weight: Shared32,
    /// No new connections at this many; 0: no limit.
    pub upper_threshold: Shared32,
    /// New ones again below this many; 0: at 3/4 of the upper threshold.
    pub lower_threshold: Shared32,
    /// Number of the service it belongs to.
    pub service: Shared32,
    /// Real server; IPv4 in the first four bytes.
    pub address: [Shared64; 2],
    /// Its port in the lower half, as a number; above it what else the daemon notes.
    pub port: Shared32,
    /// The largest IP packet for the way to the real server; 0: not known. See [`crate::path_mtu`].
    pub mtu: Shared32,
    /// Through a tunnel: the director's address on the packets outside, as [`Self::address`].
    pub outer_source: [Shared64; 2],
    /// Through a tunnel: which, see [`Tunnel`].
    pub tunnel: Shared32,
    /// When a router told that `mtu` is less than the route lets through; 0: none did.
    pub mtu_told: Shared32,
    /// Its weight, or the last one that was not 0: mh's shares (`last_weight` in IPVS).
    pub last_weight: Shared32,
    pub reserved: [Shared32; 9],
}

const _: () = assert!(size_of::<Destination>() == 128 + 8 * MOVED);

/// Words that are before all others in another layout.
const MOVED: usize = if cfg!(feature = "other-layout") { 8 } else { 0 };

/// A tunnel in one word: its kind in the lowest byte, flags in the next, GUE's port above.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tunnel(pub u32);

impl Tunnel {
    pub const IPIP: u8 = 0;
    pub const GUE: u8 = 1;
    pub const GRE: u8 = 2;

    /// GRE has a checksum, or GUE's UDP has.
    pub const CHECKSUM: u8 = 1;
    /// GUE may leave the checksum inside to the receiver. IPVS does so with packets that were made
    /// on the director itself and have none yet; others are sent as with [`Self::CHECKSUM`].
    pub const REMOTE_CHECKSUM: u8 = 2;

    pub const fn new(kind: u8, flags: u8, port: u16) -> Self {
        Self(kind as u32 | (flags as u32) << 8 | (port as u32) << 16)
    }

    #[inline(always)]
    pub const fn kind(self) -> u8 {
        self.0 as u8
    }

    #[inline(always)]
    pub const fn has(self, flag: u8) -> bool {
        (self.0 >> 8) as u8 & flag != 0
    }

    /// Whether there is a checksum outside.
    #[inline(always)]
    pub const fn is_summed(self) -> bool {
        self.has(Self::CHECKSUM | Self::REMOTE_CHECKSUM)
    }

    #[inline(always)]
    pub const fn port(self) -> u16 {
        (self.0 >> 16) as u16
    }
}

impl Destination {
    /// It is one of its service's destinations; without it packets of its connections are
    /// dropped, as in IPVS (`IP_VS_DEST_F_AVAILABLE`).
    pub const AVAILABLE: u32 = 1;
    /// The next hop is known.
    pub const RESOLVED: u32 = 2;
    /// Frames go by redirect even when they leave where they came in.
    pub const REDIRECT: u32 = 4;
    /// The record is taken: by a destination, or by a removed one whose connections live.
    pub const USED: u32 = 8;
    /// The real server is this host: packets go to the stack.
    pub const LOCAL: u32 = 16;
    /// The real server's address is an IPv6 one.
    pub const IPV6: u32 = 32;
    /// Full NAT: the client's address is told by a TCP option.
    pub const TOA: u32 = 64;
    /// Full NAT: the client's address is told by the PROXY protocol.
    pub const PROXY: u32 = 128;
    /// Packets keep the port they were sent to: of a service on all ports.
    pub const KEEPS_PORT: u32 = 1 << 11;
    /// All but those to port 21 do: of a service for FTP.
    pub const KEEPS_DATA_PORT: u32 = 1 << 12;
    /// It is being drained: those whom templates send here are sent elsewhere.
    pub const DRAINING: u32 = 1 << 13;
    /// Where the forwarding method lies in the flags.
    const METHOD: u32 = 8;

    /// The flags' part that says `method`, to be or-ed in once.
    pub const fn with_method(method: Method) -> u32 {
        (method as u32) << Self::METHOD
    }

    /// All that [`Self::with_method`] may set.
    pub const METHODS: u32 = 7 << Self::METHOD;

    #[inline(always)]
    pub fn method(&self) -> Method {
        Method::from_bits((self.flags.load() >> Self::METHOD) as u8)
    }

    /// Its port where translation sends the packets to `virtual_port` (`dport` in
    /// ip_vs_core.c, `ip_vs_sched_persist`).
    #[inline(always)]
    pub fn port_for(&self, virtual_port: [u8; 2]) -> [u8; 2] {
        let flags = self.flags.load();
        let keeps = flags & Self::KEEPS_PORT != 0
            || flags & Self::KEEPS_DATA_PORT != 0 && virtual_port != FTP_PORT;
        // Arithmetic: of a choice the compiler makes one between places in memory.
        let [virtual_port, own] = [u16::from_be_bytes(virtual_port), self.port()];
        (own ^ (own ^ virtual_port) & (keeps as u16).wrapping_neg()).to_be_bytes()
    }

    #[inline(always)]
    pub fn port(&self) -> u16 {
        self.port.load() as u16
    }

    #[inline(always)]
    pub fn is(&self, flag: u32) -> bool {
        self.flags.load() & flag != 0
    }
}

/// How loaded a destination is: apart from it, so that a scheduler's walk reads little memory.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Load {
    /// Active connections in the upper half, inactive ones in the lower.
    counts: Shared64,
    /// Persistence templates.
    pub persistent: Shared32,
    /// 1: at its upper threshold, takes no new connections.
    pub overloaded: Shared32,
}

const _: () = assert!(size_of::<Load>() == 16);

const ACTIVE: u64 = 1 << 32;
const INACTIVE: u64 = 1;

impl Load {
    /// Active and inactive connections.
    #[inline(always)]
    pub fn counts(&self) -> (u32, u32) {
        let counts = self.counts.load();
        ((counts >> 32) as u32, counts as u32)
    }

    /// IPVS's measure (`ip_vs_dest_conn_overhead`, Linux 6.1).
    #[inline(always)]
    pub fn overhead(&self) -> u64 {
        let (active, inactive) = self.counts();
        ((active as u64) << 8) + inactive as u64
    }

    /// A connection begins.
    #[inline(always)]
    pub fn begin(&self, active: bool, of: &Destination) {
        let before = self.counts.add(unit(active));
        let upper = of.upper_threshold.load();
        if upper != 0 && total(before).wrapping_add(1) >= upper {
            self.overloaded.store(1);
        }
    }

    /// A connection ends.
    #[inline(always)]
    pub fn end(&self, active: bool, of: &Destination) {
        let before = self.counts.add(unit(active).wrapping_neg());
        if self.overloaded.load() != 0 && relieved(total(before).wrapping_sub(1), of) {
            self.overloaded.store(0);
        }
    }

    /// A connection becomes active, or inactive.
    #[inline(always)]
    pub fn shift(&self, to_active: bool) {
        let by = ACTIVE.wrapping_sub(INACTIVE);
        self.counts
            .add(if to_active { by } else { by.wrapping_neg() });
    }
}

#[inline(always)]
fn unit(active: bool) -> u64 {
    if active { ACTIVE } else { INACTIVE }
}

#[inline(always)]
fn total(counts: u64) -> u32 {
    ((counts >> 32) as u32).wrapping_add(counts as u32)
}

/// `ip_vs_unbind_dest`: below the lower threshold, or 3/4 of the upper one.
#[inline(always)]
fn relieved(total: u32, of: &Destination) -> bool {
    let (upper, lower) = (of.upper_threshold.load(), of.lower_threshold.load());
    if lower != 0 {
        total < lower
    } else {
        upper == 0 || (total as u64) * 4 < (upper as u64) * 3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_move_and_return_to_zero() {
        let (load, of) = (Load::default(), Destination::default());
        load.begin(true, &of);
        load.begin(false, &of);
        assert_eq!((load.counts(), load.overhead()), ((1, 1), 257));
        load.shift(false);
        assert_eq!(load.counts(), (0, 2));
        load.shift(true);
        load.end(true, &of);
        load.end(false, &of);
        assert_eq!(load.counts(), (0, 0));
    }

    #[test]
    fn thresholds_hold_back_and_let_go() {
        for (lower, let_go_at) in [(0, 2), (2, 1)] {
            let (load, of) = (Load::default(), Destination::default());
            of.upper_threshold.store(4);
            of.lower_threshold.store(lower);
            for _ in 0..4 {
                assert_eq!(load.overloaded.load(), 0);
                load.begin(true, &of);
            }
            assert_eq!(load.overloaded.load(), 1);
            while load.overloaded.load() == 1 {
                load.end(true, &of);
            }
            assert_eq!(load.counts().0, let_go_at, "lower threshold {lower}");
        }
    }
}
