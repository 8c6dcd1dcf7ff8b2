//! What happens to synchronisation, told to who listens to events. What strangers can bring about as often
//! as they like is told once a minute, with how often it was.

use std::collections::HashMap;
use std::fmt::Display;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rlvs_control::event::{SyncChange, SyncEvent, What};

use crate::news::News;

/// The same is told again after this at the earliest.
const PAUSE: Duration = Duration::from_secs(60);
/// So much is told apart; what is more counts as it: nobody takes memory by many addresses.
const MOST: usize = 256;

/// Reasons that are no errors: masters of other groups, and what two directors both know. A wrong secret is
/// told as a refusal.
const USUAL: [&str; 7] = [
    "wrong-secret",
    "own",
    "other-syncid",
    "one-packet",
    "no-client-port",
    "known-better-here",
    "ended-elsewhere",
];

#[derive(Debug, Default)]
pub(super) struct Herald {
    news: News,
    told: Mutex<HashMap<Subject, Told>>,
}

/// Whom it is about, and why something was refused or dropped.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
enum Subject {
    Dropped(String, &'static str),
    Refused(Option<IpAddr>, &'static str),
}

#[derive(Debug)]
struct Told {
    at: Instant,
    /// Since.
    count: u64,
}

impl Herald {
    pub(super) fn new(news: News) -> Self {
        Self {
            news,
            told: Mutex::default(),
        }
    }

    /// Tells at once of a peer, by its address, or of a daemon, by its role.
    pub(super) fn tell(&self, sync: impl Display, what: SyncChange) {
        let sync = sync.to_string();
        self.news.tell(What::Sync(SyncEvent { sync, what }));
    }

    /// Who wanted to be heard is not.
    pub(super) fn refuse(&self, source: IpAddr, reason: &'static str) {
        self.count(Subject::Refused(Some(source), reason), 1, Instant::now());
    }

    /// Something of a peer or for a daemon is not used.
    pub(super) fn leave_out(&self, sync: &str, reason: &'static str, count: u64) {
        if !USUAL.contains(&reason) {
            let subject = Subject::Dropped(sync.to_owned(), reason);
            self.count(subject, count, Instant::now());
        }
    }

    /// Tells what has waited for a minute: to be called now and then.
    pub(super) fn catch_up(&self, now: Instant) {
        let mut due = Vec::new();
        let mut told = self.told();
        told.retain(|subject, told| {
            if now.duration_since(told.at) < PAUSE {
                return true;
            }
            if told.count > 0 {
                due.push((subject.clone(), told.count));
            }
            told.at = now;
            std::mem::take(&mut told.count) > 0
        });
        drop(told);
        due.iter()
            .for_each(|(subject, count)| self.say(subject, *count));
    }

    fn count(&self, subject: Subject, count: u64, now: Instant) {
        let mut told = self.told();
        let subject = match told.len() >= MOST && !told.contains_key(&subject) {
            true => subject.without_source(),
            false => subject,
        };
        if let Some(told) = told.get_mut(&subject) {
            told.count += count;
            return;
        }
        told.insert(subject.clone(), Told { at: now, count: 0 });
        drop(told);
        self.say(&subject, count);
    }

    fn say(&self, subject: &Subject, count: u64) {
        match subject {
            Subject::Dropped(sync, reason) => {
                let reason = (*reason).to_owned();
                self.tell(sync, SyncChange::SyncDropped { reason, count });
            }
            Subject::Refused(source, reason) => {
                let what = SyncChange::SyncRefused {
                    source: *source,
                    reason: (*reason).to_owned(),
                    count,
                };
                self.tell("peers", what);
            }
        }
    }

    fn told(&self) -> std::sync::MutexGuard<'_, HashMap<Subject, Told>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subject {
    fn without_source(self) -> Self {
        match self {
            Self::Refused(_, reason) => Self::Refused(None, reason),
            dropped @ Self::Dropped(..) => dropped,
        }
    }
}

#[cfg(test)]
mod tests {
    use rlvs_control::event::Event;
    use tokio::sync::broadcast::Receiver;

    use super::*;

    fn heard(listener: &mut Receiver<Event>) -> Vec<(String, SyncChange)> {
        let events = std::iter::from_fn(|| listener.try_recv().ok());
        let of = |event: Event| match event.what {
            What::Sync(SyncEvent { sync, what }) => (sync, what),
            other => panic!("{other:?}"),
        };
        events.map(of).collect()
    }

    fn dropped(count: u64) -> (String, SyncChange) {
        let reason = "too-short".to_owned();
        let what = SyncChange::SyncDropped { reason, count };
        ("backup".to_owned(), what)
    }

    #[test]
    fn a_flood_is_told_once_a_minute() {
        let herald = Herald::default();
        let mut listener = herald.news.listen();
        let now = Instant::now();
        for _ in 0..1000 {
            herald.leave_out("backup", "too-short", 2);
            herald.leave_out("backup", "known-better-here", 1);
        }
        assert_eq!(heard(&mut listener), [dropped(2)]);
        herald.catch_up(now + PAUSE / 2);
        assert_eq!(heard(&mut listener), []);
        herald.catch_up(now + 2 * PAUSE);
        assert_eq!(heard(&mut listener), [dropped(1998)]);
        // A minute without any, and it is new.
        herald.catch_up(now + 3 * PAUSE);
        herald.leave_out("backup", "too-short", 1);
        assert_eq!(heard(&mut listener), [dropped(1)]);
    }

    #[test]
    fn many_strangers_are_one() {
        let herald = Herald::default();
        let mut listener = herald.news.listen();
        for number in 0..10_000u32 {
            herald.refuse(IpAddr::V4(number.into()), "stranger");
        }
        let events = heard(&mut listener);
        assert_eq!(events.len(), MOST + 1);
        let of = |event: &(String, SyncChange)| match event.1 {
            SyncChange::SyncRefused { source, .. } => source,
            _ => panic!("{event:?}"),
        };
        assert_eq!(of(&events[0]), Some(IpAddr::V4(0.into())));
        assert_eq!(of(&events[MOST]), None);
    }
}
