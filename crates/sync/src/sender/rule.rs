//! When a connection is told (`ip_vs_sync_conn_needed`, as for version 1).
//!
//! * Templates, and connections that are open or closing, are told by count and time. By count: whenever
//!   packets modulo `sync_period` is `sync_threshold`; templates each time. Without a period: once,
//!   with packet number `sync_threshold`.
//! * By time: with `sync_refresh_period`, not before its end has moved by that much, by half of its
//!   timeout, or by ten seconds if that is more than half; but `sync_retries` times again meanwhile,
//!   with an eighth of the refresh period in between. Without a `sync_period` time alone decides.
//! * A connection that has come to a closing state is told at once: backups are not to keep it for the
//!   long time of an established one. One that is opening is not told.
//! * With `sync_persist_mode` connections that a template decided are not told: it does for them.
//!
//! One-packet connections are in no table, so nobody asks about them.

use std::time::Duration;

use crate::state::State;

/// Half a timeout that is shorter than twice this counts as this.
const LEAST_MOVE: Duration = Duration::from_secs(10);

/// IPVS's sysctls.
///
/// Who counts no packets leaves `period` 0 and sets `refresh_period`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rules {
    /// `sync_threshold`: its first number, smaller than the second.
    pub threshold: u32,
    /// Its second number, or 0.
    pub period: u32,
    /// `sync_refresh_period`, or 0.
    pub refresh_period: Duration,
    /// `sync_retries`: at most 3.
    pub retries: u8,
    /// `sync_persist_mode`
    pub persist_mode: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            threshold: 3,
            period: 50,
            refresh_period: Duration::ZERO,
            retries: 0,
            persist_mode: false,
        }
    }
}

/// A connection or template as it is now.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub state: State,
    /// The client's packets; of a template those of its connections. Of one that a backup was told of
    /// counting begins at [`Rules::threshold`].
    pub packets: u32,
    /// How long it lasts from now on without another packet.
    pub timeout: Duration,
    /// A template decided where it goes.
    pub is_controlled: bool,
}

/// What backups know of a connection, as far as the rule needs it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Told {
    state: Option<State>,
    /// When it ends at backups.
    ends: Duration,
    /// How often it was told since `ends` moved.
    retries: u8,
}

impl Told {
    /// Nothing, of a connection that begins now.
    pub fn nothing(now: Duration) -> Self {
        Self {
            state: None,
            ends: now,
            retries: 0,
        }
    }

    /// That it is in this state, ends then, and was told so often since that moved: for who keeps what
    /// is known in a form of its own.
    pub fn known(state: State, ends: Duration, retries: u8) -> Self {
        Self {
            state: Some(state),
            ends,
            retries,
        }
    }

    /// How often it was told since its end at backups moved.
    pub fn retries(&self) -> u8 {
        self.retries
    }

    /// It was learned from another master.
    pub fn learned(state: State, now: Duration) -> Self {
        Self {
            state: Some(state),
            ..Self::nothing(now)
        }
    }

    /// What is known once it is told, if it is to be told now.
    pub fn after(&self, seen: &Seen, rules: &Rules, now: Duration) -> Option<Self> {
        if rules.persist_mode && seen.is_controlled && !seen.state.is_template() {
            return None;
        }
        let ends = now + seen.timeout;
        let told = |retries| Self {
            state: Some(seen.state),
            ends,
            retries,
        };
        if seen.state.is_closing() && self.state != Some(seen.state) {
            return Some(told(0));
        }
        if !seen.state.is_closing() && !seen.state.is_open() {
            return None;
        }
        let retries = self.repetition(ends, seen.timeout, rules)?;
        rules.count(seen).then(|| told(retries))
    }

    /// Which repetition it is, 0 for none, or `None` if it is too early.
    fn repetition(&self, ends: Duration, timeout: Duration, rules: &Rules) -> Option<u8> {
        let moved = ends.abs_diff(self.ends);
        if moved >= rules.refresh_period.min(LEAST_MOVE.max(timeout / 2)) {
            return Some(0);
        }
        let again = self.ends + rules.refresh_period / 8;
        (self.retries < rules.retries && ends >= again).then(|| self.retries + 1)
    }
}

impl Rules {
    /// Whether the number of packets says so.
    fn count(&self, seen: &Seen) -> bool {
        match seen.packets.checked_rem(self.period) {
            Some(rest) => seen.state.is_template() || rest == self.threshold,
            None => !self.refresh_period.is_zero() || seen.packets == self.threshold,
        }
    }
}

#[cfg(test)]
mod tests;
