//! When a check is made, and how often before its result counts.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Kind, seconds};

/// keepalived's `delay_loop` where nothing is said.
pub const DELAY_LOOP: Duration = Duration::from_secs(60);
/// keepalived's `connect_timeout` where nothing is said.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What a configuration says of a virtual server, a real server or a check; what it leaves open
/// comes from the next of these ([`Options::or`]), and at last from the check's kind.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    #[serde(with = "seconds::option")]
    pub connect_timeout: Option<Duration>,
    #[serde(with = "seconds::option")]
    pub total_timeout: Option<Duration>,
    #[serde(with = "seconds::option")]
    pub delay_loop: Option<Duration>,
    pub retry: Option<u32>,
    #[serde(with = "seconds::option")]
    pub delay_before_retry: Option<Duration>,
    #[serde(with = "seconds::option")]
    pub warmup: Option<Duration>,
    pub alpha: Option<bool>,
    pub log_all_failures: Option<bool>,
    pub rise: Option<u32>,
    pub damping: Option<Damping>,
}

impl Options {
    /// These, and where they leave something open, the outer ones.
    pub fn or(&self, outer: &Self) -> Self {
        Self {
            connect_timeout: self.connect_timeout.or(outer.connect_timeout),
            total_timeout: self.total_timeout.or(outer.total_timeout),
            delay_loop: self.delay_loop.or(outer.delay_loop),
            retry: self.retry.or(outer.retry),
            delay_before_retry: self.delay_before_retry.or(outer.delay_before_retry),
            warmup: self.warmup.or(outer.warmup),
            alpha: self.alpha.or(outer.alpha),
            log_all_failures: self.log_all_failures.or(outer.log_all_failures),
            rise: self.rise.or(outer.rise),
            damping: self.damping.or(outer.damping),
        }
    }

    /// What holds, with keepalived's defaults for this kind of check. FILE_CHECK has none of these
    /// options: the file is looked at once a second, and what it says counts.
    pub fn settle(&self, kind: &Kind) -> Timing {
        match kind {
            Kind::File(_) => file_options().settle_for(kind),
            _ => self.settle_for(kind),
        }
    }

    fn settle_for(&self, kind: &Kind) -> Timing {
        let delay_loop = self.delay_loop.unwrap_or(DELAY_LOOP);
        let connect_timeout = self.connect_timeout.unwrap_or(CONNECT_TIMEOUT);
        Timing {
            connect_timeout,
            total_timeout: self.total_timeout.unwrap_or(connect_timeout * 5),
            delay_loop,
            retry: self.retry.unwrap_or(default_retry(kind)),
            delay_before_retry: self
                .delay_before_retry
                .unwrap_or(default_delay_before_retry(kind, delay_loop)),
            warmup: self.warmup.unwrap_or(delay_loop),
            alpha: self.alpha.unwrap_or(false),
            log_all_failures: self.log_all_failures.unwrap_or(false),
            rise: self.rise.unwrap_or(1),
            damping: self.damping,
        }
    }
}

fn file_options() -> Options {
    Options {
        delay_loop: Some(Duration::from_secs(1)),
        warmup: Some(Duration::ZERO),
        retry: Some(0),
        ..Options::default()
    }
}

fn default_retry(kind: &Kind) -> u32 {
    match kind {
        Kind::Dns(_) => 3,
        Kind::Script(_) => 0,
        _ => 1,
    }
}

fn default_delay_before_retry(kind: &Kind, delay_loop: Duration) -> Duration {
    match kind {
        Kind::Dns(_) => delay_loop,
        Kind::Http(_) => Duration::from_secs(3),
        _ => Duration::from_secs(1),
    }
}

/// When a check is made, and how often before its result counts: all of it settled.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timing {
    /// How long a connection may take to come about, and then each answer to begin.
    #[serde(with = "seconds")]
    pub connect_timeout: Duration,
    /// How long the probe may take in all; ldirectord's `negotiatetimeout`. By default five times
    /// `connect_timeout`: what keepalived bounds only step by step, a server that answers in drops
    /// would draw out for ever.
    #[serde(with = "seconds")]
    pub total_timeout: Duration,
    /// From one check's end to the next one's start.
    #[serde(with = "seconds")]
    pub delay_loop: Duration,
    /// How many more failures in a row a server that is up may have before it counts as down.
    pub retry: u32,
    /// From such a failure to the next check.
    #[serde(with = "seconds")]
    pub delay_before_retry: Duration,
    /// The first check comes after a random time, at most this.
    #[serde(with = "seconds")]
    pub warmup: Duration,
    /// Down until the first success, rather than up until the first failure.
    pub alpha: bool,
    /// Failures are logged also while they are not yet a change of state.
    pub log_all_failures: bool,
    /// Successes in a row until a server that was down is up. keepalived: always 1.
    pub rise: u32,
    /// What keeps a server down that goes up and down all the time. keepalived has nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damping: Option<Damping>,
}

impl Default for Timing {
    fn default() -> Self {
        Options::default().settle(&Kind::Tcp)
    }
}

/// A check that has gone down so often lately comes up again only after it has succeeded for a
/// while.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Damping {
    /// This many changes to down ...
    pub falls: u32,
    /// ... within this time ...
    #[serde(with = "seconds")]
    pub within: Duration,
    /// ... make it wait until it has succeeded for this long without a failure.
    #[serde(with = "seconds")]
    pub hold: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Dns, Http, Script};

    fn settled(kind: Kind) -> (u32, u64) {
        let timing = Options::default().settle(&kind);
        (timing.retry, timing.delay_before_retry.as_secs())
    }

    /// keepalived.conf(5), 2.2.7: `retry`, `delay_before_retry`.
    #[test]
    fn defaults_are_those_of_the_kind() {
        assert_eq!(settled(Kind::Tcp), (1, 1));
        assert_eq!(settled(Kind::Http(Http::new(vec![]))), (1, 3));
        assert_eq!(settled(Kind::Dns(Dns::default())), (3, 60));
        assert_eq!(settled(Kind::Script(Script::new(["/bin/true"]))), (0, 1));
    }

    #[test]
    fn the_innermost_that_says_something_wins() {
        let check = Options {
            retry: Some(4),
            ..Options::default()
        };
        let service = Options {
            retry: Some(9),
            delay_loop: Some(Duration::from_secs(6)),
            ..Options::default()
        };
        let timing = check.or(&service).settle(&Kind::Tcp);
        assert_eq!((timing.retry, timing.delay_loop.as_secs()), (4, 6));
        assert_eq!(timing.warmup, timing.delay_loop);
    }
}
