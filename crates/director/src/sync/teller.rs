//! Which entries are told, and when: each time the tables are gone through, what has changed since it
//! was told last.
//!
//! IPVS asks with each packet of a connection, and counts them. Here an entry does not count, for each
//! packet would write where it now only reads; so time decides: an open connection is told when it is
//! first found, a closing one at once, and then whenever its end has moved by a minute, by
//! `sync_refresh_period`, or by half of its timeout.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use rlvs_engine::FamilyTables;
use rlvs_engine::connection::{Meta, State};
use rlvs_engine::settings::{TICK_SHIFT, elapsed, ticks};
use rlvs_engine::table::{Seat, slot_at};
use rlvs_engine::tables::{Context, KeyOf};
use rlvs_engine::tuple::Packet;
use rlvs_plane::Store;
use rlvs_sync::Record;
use rlvs_sync::sender::{Rules, Seen, Told};

use super::counts::Counts;
use super::memory::{Known, Memory};
use super::portrait::{Audience, Sight, Untold, look, record};
use super::state;

/// The present, as [`Told`] counts: all that matters is what is how far from it.
const PRESENT: Duration = Duration::from_secs(1 << 32);

/// How far a connection's end moves until others are told, unless `sync_refresh_period` says so.
const REFRESH: Duration = Duration::from_secs(60);

/// IPVS's settings of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Manner {
    /// `sync_threshold`
    pub(super) threshold: u32,
    pub(super) period: u32,
    /// `sync_refresh_period`, or 0.
    pub(super) refresh_period: Duration,
    /// `sync_retries`
    pub(super) retries: u8,
    /// `sync_persist_mode`
    pub(super) persist_mode: bool,
}

#[derive(Debug)]
pub(super) struct Teller {
    memory: Arc<Memory>,
    /// Of what cannot be told.
    counts: Arc<Counts>,
    /// Without a count of packets.
    rules: Rules,
    /// Once is enough, but for the end.
    once: bool,
    /// A datagram is told with its first packet, not when it is found a second time with a later one:
    /// most questions of UDP are answered and over by then.
    from_first: bool,
    audience: Audience,
}

/// An entry that is to be told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Due {
    pub(super) record: Record,
    /// Ticks since its last packet.
    pub(super) idle: u32,
}

impl Teller {
    pub(super) fn new(
        memory: Arc<Memory>,
        counts: Arc<Counts>,
        manner: &Manner,
        audience: Audience,
    ) -> Self {
        let refresh_period = match manner.refresh_period.is_zero() {
            true => REFRESH,
            false => manner.refresh_period,
        };
        let rules = Rules {
            period: 0,
            refresh_period,
            retries: manner.retries,
            persist_mode: manner.persist_mode,
            ..Rules::default()
        };
        Self {
            memory,
            counts,
            rules,
            once: manner.period == 0 && manner.refresh_period.is_zero(),
            from_first: manner.threshold < 2,
            audience,
        }
    }

    /// What is to be told of the entry at a seat; it counts as told from now on.
    pub(super) fn due<F: Packet, T: Store + FamilyTables<F>>(
        &self,
        context: Context<'_, T>,
        seat: Seat,
    ) -> Option<Due> {
        let sight = look::<F, T>(context, slot_at::<F, T>(context.tables, seat)?)?;
        let known = self.memory.load(F::INDEX, seat);
        let tag = tag::<F>(&sight);
        let is_known = known.is_of(tag);
        let (state, ends) = (sight.meta.state(), sight.ends());
        let is_same = is_known && (known.state(), known.ends()) == (state, ends);
        if is_same && (known.is_told() || !self.from_first) {
            return None;
        }
        let next = Known::new(tag, state, ends);
        let told = match is_known && known.is_told() {
            true => self.again(context.now, &sight, known)?,
            false => {
                if !self.first(&sight, is_known) {
                    self.memory.store(F::INDEX, seat, next);
                    return None;
                }
                0
            }
        };
        let idle = elapsed(context.now, sight.seen);
        let record = match record::<F, T>(context.tables, &sight, self.audience) {
            Err(Untold::OnlyHere) => return None,
            // A packet that begins a template keeps its Call-ID a moment later.
            Err(Untold::CallForgotten) if idle < ticks(1) => return None,
            record => record,
        };
        self.memory.store(F::INDEX, seat, next.told(told));
        if record.is_err() {
            self.counts.drop_for("call-id-forgotten", 1);
        }
        Some(Due {
            record: record.ok()?,
            idle,
        })
    }

    /// Whether an entry is told that never was; `is_noticed`: it had another packet since it was found.
    /// What ends already, or has not begun, is nothing that others could keep alive.
    fn first<V>(&self, sight: &Sight<V>, is_noticed: bool) -> bool {
        if self.rules.persist_mode && is_controlled(sight) {
            return false;
        }
        match sight.meta.state() {
            State::Udp => self.from_first || is_noticed,
            state => state::told(state).is_some_and(|state| state.is_open()),
        }
    }

    /// Which repetition it is, if it is told again.
    fn again<V>(&self, now: u32, sight: &Sight<V>, known: Known) -> Option<u8> {
        let told = Told::known(
            state::told(known.state())?,
            moment(now, known.ends()),
            known.retries(),
        );
        let seen = Seen {
            state: state::told(sight.meta.state())?,
            packets: 0,
            timeout: duration(sight.left(now)),
            is_controlled: is_controlled(sight),
        };
        if self.once && !seen.state.is_closing() {
            return None;
        }
        let after = told.after(&seen, &self.rules, PRESENT)?;
        Some(after.retries())
    }
}

fn is_controlled<V>(sight: &Sight<V>) -> bool {
    sight.meta.has(Meta::CONTROLLED)
}

/// What tells an entry from others that were in its slot. A template's word changes with each of its
/// connections, so it is known by its key.
pub(super) fn tag<F: Packet>(sight: &Sight<KeyOf<F>>) -> u32 {
    let meta = sight.meta;
    match meta.state().is_template() {
        false => (meta.0 >> 48) as u32 ^ meta.destination().rotate_left(16),
        true => {
            let mut hasher = DefaultHasher::new();
            (sight.key, meta.destination()).hash(&mut hasher);
            hasher.finish() as u32
        }
    }
}

fn moment(now: u32, tick: u32) -> Duration {
    let ahead = tick.wrapping_sub(now).cast_signed();
    match ahead < 0 {
        true => PRESENT.saturating_sub(duration(ahead.unsigned_abs())),
        false => PRESENT + duration(ahead.unsigned_abs()),
    }
}

fn duration(ticks: u32) -> Duration {
    Duration::from_nanos(u64::from(ticks) << TICK_SHIFT)
}
