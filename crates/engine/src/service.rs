//! A virtual service, as the packet path knows it.

use rlvs_wire::protocol;
use rlvs_word::{Shared32, Shared64};

use crate::family::Family;
use crate::lease::Pool;
use crate::schedule::{Flags, Members, Scheduler};

/// One virtual service; its place in the table is its number.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Service {
    /// What stands here is nobody's: see the feature.
    #[cfg(feature = "other-layout")]
    pub moved: [Shared64; 8],
    /// Its destinations: see [`Members`].
    pub members: Shared64,
    /// The scheduler's memory: where it stands among them.
    pub cursor: Shared64,
    /// Flags.
    pub mode: Shared32,
    /// How long a persistence template outlives its last connection, in ticks.
    pub persistence: Shared32,
    /// Which bits of a client's address count for persistence.
    pub mask: [Shared64; 2],
    /// Full NAT: its local addresses, a [`Pool`].
    pub pool: Shared64,
    /// The firewall mark of its packets; 0 of a service that has an address.
    pub mark: Shared32,
    pub reserved: [Shared32; 3],
}

const _: () = assert!(size_of::<Service>() == 64 + 8 * MOVED);

/// Words that are before all others in another layout.
const MOVED: usize = if cfg!(feature = "other-layout") { 8 } else { 0 };

impl Service {
    /// A client's connections go to the destination of its first.
    pub const PERSISTENT: u32 = 1 << 8;
    /// Each packet is a connection of its own; of UDP alone.
    pub const ONE_PACKET: u32 = 1 << 9;
    /// It may have connections to other ports than its own: its templates are for all ports.
    pub const MANY_PORTS: u32 = 1 << 10;
    /// Its templates are by SIP's Call-ID, not by client (`--pe sip`).
    pub const BY_CALL: u32 = 1 << 11;

    /// Where the scheduler's flags lie among others.
    const SCHEDULER_FLAGS: u32 = 16;

    /// The scheduler's flags, to be or-ed in.
    pub const fn with_flags(flags: Flags) -> u32 {
        flags.0 << Self::SCHEDULER_FLAGS
    }

    #[inline(always)]
    pub fn flags(&self) -> Flags {
        Flags(self.mode.load() >> Self::SCHEDULER_FLAGS)
    }

    #[inline(always)]
    pub fn scheduler(&self) -> Scheduler {
        self.members().scheduler()
    }

    #[inline(always)]
    pub fn is(&self, flag: u32) -> bool {
        self.mode.load() & flag != 0
    }

    #[inline(always)]
    pub fn members(&self) -> Members {
        Members(self.members.load())
    }

    #[inline(always)]
    pub fn pool(&self) -> Pool {
        Pool(self.pool.load())
    }

    /// The persistence mask as address bytes.
    #[inline(always)]
    pub fn mask(&self) -> [u8; 16] {
        load_octets(&self.mask)
    }
}

/// Of a service on all ports.
pub const ANY_PORT: [u8; 2] = [0, 0];

/// FTP's commands (`FTPPORT` in IPVS), and data of its active mode.
pub const FTP_PORT: [u8; 2] = 21u16.to_be_bytes();
pub(crate) const FTP_DATA_PORT: [u8; 2] = 20u16.to_be_bytes();

/// Whether a connection to this port may carry data of FTP, in either mode: it is looked up with
/// the service at [`FTP_PORT`] if there is none at the port itself (ip_vs_ctl.c,
/// `ip_vs_service_find`).
#[inline(always)]
pub fn may_be_ftp_data(protocol: u8, port: [u8; 2]) -> bool {
    const FIRST_UNPRIVILEGED: u16 = 1024;
    let is_data = port == FTP_DATA_PORT || u16::from_be_bytes(port) >= FIRST_UNPRIVILEGED;
    protocol == protocol::TCP && is_data
}

