//! Which destination a new connection goes to.
//!
//! One small file a scheduler. All walk a service's [`Members`] in IPVS's order, the destination
//! added last first, and the first in that order wins ties.
//!
//! With one CPU the choices are IPVS's, one by one. With several, each CPU reads the cursor or
//! the loads a moment before another's choice may show: as in the kernel, the rules hold over
//! many connections.

mod lc;
mod members;
mod rr;
mod stateless;
mod wlc;
mod wrr;

pub use members::{Member, Members, NODES_PER_MEMBER, layout, next};
pub use stateless::pick as stateless;
pub use wrr::Step as WrrStep;

use crate::service::Service;
use crate::tables::Tables;

/// The schedulers by name.
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
}

impl Scheduler {
    pub const ALL: [Self; 4] = [Self::Rr, Self::Wrr, Self::Lc, Self::Wlc];

    /// Bits that were stored from a scheduler; others count as round robin.
    #[inline(always)]
    pub const fn from_bits(bits: u8) -> Self {
        match bits {
            1 => Self::Wrr,
            2 => Self::Lc,
            3 => Self::Wlc,
            _ => Self::Rr,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Rr => "rr",
            Self::Wrr => "wrr",
            Self::Lc => "lc",
            Self::Wlc => "wlc",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|scheduler| scheduler.name() == name)
    }
}

/// The destination that `service`'s scheduler chooses now, if there is one to choose.
#[inline(always)]
pub fn pick<T: Tables>(tables: &T, service: &Service) -> Option<u32> {
    match service.scheduler() {
        Scheduler::Rr => rr::pick(tables, service),
        Scheduler::Wrr => wrr::pick(tables, service),
        Scheduler::Lc => lc::pick(tables, service),
        Scheduler::Wlc => wlc::pick(tables, service),
    }
}

/// No number of a member or destination: what a loop that found none leaves.
const NONE: u32 = u32::MAX;

#[inline(always)]
fn some(number: u32) -> Option<u32> {
    (number != NONE).then_some(number)
}

/// Whether a destination is at its upper threshold.
#[inline(always)]
fn is_overloaded<T: Tables>(tables: &T, destination: u32) -> bool {
    tables
        .load(destination)
        .is_none_or(|load| load.overloaded.load() != 0)
}
