//! When neighbours are told where the virtual addresses are.

use core::time::Duration;

use crate::spec::Announcements;

/// What is still to be announced while it is master.
#[derive(Clone, Debug, Default)]
pub(super) struct Schedule {
    /// Second rounds: after it became master, and after a lower priority was heard.
    again: Option<(Duration, u32)>,
    again_lower: Option<(Duration, u32)>,
    refresh: Option<Duration>,
    /// Before that, an advertisement of lower priority brings no more announcements: they are many for
    /// one packet.
    enough_until: Duration,
}

impl Schedule {
    /// It is master now: how often to announce at once.
    pub(super) fn begin(&mut self, now: Duration, spec: &Announcements) -> u32 {
        *self = Self {
            again: later(now, spec.master_delay, spec.master_repeat),
            ..Self::default()
        };
        self.go_on(now, spec);
        spec.master_repeat
    }

    /// It was master already.
    pub(super) fn go_on(&mut self, now: Duration, spec: &Announcements) {
        let refresh = spec.master_refresh;
        self.refresh = (!refresh.is_zero()).then(|| now + refresh);
    }

    /// A lower priority was heard: how often to announce at once, but not more often than once in an
    /// interval.
    pub(super) fn lower(&mut self, now: Duration, spec: &Announcements, interval: Duration) -> u32 {
        if now < self.enough_until {
            return 0;
        }
        self.enough_until = now + interval;
        let delay = spec.lower_prio_delay.unwrap_or(spec.master_delay);
        let repeat = spec.lower_prio_repeat.unwrap_or(spec.master_repeat);
        self.again_lower = later(now, delay, repeat);
        repeat
    }

    pub(super) fn end(&mut self) {
        *self = Self::default();
    }

    pub(super) fn due(&self) -> Option<Duration> {
        let again = self.again.map(|(at, _)| at);
        let lower = self.again_lower.map(|(at, _)| at);
        again.into_iter().chain(lower).chain(self.refresh).min()
    }

    /// How often to announce now.
    pub(super) fn poll(&mut self, now: Duration, spec: &Announcements) -> u32 {
        let mut times = 0;
        for round in [&mut self.again, &mut self.again_lower] {
            if let Some((_, repeat)) = round.take_if(|(at, _)| *at <= now) {
                times += repeat;
            }
        }
        if self.refresh.is_some_and(|at| at <= now) {
            times += spec.master_refresh_repeat;
            self.go_on(now, spec);
        }
        times
    }
}

fn later(now: Duration, delay: Duration, repeat: u32) -> Option<(Duration, u32)> {
    (!delay.is_zero() && repeat > 0).then(|| (now + delay, repeat))
}
