//! Addresses, routes and rules of the machine, whoever is master, and who watches them
//! (`track_group`).

use std::sync::Arc;

use rlvs_config::Site;
use rlvs_config::model::vrrp::Vrrp;

use super::Settler;
use crate::plan::{Placement, StaticGroup, Subject};

impl Settler<'_> {
    /// What of the machine's own an instance watches.
    pub(super) fn statics_of(&self, instance: &str) -> Vec<Subject> {
        let groups = self.vrrp.track_group.iter();
        let its = groups.filter(|it| it.group.iter().any(|name| name == instance));
        let mut subjects = Vec::new();
        for written in its {
            let group = group(self.site, &written.name);
            if !group.addresses.is_empty() {
                subjects.push(Subject::StaticAddresses(group.name.clone()));
            }
            if !group.routes.is_empty() || !group.rules.is_empty() {
                subjects.push(Subject::StaticRoutes(group.name));
            }
        }
        subjects
    }

    /// Routes, rules and addresses that are there whoever is master.
    pub(super) fn statics(&mut self) {
        let vrrp = self.vrrp;
        let plan = &mut self.settled.plan;
        plan.statics = Arc::new(placement(vrrp));
        plan.static_groups = vrrp
            .track_group
            .iter()
            .map(|it| group(self.site, &it.name))
            .collect();
        for group in &vrrp.track_group {
            let of = format!("track_group {}", group.name);
            let is_known = |name: &&String| vrrp.instance.iter().any(|it| it.name == **name);
            if let Some(name) = group.group.iter().find(|name| !is_known(name)) {
                self.problem(&of, format!("there is no vrrp_instance {name}"));
            }
        }
        for name in names(self.site) {
            if vrrp.track_group.iter().all(|it| it.name != name) {
                let what = "no instances watch it: there is no such track_group";
                self.note(&format!("track_group {name}"), what);
            }
        }
    }
}

fn placement(vrrp: &Vrrp) -> Placement {
    Placement {
        routes: vrrp.static_routes.clone(),
        rules: vrrp.static_rules.clone(),
        ..Placement::default()
    }
}

/// What is marked with a name.
fn group(site: &Site, name: &str) -> StaticGroup {
    let addresses = site.addresses.iter();
    let addresses = addresses.filter(|it| it.track_group.as_deref() == Some(name));
    let marked = |all: &[String]| {
        let its = all.iter().filter(|words| mark(words) == Some(name));
        its.cloned().collect()
    };
    StaticGroup {
        name: name.to_owned(),
        addresses: addresses.map(|it| it.ip()).collect(),
        routes: marked(&site.vrrp.static_routes),
        rules: marked(&site.vrrp.static_rules),
    }
}

/// All names that something is marked with.
fn names(site: &Site) -> Vec<String> {
    let addresses = site.addresses.iter();
    let addresses = addresses.filter_map(|it| it.track_group.clone());
    let words = site
        .vrrp
        .static_routes
        .iter()
        .chain(&site.vrrp.static_rules);
    let words = words.filter_map(|it| mark(it).map(str::to_owned));
    let mut names: Vec<_> = addresses.chain(words).collect();
    names.sort();
    names.dedup();
    names
}

fn mark(words: &str) -> Option<&str> {
    let mut words = words.split_whitespace();
    words.find(|word| *word == "track_group")?;
    words.next()
}
