//! What became of packets, as counters.

macro_rules! counts {
    ($(#[$about:meta])* $name:ident: $($(#[$doc:meta])* $variant:ident = $number:literal $text:literal;)*) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        #[repr(u32)]
        pub enum $name {
            $($(#[$doc])* $variant = $number,)*
        }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }
    };
}

counts! {
    /// What became of a tunnel's packet; its number is the counter's.
    Count:
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

counts! {
    /// What was heard of a connection's client.
    Told:
    /// Its address came with the connection.
    Known = 0 "known";
    /// It came with the first data.
    Late = 1 "late";
    /// A director opened the connection and did not say for whom.
    Untold = 2 "untold";
    /// Not believed: said by a peer that is no director.
    Disbelieved = 3 "disbelieved";
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
        for (number, told) in Told::ALL.iter().enumerate() {
            assert_eq!(*told as usize, number);
        }
        assert!(Count::ALL.len().max(Told::ALL.len()) <= ROOM as usize);
    }
}
