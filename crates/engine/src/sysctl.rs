//! IPVS's sysctls (`net.ipv4.vs`), as far as packets are treated by them, and those of our own.

/// One of them; its place in [`Settings`](crate::settings::Settings).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Sysctl {
    /// Which closing connections a SYN starts anew, see [`crate::process`].
    ConnReuseMode,
    /// A connection whose destination was removed ends at once.
    ExpireNodestConn,
    /// A template whose destination has weight 0 is not used again.
    ExpireQuiescentTemplate,
    /// The same of a UDP flow; not in IPVS.
    ExpireQuiescentUdp,
    /// A TCP segment in the middle of a connection may begin one here.
    SloppyTcp,
    /// The same of SCTP packets.
    SloppySctp,
    /// Seconds after which lblc forgets an address that nobody asked for.
    LblcExpiration,
    /// Seconds after which a set of lblcr's loses a destination, and an address is forgotten.
    LblcrExpiration,
    /// A packet by its firewall mark that finds no destination goes on to where it was sent.
    CacheBypass,
    /// 1 while `drop_entry` is in force: the daemon's sweep ends half-open connections.
    DropEntry,
    /// While `drop_packet` is in force: of new connections' packets one of so many is dropped; else 0.
    DropPacket,
    /// 1 while `secure_tcp` is in force: TCP has other states.
    SecureTcp,
    /// A masqueraded real server is told that a connection is not known.
    NatIcmpSend,
    /// An ICMP error about no known connection begins it.
    ScheduleIcmp,
}

impl Sysctl {
    pub const ALL: [Self; 14] = [
        Self::ConnReuseMode,
        Self::ExpireNodestConn,
        Self::ExpireQuiescentTemplate,
        Self::ExpireQuiescentUdp,
        Self::SloppyTcp,
        Self::SloppySctp,
        Self::LblcExpiration,
        Self::LblcrExpiration,
        Self::CacheBypass,
        Self::DropEntry,
        Self::DropPacket,
        Self::SecureTcp,
        Self::NatIcmpSend,
        Self::ScheduleIcmp,
    ];

    /// Its name below `net.ipv4.vs`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConnReuseMode => "conn_reuse_mode",
            Self::ExpireNodestConn => "expire_nodest_conn",
            Self::ExpireQuiescentTemplate => "expire_quiescent_template",
            Self::ExpireQuiescentUdp => "expire_quiescent_udp",
            Self::SloppyTcp => "sloppy_tcp",
            Self::SloppySctp => "sloppy_sctp",
            Self::LblcExpiration => "lblc_expiration",
            Self::LblcrExpiration => "lblcr_expiration",
            Self::CacheBypass => "cache_bypass",
            Self::DropEntry => "drop_entry",
            Self::DropPacket => "drop_packet",
            Self::SecureTcp => "secure_tcp",
            Self::NatIcmpSend => "nat_icmp_send",
            Self::ScheduleIcmp => "schedule_icmp",
        }
    }
}

/// How many there is room for: a power of two.
pub const ROOM: usize = 16;

const _: () = assert!(Sysctl::ALL.len() <= ROOM);
