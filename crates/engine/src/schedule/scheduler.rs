//! The schedulers by name.

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Scheduler {
    /// Round robin.
    Rr = 0,
    /// Weighted round robin.
    Wrr = 1,
    /// Least connections.
    Lc = 2,
    /// Weighted least connections, the default.
    Wlc = 3,
    /// Shortest expected delay.
    Sed = 4,
    /// Never queue.
    Nq = 5,
    /// Failover.
    Fo = 6,
    /// Overflow.
    Ovf = 7,
    /// Destination hashing.
    Dh = 8,
    /// Source hashing.
    Sh = 9,
    /// Maglev hashing.
    Mh = 10,
    /// The better of two.
    Twos = 11,
    /// No connection has a destination.
    None = 15,
}

impl Scheduler {
    pub const ALL: [Self; 13] = [
        Self::Rr,
        Self::Wrr,
        Self::Lc,
        Self::Wlc,
        Self::Sed,
        Self::Nq,
        Self::Fo,
        Self::Ovf,
        Self::Dh,
        Self::Sh,
        Self::Mh,
        Self::Twos,
        Self::None,
    ];

    /// Bits that were stored from a scheduler; others count as none.
    #[inline(always)]
    pub const fn from_bits(bits: u8) -> Self {
        match bits {
            0 => Self::Rr,
            1 => Self::Wrr,
            2 => Self::Lc,
            3 => Self::Wlc,
            4 => Self::Sed,
            5 => Self::Nq,
            6 => Self::Fo,
            7 => Self::Ovf,
            8 => Self::Dh,
            9 => Self::Sh,
            10 => Self::Mh,
            11 => Self::Twos,
            _ => Self::None,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Rr => "rr",
            Self::Wrr => "wrr",
            Self::Lc => "lc",
            Self::Wlc => "wlc",
            Self::Sed => "sed",
            Self::Nq => "nq",
            Self::Fo => "fo",
            Self::Ovf => "ovf",
            Self::Dh => "dh",
            Self::Sh => "sh",
            Self::Mh => "mh",
            Self::Twos => "twos",
            Self::None => "none",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|scheduler| scheduler.name() == name)
    }
}
