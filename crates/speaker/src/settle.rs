//! What the configuration says, with all defaults: keepalived's.

use std::collections::HashMap;
use std::time::Duration;

use rlvs_check::spec::Script;
use rlvs_config::Site;
use rlvs_config::model::VirtualServer;
use rlvs_config::model::vrrp::{self, Track, Vrrp, Watched};
use rlvs_vrrp::GroupSpec;
use rlvs_vrrp::spec::Tracked;

use crate::plan::{Group, Init, Instance, Pace, Plan, Subject, Watch, WatchedScript};

mod delays;
mod instance;
mod interfaces;
mod protocol;
mod signing;
mod statics;
mod strict;
mod times;
mod unacted;

/// What a configuration comes to.
#[derive(Debug, Default)]
pub struct Settled {
    pub plan: Plan,
    /// What cannot be, each with its place.
    pub problems: Vec<String>,
    /// What is not acted on, or otherwise than it may seem.
    pub notes: Vec<String>,
}

/// What VRRP is to do by a site.
pub fn settle(site: &Site) -> Settled {
    let mut settler = Settler {
        site,
        vrrp: &site.vrrp,
        settled: Settled::default(),
        used: Vec::new(),
    };
    settler.times();
    settler.instances();
    settler.statics();
    settler.delays();
    settler.groups();
    settler.watches();
    settler.sync_daemon();
    settler.settled.plan.paces = paces(&site.vrrp);
    settler.settled.plan.logs_unknown = site.vrrp.defaults.log_unknown_vrids;
    unacted::notes(site, &mut settler.settled.notes);
    settler.settled
}

/// What a virtual server goes by where it is tracked.
pub fn name_of(server: &VirtualServer) -> Option<String> {
    let first = || server.keys().next().map(ToString::to_string);
    server.group.clone().or_else(first)
}

struct Settler<'s> {
    site: &'s Site,
    vrrp: &'s Vrrp,
    settled: Settled,
    /// What is watched by someone.
    used: Vec<Subject>,
}

