//! What became of packets, as counters.

macro_rules! counts {
    ($($(#[$doc:meta])* $variant:ident = $number:literal $name:literal;)*) => {
        /// What became of a tunnel's packet; its number is the counter's.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        #[repr(u32)]
        pub enum Count {
            $($(#[$doc])* $variant = $number,)*
        }

        impl Count {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

counts! {
    Decapsulated = 0 "decapsulated";
    /// Dropped: the sender is none of the directors.
    WrongSender = 1 "wrong_sender";
    /// Left to the kernel: what is inside is not for a virtual address.
    NotVip = 2 "not_a_vip";
    /// Left to the kernel: headers contradict themselves or each other.
    Malformed = 3 "malformed";
    /// Left to the kernel: a part of a tunnel's packet.
    Fragment = 4 "fragment";
    /// Left to the kernel: a form of the tunnel that is not understood.
    Unsupported = 5 "unsupported";
    /// Left to the kernel: several tunnel packets that the interface made one.
    Merged = 6 "merged";
    /// Dropped: marked for congestion, though its ends do not know such marks (RFC 6040).
    Congestion = 7 "congestion";
    /// Dropped: the kernel could not take the outer headers away.
    Failed = 8 "failed";
}

/// How many counters there is room for.
pub const ROOM: u32 = 16;

impl Count {
    /// Whether the packet is dropped.
    #[inline(always)]
    pub const fn drops(self) -> bool {
        matches!(self, Self::WrongSender | Self::Congestion | Self::Failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_has_its_place() {
        for (number, count) in Count::ALL.iter().enumerate() {
            assert_eq!(*count as usize, number);
        }
        assert!(Count::ALL.len() <= ROOM as usize);
    }
}
