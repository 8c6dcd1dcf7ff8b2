//! What holds for the whole data plane: written by the daemon, read for every packet.

use rlvs_word::{Shared32, Shared64};

use crate::connection::{Meta, State};
use crate::family::Family;
use crate::reason::Reason;
use crate::sysctl::{self, Sysctl};

/// One record in a table of its own.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Settings {
    /// Secret of the connection table's hash, chosen when the table is made.
    pub seed: Shared64,
    /// Number of buckets of the IPv4 and IPv6 connection tables.
    pub buckets: [Shared32; 2],
    /// Capacity of the destination table.
    pub destinations: Shared32,
    /// When a connection was last forwarded without an entry, in ticks; see `schedule::stateless`.
    pub last_stateless: Shared32,
    /// 1 once `last_stateless` was set.
    pub ever_stateless: Shared32,
    /// Tick of the last ICMP error that was sent.
    pub last_error: Shared32,
    /// 1 if there is a service [`BY_CALL`](crate::service::Service::BY_CALL).
    pub calls: Shared32,
    /// 1 once a data connection of FTP was announced, see [`crate::ftp`].
    pub announced: Shared32,
    /// Idle time after which a connection in each state ends, in ticks.
    pub timeouts: [Shared32; STATES],
    /// Values of IPVS's sysctls, by [`Sysctl`].
    pub sysctls: [Shared32; sysctl::ROOM],
    /// While memory is short: of new connections' packets one of so many is too much; else 0. For
    /// the daemon, which may begin anew meanwhile.
    pub shortage: Shared32,
    /// 1 for an IP version whose first packets the kernel's routing leads to where their firewall marks
    /// are seen, see [`crate::marked`]: IPv4, IPv6.
    pub led: [Shared32; 2],
    /// 1 while connections are carried over from other tables: packets that would have one are dropped,
    /// not passed on to whom they would look like a stranger's.
    pub moving: Shared32,
    /// Packets until `drop_packet` drops one. What is above is read for every packet, and so not
    /// written for new connections: in a cache line of its own.
    pub shed_in: Padded,
}

/// A word that many CPUs write.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct Padded {
    pub word: Shared32,
}

/// How many [`State`]s there are: a power of two.
pub const STATES: usize = 32;

/// A tick is 2^20 ns (1.05 ms): a shift away from the kernel's clock, fine enough for any
/// timeout, and 32 bits of them count for 24 days either way.
pub const TICK_SHIFT: u32 = 20;

/// How many ticks `seconds` are; at most 2^31 - 1, which is 26 days.
pub const fn ticks(seconds: u32) -> u32 {
    let ticks = (seconds as u64 * 1_000_000_000) >> TICK_SHIFT;
    if ticks > i32::MAX as u64 {
        i32::MAX as u32
    } else {
        ticks as u32
    }
}

/// How many whole seconds `ticks` are, rounded to the nearest.
pub const fn seconds(ticks: u32) -> u32 {
    (((ticks as u64) << TICK_SHIFT) + 500_000_000).div_euclid(1_000_000_000) as u32
}

/// Ticks from `then` to `now`; 0 if another CPU's clock made `then` the later one.
#[inline(always)]
pub fn elapsed(now: u32, then: u32) -> u32 {
    let ticks = now.wrapping_sub(then);
    if ticks as i32 >= 0 { ticks } else { 0 }
}

impl Settings {
    #[inline(always)]
    pub fn is_led<F: Family>(&self) -> bool {
        self.led[F::INDEX].load() != 0
    }

    /// What a packet is that would have a connection, and has none.
    #[inline(always)]
    pub fn unknown(&self, otherwise: Reason) -> Reason {
        match self.moving.load() {
            0 => otherwise,
            _ => Reason::Moving,
        }
    }

    #[inline(always)]
    pub fn timeout(&self, state: State) -> u32 {
        self.timeouts[state as usize & (STATES - 1)].load()
    }

    /// That of an entry. By its bits: of a [`State`] the compiler knows that it is within bounds,
    /// and the verifier does not.
    #[inline(always)]
    pub fn timeout_of(&self, meta: Meta) -> u32 {
        self.timeouts[meta.state_bits() as usize & (STATES - 1)].load()
    }