impl Settler<'_> {
    fn problem(&mut self, of: &str, what: impl core::fmt::Display) {
        self.settled.problems.push(format!("{of}: {what}"));
    }

    fn note(&mut self, of: &str, what: impl core::fmt::Display) {
        self.settled.notes.push(format!("{of}: {what}"));
    }

    fn instances(&mut self) {
        for written in &self.vrrp.instance {
            let of = format!("vrrp_instance {}", written.name);
            let Some(instance) = self.instance(written, &of) else {
                continue;
            };
            if let Err(wrong) = instance.spec.check() {
                self.problem(&of, wrong);
                continue;
            }
            self.compare(&instance, &of);
            self.settled.plan.instances.push(instance);
        }
    }

    /// With those before it.
    fn compare(&mut self, instance: &Instance, of: &str) {
        let others = &self.settled.plan.instances;
        if others.iter().any(|it| it.name == instance.name) {
            return self.problem(of, "the name is another instance's, too: give it its own");
        }
        let is_same = |it: &&Instance| {
            let router = |it: &Instance| (it.spec.virtual_router, it.spec.family);
            it.interface == instance.interface && router(it) == router(instance)
        };
        if let Some(other) = others.iter().find(is_same) {
            let (router, name) = (instance.spec.virtual_router, other.name.clone());
            let what = format!("{name} is virtual router {router} of the same interface, too");
            return self.problem(of, format!("{what}: give it its own virtual_router_id"));
        }
        for place in &instance.placement.addresses {
            let address = place.setting.address;
            if self.site.addresses.iter().any(|it| it.ip() == address) {
                let what = "is one of the machine's own addresses, too, which stay: name it once";
                return self.problem(of, format!("{address} {what}"));
            }
        }
    }

    /// What is tracked, and what it counts.
    fn track(&mut self, track: &Track, of: &str) -> (Vec<Subject>, Vec<Tracked>) {
        let vrrp = self.vrrp;
        let mut all = Vec::new();
        for one in &track.interface {
            let subject = Subject::Interface(one.name.clone());
            all.push((subject, counts(one, (0, false))));
        }
        for one in &track.script {
            let known = vrrp.script.iter().find(|it| it.name == one.name);
            let usual = known.map(|it| (it.weight, it.reverse));
            self.known(of, one, Subject::Script, usual, &mut all);
        }
        for one in &track.file {
            let known = vrrp.track_file.iter().find(|it| it.name == one.name);
            let usual = known.map(|it| (it.weight, it.reverse));
            self.known(of, one, Subject::File, usual, &mut all);
        }
        for one in &track.process {
            let known = vrrp.track_process.iter().find(|it| it.name == one.name);
            let usual = known.map(|it| (it.weight, it.reverse));
            self.known(of, one, Subject::Process, usual, &mut all);
        }
        for one in &track.service {
            let mut names = self.site.services.iter().filter_map(name_of);
            let usual = names.any(|it| it == one.name).then_some((0, false));
            self.known(of, one, Subject::Service, usual, &mut all);
        }
        self.used.extend(all.iter().map(|(it, _)| it.clone()));
        all.into_iter().unzip()
    }

    fn known(
        &mut self,
        of: &str,
        one: &Watched,
        subject: fn(String) -> Subject,
        usual: Option<(i32, bool)>,
        all: &mut Vec<(Subject, Tracked)>,
    ) {
        let subject = subject(one.name.clone());
        match usual {
            Some(usual) => all.push((subject, counts(one, usual))),
            None => self.problem(of, format!("it tracks {subject}, which there is not")),
        }
    }

    fn groups(&mut self) {
        let mut grouped: HashMap<&str, &str> = HashMap::new();
        for group in &self.vrrp.sync_group {
            let of = format!("vrrp_sync_group {}", group.name);
            let instances = &self.settled.plan.instances;
            let is_known = |name: &&String| instances.iter().any(|it| it.name == **name);
            if let Some(name) = group.group.iter().find(|name| !is_known(name)) {
                self.problem(&of, format!("there is no vrrp_instance {name}"));
                continue;
            }
            for name in &group.group {
                if let Some(other) = grouped.insert(name, &group.name) {
                    let what = format!("{name} is in the group {other} already");
                    self.problem(&of, format!("{what}: it goes with one only"));
                }
            }
            if group.group.is_empty() {
                self.note(&of, "it has no instances");
                continue;
            }
            let (tracked, track) = self.track(&group.track, &of);
            self.settled.plan.groups.push(Group {
                name: group.name.clone(),
                members: group.group.clone(),
                spec: GroupSpec {
                    track,
                    tracking_weight: group.tracking_weight,
                },
                tracked,
            });
        }
    }

    /// What it follows has to be there.
    fn sync_daemon(&mut self) {
        let written = self.vrrp.defaults.sync_daemon.as_ref();
        let Some(name) = written.and_then(|it| it.instance.as_ref()) else {
            return;
        };
        if self.vrrp.instance.iter().all(|it| it.name != *name) {
            let what = format!("there is no vrrp_instance {name}: name the one that it follows");
            self.problem("lvs_sync_daemon", what);
        }
    }

    /// Only what someone tracks is watched.
    fn watches(&mut self) {
        let vrrp = self.vrrp;
        let scripts = vrrp.script.iter().map(|it| Watch::Script(script(it)));
        let files = vrrp.track_file.iter().map(|it| Watch::File {
            name: it.name.clone(),
            path: it.file.clone(),
            init: it.init.map(|number| Init {
                number,
                overwrite: it.overwrite,
            }),
        });
        let processes = vrrp.track_process.iter().cloned().map(Watch::Process);
        let all = scripts.chain(files).chain(processes);
        let used = &self.used;
        let watches = all.filter(|it| used.contains(&it.subject())).collect();
        self.settled.plan.watches = watches;
    }
}

fn counts(one: &Watched, (weight, reverse): (i32, bool)) -> Tracked {
    Tracked {
        weight: one.weight.unwrap_or(weight),
        reverse: one.reverse.unwrap_or(reverse),
    }
}

fn script(it: &vrrp::Script) -> WatchedScript {
    let interval = it.interval.map_or(Duration::from_secs(1), seconds);
    WatchedScript {
        name: it.name.clone(),
        script: Script {
            user: it.script.user.clone(),
            group: it.script.group.clone(),
            ..Script::new(it.script.words.iter().cloned())
        },
        interval,
        timeout: it.timeout.map_or(interval, seconds),
        rise: it.rise.unwrap_or(1).max(1),
        fall: it.fall.unwrap_or(1).max(1),
        init_fail: it.init_fail,
    }
}

/// Groups of interfaces first, then all others.
fn paces(vrrp: &Vrrp) -> Vec<Pace> {
    let defaults = &vrrp.defaults;
    let time = |own: Option<f64>, all: Option<f64>| own.or(all).map_or(Duration::ZERO, seconds);
    let of = |garp, gna, interfaces: &[String]| Pace {
        interfaces: interfaces.to_vec(),
        garp: time(garp, defaults.garp_interval),
        gna: time(gna, defaults.gna_interval),
    };
    let groups = vrrp
        .garp_group
        .iter()
        .filter(|it| !it.interfaces.is_empty());
    let groups = groups.map(|it| of(it.garp_interval, it.gna_interval, &it.interfaces));
    groups.chain([of(None, None, &[])]).collect()
}

/// What was written in decimal, to the microsecond: 0.01 is ten milliseconds. Below 0 there is no time.
pub(crate) fn seconds(number: f64) -> Duration {
    Duration::from_micros((number * 1e6).round() as u64)
}

#[cfg(test)]
mod tests;
