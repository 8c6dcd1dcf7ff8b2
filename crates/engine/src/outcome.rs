//! What a step says of a frame, in one number.
//!
//! Not a `Result` of an enum with fields: what a variant leaves unwritten the compiler copies all
//! the same, and the verifier takes no copy of what was never written.

use crate::process::Verdict;
use crate::reason::Reason;

/// A verdict (8 bits) above an interface (32), or the reason for none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(transparent)]
pub struct Outcome(pub u64);

impl Outcome {
    const FAILED: u64 = 1 << 40;
    const VERDICT: u32 = 32;

    /// None, for this reason.
    #[inline(always)]
    pub const fn failed(reason: Reason) -> Self {
        Self(Self::FAILED | reason as u64)
    }

    #[inline(always)]
    const fn done(verdict: Verdict) -> Self {
        let (kind, interface) = match verdict {
            Verdict::Drop => (0, 0),
            Verdict::Pass => (1, 0),
            Verdict::Transmit => (2, 0),
            Verdict::Redirect(interface) => (3, interface),
            Verdict::Neighbour(interface) => (4, interface),
            Verdict::Deliver => (5, 0),
        };
        Self(kind << Self::VERDICT | interface as u64)
    }

    /// Why there is no verdict.
    #[inline(always)]
    pub const fn reason(self) -> Option<Reason> {
        match self.0 & Self::FAILED {
            0 => None,
            _ => Some(Reason::from_bits(self.0 as u8)),
        }
    }

    /// Whether there is none for this reason.
    #[inline(always)]
    pub const fn is(self, reason: Reason) -> bool {
        self.0 == Self::failed(reason).0
    }

    /// The verdict, if there is one.
    #[inline(always)]
    pub const fn verdict(self) -> Verdict {
        let interface = self.0 as u32;
        match (self.0 >> Self::VERDICT) as u8 {
            1 => Verdict::Pass,
            2 => Verdict::Transmit,
            3 => Verdict::Redirect(interface),
            4 => Verdict::Neighbour(interface),
            5 => Verdict::Deliver,
            _ => Verdict::Drop,
        }
    }

    /// Of a step that finds the number of a destination.
    #[inline(always)]
    pub const fn found(number: u32) -> Self {
        Self(number as u64)
    }

    /// What [`Self::found`] was given.
    #[inline(always)]
    pub const fn number(self) -> Result<u32, Reason> {
        match self.reason() {
            Some(reason) => Err(reason),
            None => Ok(self.0 as u32),
        }
    }

    #[inline(always)]
    pub const fn result(self) -> Result<Verdict, Reason> {
        match self.reason() {
            Some(reason) => Err(reason),
            None => Ok(self.verdict()),
        }
    }
}

impl From<Result<Verdict, Reason>> for Outcome {
    #[inline(always)]
    fn from(result: Result<Verdict, Reason>) -> Self {
        match result {
            Ok(verdict) => Self::done(verdict),
            Err(reason) => Self::failed(reason),
        }
    }
}

/// `?` for functions that return an [`Outcome`].
macro_rules! tried {
    ($result:expr) => {
        match $result {
            Ok(value) => value,
            Err(reason) => return $crate::outcome::Outcome::failed(reason),
        }
    };
}

pub(crate) use tried;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_it_was_made_of() {
        let verdicts = [
            Verdict::Drop,
            Verdict::Pass,
            Verdict::Transmit,
            Verdict::Redirect(0),
            Verdict::Redirect(u32::MAX),
            Verdict::Neighbour(7),
            Verdict::Deliver,
        ];
        for verdict in verdicts {
            assert_eq!(Outcome::from(Ok(verdict)).result(), Ok(verdict));
        }
        for &reason in Reason::ALL {
            let outcome = Outcome::from(Err(reason));
            assert_eq!(outcome.result(), Err(reason));
            assert!(outcome.is(reason));
        }
        assert!(!Outcome::from(Ok(Verdict::Drop)).is(Reason::NotIp));
    }
}
