//! Times that are none: below zero, or longer than anything is waited for.

use rlvs_config::model::vrrp::Vrrp;

use super::Settler;

/// A year.
const LONGEST: f64 = 31_536_000.0;

impl Settler<'_> {
    pub(super) fn times(&mut self) {
        let wrong: Vec<_> = named(self.vrrp)
            .into_iter()
            .filter_map(|(of, name, time)| Some((of, name, time?)))
            .filter(|(.., time)| !(0.0..=LONGEST).contains(time))
            .collect();
        for (of, name, time) in wrong {
            let what = format!("{name} = {time} is no time in seconds, 0 to {LONGEST}");
            self.problem(&of, what);
        }
    }
}

fn named(vrrp: &Vrrp) -> Vec<(String, &'static str, Option<f64>)> {
    let defaults = &vrrp.defaults;
    let mut all = Vec::new();
    let mut add = |of: &str, times: &[(&'static str, Option<f64>)]| {
        all.extend(
            times
                .iter()
                .map(|(name, time)| (of.to_owned(), *name, *time)),
        );
    };
    add(
        "vrrp.defaults",
        &[
            ("garp_interval", defaults.garp_interval),
            ("gna_interval", defaults.gna_interval),
            ("startup_delay", defaults.startup_delay),
            ("ready_within", defaults.ready_within),
        ],
    );
    for it in &vrrp.garp_group {
        add(
            "garp_group",
            &[
                ("garp_interval", it.garp_interval),
                ("gna_interval", it.gna_interval),
            ],
        );
    }
    for it in &vrrp.interface_delay {
        let of = format!("interface_delay {}", it.interface);
        add(&of, &[("down", Some(it.down)), ("up", it.up)]);
    }
    for it in &vrrp.script {
        let of = format!("vrrp_script {}", it.name);
        add(&of, &[("interval", it.interval), ("timeout", it.timeout)]);
    }
    for it in &vrrp.track_process {
        let of = format!("vrrp_track_process {}", it.name);
        let (forks, ends) = (it.fork_delay, it.terminate_delay);
        add(&of, &[("fork_delay", forks), ("terminate_delay", ends)]);
    }
    for it in &vrrp.instance {
        let of = format!("vrrp_instance {}", it.name);
        // The interval has bounds of its own.
        add(&of, &[("preempt_delay", it.preempt_delay)]);
    }
    all
}
