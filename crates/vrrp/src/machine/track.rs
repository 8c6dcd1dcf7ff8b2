//! What is tracked, and what follows for priority and fault.
//!
//! The rules are keepalived's (vrrp_track.c):
//! * With weight 0 what is tracked must be up, or with `reverse` down; a file must have 0, or with
//!   `reverse` anything else. Until that is known, nothing begins.
//! * A positive weight counts while it is up, a negative one while it is down; `reverse` changes the
//!   sign. What is not known yet counts nothing.
//! * A file's number is multiplied by the weight. If that is below -253, it is a fault.
//! * The priority stays within 1 to 254. An owner's does not change.

use crate::spec::{OWNER, Spec, Tracked};

/// What is known of something tracked.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Reading {
    /// Nothing: a script has not ended yet.
    #[default]
    Unknown,
    Up,
    Down,
    /// What is in a file.
    Number(i64),
}

/// What it comes to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Effect {
    /// It is not known whether there is a fault.
    Unsettled,
    Fault,
    Add(i32),
}

const FAULT: i64 = -254;
const MOST: i64 = 253;

impl Tracked {
    pub(super) fn effect(self, reading: Reading) -> Effect {
        let sign = if self.reverse { -1 } else { 1 };
        match (reading, self.weight) {
            (Reading::Unknown, 0) => Effect::Unsettled,
            (Reading::Unknown, _) => Effect::Add(0),
            (Reading::Up, 0) => self.fault_unless(true),
            (Reading::Down, 0) => self.fault_unless(false),
            (Reading::Number(number), 0) => self.fault_unless(number == 0),
            (Reading::Up, weight) => Effect::Add(weight.max(0).saturating_mul(sign)),
            (Reading::Down, weight) => Effect::Add(weight.min(0).saturating_mul(sign)),
            (Reading::Number(number), weight) => {
                let number = number.clamp(FAULT, -FAULT);
                match number * i64::from(weight) * i64::from(sign) {
                    ..=FAULT => Effect::Fault,
                    sum => Effect::Add(sum.min(MOST) as i32),
                }
            }
        }
    }

    fn fault_unless(self, well: bool) -> Effect {
        match well != self.reverse {
            true => Effect::Add(0),
            false => Effect::Fault,
        }
    }
}

/// The priority that counts.
pub(super) fn effective_priority(spec: &Spec, readings: &[Reading]) -> u8 {
    if spec.owner() {
        return OWNER;
    }
    let effects = spec.track.iter().zip(readings);
    let added = effects.map(|(tracked, reading)| match tracked.effect(*reading) {
        Effect::Add(number) => i64::from(number),
        Effect::Unsettled | Effect::Fault => 0,
    });
    let sum = i64::from(spec.priority) + added.sum::<i64>();
    sum.clamp(1, i64::from(OWNER) - 1) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tracked(weight: i32, reverse: bool) -> Tracked {
        Tracked { weight, reverse }
    }

    #[test]
    fn weights_count_as_keepalived_has_it() {
        use Effect::{Add, Fault, Unsettled};
        use Reading::{Down, Number, Unknown, Up};
        let rows = [
            (0, false, Unknown, Unsettled),
            (0, false, Up, Add(0)),
            (0, false, Down, Fault),
            (0, true, Up, Fault),
            (0, true, Down, Add(0)),
            (0, false, Number(0), Add(0)),
            (0, false, Number(7), Fault),
            (0, true, Number(0), Fault),
            (0, true, Number(-1), Add(0)),
            (20, false, Unknown, Add(0)),
            (20, false, Up, Add(20)),
            (20, false, Down, Add(0)),
            (20, true, Up, Add(-20)),
            (-20, false, Up, Add(0)),
            (-20, false, Down, Add(-20)),
            (-20, true, Down, Add(20)),
            (2, false, Number(10), Add(20)),
            (2, true, Number(10), Add(-20)),
            (-2, false, Number(127), Fault),
            (-1, false, Number(253), Add(-253)),
            (1, false, Number(-254), Fault),
            (1, false, Number(i64::MIN), Fault),
            (i32::MAX, false, Number(i64::MAX), Add(253)),
            (i32::MIN, true, Number(i64::MIN), Fault),
        ];
        for (weight, reverse, reading, effect) in rows {
            let tracked = tracked(weight, reverse);
            assert_eq!(tracked.effect(reading), effect, "{tracked:?} {reading:?}");
        }
    }

    #[test]
    fn priorities_stay_in_their_bounds() {
        let rows = [
            (100, vec![(50, Reading::Up), (-30, Reading::Down)], 120),
            (100, vec![(-253, Reading::Down)], 1),
            (100, vec![(253, Reading::Up)], 254),
            (255, vec![(-253, Reading::Down)], 255),
            (254, vec![(253, Reading::Up), (-253, Reading::Down)], 254),
        ];
        for (priority, tracks, effective) in rows {
            let mut spec = Spec::new(1, Vec::new());
            spec.priority = priority;
            spec.track = tracks.iter().map(|it| tracked(it.0, false)).collect();
            let readings: Vec<_> = tracks.iter().map(|it| it.1).collect();
            assert_eq!(effective_priority(&spec, &readings), effective);
        }
    }
}