/// Sixteen bytes, an address or a mask, from two words.
#[inline(always)]
pub fn load_octets(words: &[Shared64; 2]) -> [u8; 16] {
    let [a, b, c, d, e, f, g, h] = words[0].load().to_ne_bytes();
    let [i, j, k, l, m, n, o, p] = words[1].load().to_ne_bytes();
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
}

/// Sixteen bytes into two words.
#[inline(always)]
pub fn store_octets(words: &[Shared64; 2], octets: [u8; 16]) {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = octets;
    words[0].store(u64::from_ne_bytes([a, b, c, d, e, f, g, h]));
    words[1].store(u64::from_ne_bytes([i, j, k, l, m, n, o, p]));
}

/// What a service is looked up by, or a masqueraded real server's end.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[repr(C)]
pub struct ServiceKey<A> {
    pub address: A,
    pub port: [u8; 2],
    pub protocol: u8,
    /// 0 of a service.
    pub kind: u8,
}

const _: () = assert!(size_of::<ServiceKey<[u8; 4]>>() == 8);
const _: () = assert!(size_of::<ServiceKey<[u8; 16]>>() == 20);

impl<A> ServiceKey<A> {
    #[inline(always)]
    pub fn new(address: A, port: [u8; 2], protocol: u8) -> Self {
        Self {
            address,
            port,
            protocol,
            kind: 0,
        }
    }

    /// Of a real server, whose answers pass here.
    #[inline(always)]
    pub fn of_server(address: A, port: [u8; 2], protocol: u8) -> Self {
        Self {
            kind: Self::SERVER,
            ..Self::new(address, port, protocol)
        }
    }

    const SERVER: u8 = 1;

    pub fn is_service(&self) -> bool {
        self.kind != Self::SERVER
    }
}

impl ServiceKey<()> {
    /// That of a service by firewall mark: no address has protocol 0.
    #[inline(always)]
    pub fn of_mark<F: Family>(mark: u32) -> ServiceKey<F::Address> {
        ServiceKey::new(F::marked(mark), [0, 0], MARKED)
    }
}

/// The protocol in keys of firewall marks (`IPPROTO_IP` in ip_vs_core.c, `ip_vs_sched_persist`).
pub const MARKED: u8 = 0;

/// The protocol in keys of templates by Call-ID: no packet has it (RFC 3692), so no client's address
/// and port are taken for one.
pub const CALLED: u8 = 253;

/// The protocol in keys of FTP's data connections that are announced, and are TCP's: nor has a packet
/// this one (RFC 3692), so a template with the same ends is another entry.
pub const ANNOUNCED: u8 = 254;

/// A filter of addresses: one bit for each 16-bit fold of an address, once for those that may be
/// virtual and once for real servers whose replies pass the director. It lets packets that are
/// not ours pass at the cost of two look-ups in 16 KiB.
pub mod filter {
    use super::Family;

    /// Number of 64-bit words: half of them for each of the two.
    pub const WORDS: u32 = 2 * HALF;
    const HALF: u32 = 1024;

    /// Word and bit of a virtual address.
    #[inline(always)]
    pub fn place<F: Family>(address: F::Address) -> (u32, u64) {
        let spread = F::folded(address).wrapping_mul(0x9e37_79b1) >> 16;
        (spread >> 6, 1 << (spread & 63))
    }

    /// Word and bit of a real server whose replies pass the director.
    #[inline(always)]
    pub fn place_of_server<F: Family>(address: F::Address) -> (u32, u64) {
        let (word, bit) = place::<F>(address);
        (word + HALF, bit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family::V4;

    #[test]
    fn the_filter_stays_within_its_words() {
        for last in 0..=255 {
            let (word, bit) = filter::place::<V4>([203, 0, 113, last]);
            assert!(word < filter::WORDS && bit.count_ones() == 1);
        }
    }

    #[test]
    fn masks_survive_their_words() {
        let service = Service::default();
        let mask = core::array::from_fn(|i| i as u8);
        store_octets(&service.mask, mask);
        assert_eq!(service.mask(), mask);
    }
}