    pub fn set_timeout(&self, state: State, ticks: u32) {
        self.timeouts[state as usize & (STATES - 1)].store(ticks);
    }

    #[inline(always)]
    pub fn sysctl(&self, which: Sysctl) -> u32 {
        self.sysctls[which as usize & (sysctl::ROOM - 1)].load()
    }

    #[inline(always)]
    pub fn is_on(&self, which: Sysctl) -> bool {
        self.sysctl(which) != 0
    }

    pub fn set_sysctl(&self, which: Sysctl, value: u32) {
        self.sysctls[which as usize & (sysctl::ROOM - 1)].store(value);
    }

    /// Whether a packet that would begin a connection is dropped, by `drop_packet` (ip_vs.h,
    /// `ip_vs_todrop`).
    #[inline(always)]
    pub fn sheds(&self) -> bool {
        let rate = self.sysctl(Sysctl::DropPacket);
        if rate == 0 {
            return false;
        }
        let left = self.shed_in.word.add(u32::MAX).wrapping_sub(1);
        if left as i32 > 0 {
            return false;
        }
        self.shed_in.word.store(rate);
        true
    }

    /// Keeps `last_stateless`, once it is long ago, from looking recent when the clock has gone
    /// half around. For the daemon's sweep.
    pub fn age(&self, now: u32) {
        let then = self.last_stateless.load();
        if elapsed(now, then) > LONG_AGO {
            self.last_stateless
                .replace(then, now.wrapping_sub(LONG_AGO));
        }
    }

    /// IPVS's defaults (ip_vs_proto_tcp.c, ip_vs_proto_udp.c, ip_vs_proto_sctp.c, ip_vs_ctl.c).
    pub fn set_defaults(&self) {
        for &(state, seconds) in &DEFAULT_TIMEOUTS {
            self.set_timeout(state, ticks(seconds));
        }
        self.set_sysctl(Sysctl::ConnReuseMode, 1);
        self.set_sysctl(Sysctl::LblcExpiration, DAY);
        self.set_sysctl(Sysctl::LblcrExpiration, DAY);
    }
}

const DAY: u32 = 86_400;

/// An hour before what [`elapsed`] can tell.
const LONG_AGO: u32 = i32::MAX as u32 - ticks(3600);

/// A second more than SCTP waits at most before it sends something again (RTO.Max, RFC 9260,
/// section 16).
const SCTP_LONGEST: u32 = 61;

const DEFAULT_TIMEOUTS: [(State, u32); 28] = [
    (State::Udp, 300),
    (State::Template, 360),
    (State::Assured, 360),
    (State::None, 2),
    (State::Established, 900),
    (State::SynSent, 120),
    (State::SynRecv, 60),
    (State::FinWait, 120),
    (State::TimeWait, 120),
    (State::Close, 10),
    (State::CloseWait, 60),
    (State::LastAck, 30),
    (State::Listen, 120),
    (State::SynAck, 120),
    (State::SctpNone, 2),
    (State::Init1, 4),
    (State::Init, SCTP_LONGEST),
    (State::CookieSent, SCTP_LONGEST),
    (State::CookieReplied, SCTP_LONGEST),
    (State::CookieWait, SCTP_LONGEST),
    (State::Cookie, SCTP_LONGEST),
    (State::CookieEchoed, SCTP_LONGEST),
    (State::SctpEstablished, 900),
    (State::ShutdownSent, SCTP_LONGEST),
    (State::ShutdownReceived, SCTP_LONGEST),
    (State::ShutdownAckSent, SCTP_LONGEST),
    (State::Rejected, 4),
    (State::Closed, SCTP_LONGEST),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_survive_the_way_there_and_back() {
        for s in [0, 1, 10, 60, 900, 86_400, 1_000_000] {
            assert_eq!(seconds(ticks(s)), s);
        }
        assert_eq!(ticks(u32::MAX), i32::MAX as u32);
    }

    #[test]
    fn elapsed_counts_over_the_wrap_and_never_backwards() {
        assert_eq!(elapsed(5, u32::MAX - 4), 10);
        assert_eq!(elapsed(7, 8), 0);
    }
}
