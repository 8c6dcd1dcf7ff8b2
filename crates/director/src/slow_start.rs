//! Slow start, once a second: weights that rise are written, and those that have risen.

use rlvs_control::ServiceKey;

use crate::core::{Core, Touched};
use crate::drains::now;
use crate::installed::gcd_and_reach;

impl Core {
    /// A service was installed as it is now.
    pub(crate) fn note_rising(&mut self, key: &ServiceKey, now: u64) {
        let service = self.desired.service(key);
        match service.is_some_and(|service| service.present(now).rise) {
            true => self.rising.insert(*key),
            false => self.rising.remove(key),
        };
    }

    pub(crate) fn raise_weights(&mut self) {
        let now = now();
        let mut risen = Touched::default();
        for key in &self.rising {
            let Some(service) = self.desired.service(key) else {
                continue;
            };
            let present = service.present(now);
            if present.rise {
                self.installed.raise(&*self.tables, key, &present);
                continue;
            }
            // All weights are what is desired: other numbers for all.
            let step = gcd_and_reach(present.weights.into_iter());
            risen.touch(*key);
            risen.steps.insert(*key, vec![step]);
        }
        if let Err(error) = self.install(&risen) {
            tracing::error!(%error, "weights that have risen cannot be written");
        }
    }
}
