//! What lblc and lblcr remember of addresses: what was not used for long is taken out, as IPVS does
//! (ip_vs_lblc.c, `ip_vs_lblc_check_expire`).
//!
//! IPVS looks at the table of each service once a minute, but for `lblc_expiration` only every 30
//! minutes: there an address may be known for half an hour longer.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use rlvs_engine::locality::{IDLE, MANY};
use rlvs_engine::schedule::Scheduler;
use rlvs_engine::settings::{elapsed, ticks};
use rlvs_engine::sysctl::Sysctl;
use rlvs_plane::{Remembered, Store};

use super::Installed;

/// How often (`CHECK_EXPIRE_INTERVAL`).
const PERIOD: Duration = Duration::from_secs(60);

/// What the last look found.
#[derive(Debug, Default)]
pub(super) struct Localities {
    looked: Option<Instant>,
    /// Destinations that are remembered: their records are not to be others'.
    destinations: HashSet<u32>,
}

impl Localities {
    pub(super) fn remember(&self, destination: u32) -> bool {
        self.destinations.contains(&destination)
    }
}

impl Installed {
    /// Takes out what is over, now and then.
    pub(super) fn age_localities<S: Store>(
        &mut self,
        store: &S,
        now: Instant,
    ) -> Result<(), rlvs_plane::Error> {
        let looked = self.localities.looked;
        if looked.is_some_and(|looked| now.duration_since(looked) < PERIOD) {
            return Ok(());
        }
        self.localities.looked = Some(now);
        let mut live = store.localities()?;
        for ended in over(store, &mut live) {
            store.forget_locality(&ended.site)?;
        }
        let destinations = live.into_iter().flat_map(|it| it.destinations);
        self.localities.destinations = destinations.collect();
        Ok(())
    }

    /// What was remembered for services goes when their schedulers do.
    pub(super) fn forget_localities<S: Store>(
        store: &S,
        services: &HashSet<u32>,
    ) -> Result<(), rlvs_plane::Error> {
        let all = store.localities()?.into_iter();
        let mut its = all.filter(|it| services.contains(&it.site.service()));
        its.try_for_each(|it| store.forget_locality(&it.site))
    }
}

/// Takes out of `all` what is to go.
fn over<S: Store>(store: &S, all: &mut Vec<Remembered>) -> Vec<Remembered> {
    let now = store.now();
    let mut ended: Vec<_> = all
        .extract_if(.., |it| {
            let lifetime = lifetime(store, it.site.service());
            lifetime.is_none_or(|lifetime| elapsed(now, it.used) >= lifetime)
        })
        .collect();
    let mut spare = spare(all);
    ended.extend(all.extract_if(.., |it| {
        let goes = elapsed(now, it.used) >= ticks(IDLE);
        let left = spare.get_mut(&it.site.service());
        goes && left.is_some_and(take_one)
    }));
    ended
}

/// How long a service's addresses are remembered, in ticks; none if its scheduler remembers none.
fn lifetime<S: Store>(store: &S, service: u32) -> Option<u32> {
    let setting = match store.services().get(service as usize)?.scheduler() {
        Scheduler::Lblc => Sysctl::LblcExpiration,
        Scheduler::Lblcr => Sysctl::LblcrExpiration,
        _ => return None,
    };
    let seconds = store.settings()?.sysctl(setting).cast_signed();
    Some(ticks(u32::try_from(seconds).unwrap_or(0)))
}

/// How many each service has too many, and may lose at once.
fn spare(all: &[Remembered]) -> HashMap<u32, usize> {
    let mut counts: HashMap<u32, usize> = HashMap::new();
    for it in all {
        *counts.entry(it.site.service()).or_default() += 1;
    }
    counts.retain(|_, count| *count > MANY);
    for count in counts.values_mut() {
        *count = ((*count - MANY) * 4 / 3).min(MANY / 2);
    }
    counts
}

fn take_one(left: &mut usize) -> bool {
    let some = *left > 0;
    *left = left.saturating_sub(1);
    some
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use rlvs_engine::Tables;
    use rlvs_engine::locality::Site;
    use rlvs_engine::memory::Memory;
    use rlvs_engine::schedule::Members;

    use super::*;

    /// A service with this scheduler, and two addresses of it that were last used at a tick.
    fn remember(memory: &Memory, service: u32, scheduler: Scheduler, used: u32) {
        let members = Members::new(1, 0, 0, scheduler);
        memory.services[service as usize].members.store(members.0);
        for address in [8, 9] {
            let site = Site::from_words([address, 0, service.into()]);
            let locality = memory.locality(&site).unwrap();
            locality.used.store(used);
            locality.set_only(service + 10);
        }
    }

    #[test]
    fn addresses_are_remembered_as_long_as_the_settings_say() {
        let memory = Memory::default();
        memory.settings.set_sysctl(Sysctl::LblcExpiration, 100);
        memory.clock.store(ticks(150), Ordering::Relaxed);
        remember(&memory, 1, Scheduler::Lblc, ticks(50) + 10);
        remember(&memory, 2, Scheduler::Lblc, ticks(50) - 10);
        remember(&memory, 3, Scheduler::Lblcr, 0);
        remember(&memory, 4, Scheduler::Rr, ticks(150));
        let mut installed = Installed::new(&memory);
        installed.age_localities(&memory, Instant::now()).unwrap();
        let mut left: Vec<_> = memory.localities().unwrap();
        left.sort_by_key(|it| it.site.service());
        let left: Vec<_> = left.iter().map(|it| it.site.service()).collect();
        assert_eq!(left, [1, 1, 3, 3]);
        let remembered = [11, 12, 13].map(|number| installed.localities.remember(number));
        assert_eq!(remembered, [true, false, true]);
        Installed::forget_localities(&memory, &HashSet::from([3])).unwrap();
        assert_eq!(memory.localities().unwrap().len(), 2);
    }

    #[test]
    fn of_too_many_the_idle_ones_go() {
        let memory = Memory::default();
        remember(&memory, 1, Scheduler::Lblc, 0);
        memory.clock.store(ticks(IDLE), Ordering::Relaxed);
        let it = |number: usize, used| Remembered {
            site: Site::from_words([number as u64, 0, 1]),
            used,
            destinations: Vec::new(),
        };
        let mut all: Vec<_> = (0..MANY + 30).map(|number| it(number, 0)).collect();
        assert_eq!(over(&memory, &mut all).len(), 40);
        let mut all: Vec<_> = (0..MANY + 30).map(|number| it(number, 1)).collect();
        assert_eq!(over(&memory, &mut all).len(), 0);
        let mut all: Vec<_> = (0..MANY).map(|number| it(number, 0)).collect();
        assert_eq!(over(&memory, &mut all).len(), 0);
    }
}
