//! Slow start: the weight of a destination that is new, or back from weight 0, rises to what it is.
//!
//! Weights are whole numbers, and mostly 1. So while one rises, all of the service's are multiplied
//! by [`PARTS`], which changes nothing in their ratios, and the rising one is multiplied by how many
//! parts it has.

use super::{DesiredDestination, DesiredService};

/// How many parts a weight has while others rise.
const PARTS: u32 = 64;
const LARGEST_WEIGHT: u32 = i32::MAX.cast_unsigned();

/// The weights that a scheduler goes by at a moment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Present {
    /// In the order of [`DesiredService::members`].
    pub weights: Vec<u32>,
    /// They will be others by themselves.
    pub rise: bool,
}

impl DesiredService {
    pub fn present(&self, now: u64) -> Present {
        let factor = match self.members().any(|it| self.parts(it, now).is_some()) {
            true => self.factor(),
            false => {
                let weights = self.destinations().map(|it| it.weight).collect();
                return Present {
                    weights,
                    rise: false,
                };
            }
        };
        let weigh = |member: &DesiredDestination| {
            let whole = member.destination().weight * factor;
            self.parts(member, now)
                .map_or(whole, |parts| share(whole, parts))
        };
        Present {
            weights: self.members().map(weigh).collect(),
            rise: true,
        }
    }

    /// How much of its weight in percent a member has now, if not all, and the seconds until then.
    pub fn starting(&self, member: &DesiredDestination, now: u64) -> Option<(u32, u64)> {
        let parts = self.parts(member, now)?;
        let until = member.since()? + u64::from(self.service.slow_start);
        Some((parts * 100 / PARTS, until.saturating_sub(now)))
    }

    /// How many of [`PARTS`] a member has: one at first, then more, then all (which is none here).
    fn parts(&self, member: &DesiredDestination, now: u64) -> Option<u32> {
        let slow_start = u64::from(self.service.slow_start);
        let elapsed = now.saturating_sub(member.since()?);
        if elapsed >= slow_start || member.destination().weight == 0 {
            return None;
        }
        let more = u64::from(PARTS - 1) * elapsed / slow_start;
        Some(1 + more as u32)
    }

    /// Less than [`PARTS`] where the largest weight would become too large.
    fn factor(&self) -> u32 {
        let most = self.destinations().map(|it| it.weight).max().unwrap_or(0);
        (LARGEST_WEIGHT / most.max(1)).clamp(1, PARTS)
    }
}

/// Not 0, or it would get nothing.
fn share(whole: u32, parts: u32) -> u32 {
    let share = u64::from(whole) * u64::from(parts) / u64::from(PARTS);
    (share as u32).max(1)
}
