//! What a director waits for before it takes over: who has the addresses has to serve.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// So long it waits at most, where nothing is configured.
const LIMIT: Duration = Duration::from_secs(60);

/// What is not there yet, each with its reason.
#[derive(Debug)]
pub(crate) struct Ready {
    begun: Instant,
    limit: Duration,
    waits: BTreeMap<&'static str, String>,
    /// Once it was ready, it stays so: what is added to its work later does not make it worse than
    /// no master.
    was_ready: bool,
}

impl Ready {
    pub(super) fn new(begun: Instant) -> Self {
        Self {
            begun,
            limit: LIMIT,
            waits: BTreeMap::new(),
            was_ready: false,
        }
    }

    /// Seconds from the daemon's start.
    pub(super) fn limit(&mut self, seconds: Option<f64>) {
        let limit = seconds.map(Duration::try_from_secs_f64);
        self.limit = limit.and_then(Result::ok).unwrap_or(LIMIT);
    }

    /// Whether one of the conditions is met, or why not.
    pub(crate) fn set(&mut self, condition: &'static str, met: Result<(), String>) {
        match met {
            Ok(()) => drop(self.waits.remove(condition)),
            Err(reason) => drop(self.waits.insert(condition, reason)),
        }
    }

    pub(super) fn state(&mut self, now: Instant) -> Result<(), String> {
        if !self.waits.is_empty() && !self.was_ready && now < self.begun + self.limit {
            let reasons: Vec<_> = self.waits.values().map(String::as_str).collect();
            return Err(reasons.join("; "));
        }
        if !self.was_ready && !self.waits.is_empty() {
            tracing::warn!(waits = ?self.waits, "takes over all the same: it has waited long enough");
        }
        self.was_ready = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_waits_for_all_of_them_but_not_for_ever() {
        let begun = Instant::now();
        let late = begun + Duration::from_secs(5);
        let mut ready = Ready::new(begun);
        ready.set("checks", Err("1 of 2".into()));
        ready.set("connections", Err("half".into()));
        assert_eq!(ready.state(late), Err("1 of 2; half".into()));
        ready.set("checks", Ok(()));
        assert_eq!(ready.state(late), Err("half".into()));
        ready.limit(Some(4.0));
        assert_eq!(ready.state(late), Ok(()));
        ready.limit(None);
        assert_eq!(ready.state(late), Ok(()), "it was");
    }
}
