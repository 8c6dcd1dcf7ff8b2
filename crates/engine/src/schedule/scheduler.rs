//! The schedulers by name.

/// Each with the number that stands for it in [`Members`](super::Members), and its name.
macro_rules! schedulers {
    ($($(#[$doc:meta])* $scheduler:ident = $number:literal, $name:literal;)*) => {
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        #[repr(u8)]
        pub enum Scheduler {
            $($(#[$doc])* $scheduler = $number,)*
        }

        impl Scheduler {
            pub const ALL: [Self; [$($number),*].len()] = [$(Self::$scheduler),*];

            /// Bits that were stored from a scheduler; others count as none.
            #[inline(always)]
            pub const fn from_bits(bits: u8) -> Self {
                match bits {
                    $($number => Self::$scheduler,)*
                    _ => Self::None,
                }
            }

            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$scheduler => $name,)*
                }
            }
        }
    };
}

schedulers! {
    /// Round robin.
    Rr = 0, "rr";
    /// Weighted round robin.
    Wrr = 1, "wrr";
    /// Least connections.
    Lc = 2, "lc";
    /// Weighted least connections, the default.
    Wlc = 3, "wlc";
    /// Shortest expected delay.
    Sed = 4, "sed";
    /// Never queue.
    Nq = 5, "nq";
    /// Failover.
    Fo = 6, "fo";
    /// Overflow.
    Ovf = 7, "ovf";
    /// Destination hashing.
    Dh = 8, "dh";
    /// Source hashing.
    Sh = 9, "sh";
    /// Maglev hashing.
    Mh = 10, "mh";
    /// The better of two.
    Twos = 11, "twos";
    /// Locality-based least connections.
    Lblc = 12, "lblc";
    /// Locality-based least connections with replication.
    Lblcr = 13, "lblcr";
    /// No connection has a destination.
    None = 15, "none";
}

impl Scheduler {
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|scheduler| scheduler.name() == name)
    }
}
