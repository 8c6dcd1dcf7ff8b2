//! Addresses, routes and rules of the machine, whoever is master, and who watches them
//! (`track_group`).

use rlvs_config::Site;
use rlvs_config::model::vrrp::Vrrp;

use crate::plan::{Placement, StaticGroup};

pub(super) fn placement(vrrp: &Vrrp) -> Placement {
    Placement {
        routes: vrrp.static_routes.clone(),
        rules: vrrp.static_rules.clone(),
        ..Placement::default()
    }
}

/// What is marked with a name.
pub(super) fn group(site: &Site, name: &str) -> StaticGroup {
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
pub(super) fn names(site: &Site) -> Vec<String> {
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
