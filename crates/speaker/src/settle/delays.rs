//! Changes of interfaces that count only if they last (`interface_up_down_delays`).

use super::{Settler, seconds};
use crate::plan::{Delay, Instance};

/// keepalived's, in seconds.
const LONGEST_DELAY: f64 = 255.0;

impl Settler<'_> {
    pub(super) fn delays(&mut self) {
        let vrrp = self.vrrp;
        for written in &vrrp.interface_delay {
            let of = format!("interface_up_down_delays, {}", written.interface);
            let allowed = 0.0..=LONGEST_DELAY;
            let up = written.up.unwrap_or(written.down);
            if !allowed.contains(&written.down) || !allowed.contains(&up) {
                self.problem(&of, format!("a delay is 0 to {LONGEST_DELAY} seconds"));
                continue;
            }
            let delay = Delay {
                interface: written.interface.clone(),
                down: seconds(written.down),
                up: seconds(up),
            };
            self.compare_delay(&delay, &of);
            self.settled.plan.delays.push(delay);
        }
    }

    /// With how long backups wait.
    fn compare_delay(&mut self, delay: &Delay, of: &str) {
        let instances = self.settled.plan.instances.iter();
        let late = |it: &&Instance| {
            let times = u32::from(it.spec.down_timer_adverts).saturating_sub(1);
            it.interface == delay.interface && delay.down >= it.spec.interval * times
        };
        if let Some(name) = instances.clone().find(late).map(|it| it.name.clone()) {
            let what = "another router takes over before this one says that it cannot be master";
            self.note(
                of,
                format!("it is as long as backups of {name} wait: {what}"),
            );
        }
    }
}
