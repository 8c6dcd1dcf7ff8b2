//! Why a frame that was forwarded did not leave: what the kernel says when it is too late for a
//! verdict. Counted beside the reasons.

/// A failure of XDP to send a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Failure {
    Down = 52,
    NotReady,
    Unsupported,
    TooLarge,
    Full,
    Other,
}

/// Error numbers (include/uapi/asm-generic/errno.h) of net/core/filter.c, kernel/bpf/devmap.c and
/// drivers' `ndo_xdp_xmit`.
const ENXIO: i32 = 6;
const ENOSPC: i32 = 28;
const EMSGSIZE: i32 = 90;
const EOPNOTSUPP: i32 = 95;
const ENETDOWN: i32 = 100;
const ENOBUFS: i32 = 105;

impl Failure {
    pub const ALL: &[Self] = &[
        Self::Down,
        Self::NotReady,
        Self::Unsupported,
        Self::TooLarge,
        Self::Full,
        Self::Other,
    ];

    /// By the kernel's error; 0 where a device had no room.
    #[inline(always)]
    pub const fn of(error: i32) -> Self {
        match -error {
            0 | ENOSPC | ENOBUFS => Self::Full,
            ENXIO => Self::NotReady,
            EMSGSIZE => Self::TooLarge,
            EOPNOTSUPP => Self::Unsupported,
            ENETDOWN => Self::Down,
            _ => Self::Other,
        }
    }

    /// Name in status, metrics and tests.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Down => "transmit-down",
            Self::NotReady => "transmit-not-ready",
            Self::Unsupported => "transmit-unsupported",
            Self::TooLarge => "transmit-too-large",
            Self::Full => "transmit-full",
            Self::Other => "transmit-other",
        }
    }

    /// A sentence for the operator.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Down => "XDP was to send it by an interface that is down",
            Self::NotReady => {
                "XDP was to send it by an interface that takes no frames yet: the other end of a \
                 veth needs GRO (ethtool -K PEER gro on), some drivers a program of their own"
            }
            Self::Unsupported => {
                "XDP was to send it by an interface that takes no frames, or none in pieces: the \
                 other end of a veth needs GRO (ethtool -K PEER gro on); for others set mode = \
                 \"tc\" where it came in"
            }
            Self::TooLarge => "XDP was to send it by an interface with a smaller MTU",
            Self::Full => "XDP was to send it by an interface whose queue was full",
            Self::Other => "XDP failed to send it",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_their_failure() {
        for (error, failure) in [
            (0, Failure::Full),
            (-ENXIO, Failure::NotReady),
            (-EMSGSIZE, Failure::TooLarge),
            (-EOPNOTSUPP, Failure::Unsupported),
            (-ENETDOWN, Failure::Down),
            (-22, Failure::Other),
        ] {
            assert_eq!(Failure::of(error), failure, "{error}");
        }
    }

    #[test]
    fn places_are_consecutive_and_there() {
        for (place, failure) in (Failure::Down as usize..).zip(Failure::ALL) {
            assert_eq!(*failure as usize, place);
            assert!(place < crate::reason::ROOM as usize);
        }
    }
}
