//! What becomes another of VRRP, for people to read before.

use rlvs_config::Site;
use rlvs_control::site::{VrrpChange, VrrpStep};
use rlvs_speaker::{Group, Instance, Placement, settle};

pub(crate) fn steps(before: &Site, after: &Site) -> Vec<VrrpStep> {
    let (before, after) = (settle(before).plan, settle(after).plan);
    let mut steps = Vec::new();
    for old in &before.instances {
        if after.instances.iter().all(|it| it.name != old.name) {
            steps.push(step("instance", &old.name, VrrpChange::Goes, Vec::new()));
        }
    }
    for new in &after.instances {
        match before.instances.iter().find(|it| it.name == new.name) {
            None => steps.push(step("instance", &new.name, VrrpChange::Comes, words(new))),
            Some(old) if old != new => {
                let change = match old.is_same_router(new) {
                    true => VrrpChange::Changes,
                    false => VrrpChange::Restarts,
                };
                steps.push(step("instance", &new.name, change, details(old, new)));
            }
            Some(_) => {}
        }
    }
    steps.extend(groups(&before.groups, &after.groups));
    steps.extend(statics(&before.statics, &after.statics));
    steps
}

fn groups(before: &[Group], after: &[Group]) -> Vec<VrrpStep> {
    let is_gone = |old: &&Group| after.iter().all(|it| it.name != old.name);
    let gone = before.iter().filter(is_gone);
    let gone = gone.map(|it| step("group", &it.name, VrrpChange::Goes, Vec::new()));
    let new = after.iter().filter_map(|new| {
        let members = vec![format!("of {}", new.members.join(", "))];
        let change = match before.iter().find(|it| it.name == new.name) {
            None => VrrpChange::Comes,
            Some(old) if old == new => return None,
            Some(old) if old.members == new.members => VrrpChange::Changes,
            Some(_) => VrrpChange::Restarts,
        };
        Some(step("group", &new.name, change, members))
    });
    gone.chain(new).collect()
}

/// Routes and rules that are there whoever is master.
fn statics(before: &Placement, after: &Placement) -> Option<VrrpStep> {
    let words = |it: &Placement| {
        let routes = it.routes.iter().map(|it| format!("route {it}"));
        let rules = it.rules.iter().map(|it| format!("rule {it}"));
        routes.chain(rules).collect::<Vec<_>>()
    };
    let (before, after) = (words(before), words(after));
    let gone = before.iter().filter(|it| !after.contains(it));
    let new = after.iter().filter(|it| !before.contains(it));
    let gone = gone.map(|it| format!("without {it}"));
    let details: Vec<_> = gone.chain(new.map(|it| format!("with {it}"))).collect();
    let is_another = !details.is_empty();
    is_another.then(|| VrrpStep {
        what: "static routes and rules".to_owned(),
        change: VrrpChange::Changes,
        details,
    })
}

fn step(kind: &str, name: &str, change: VrrpChange, details: Vec<String>) -> VrrpStep {
    VrrpStep {
        what: format!("{kind} {name}"),
        change,
        details,
    }
}

fn words(it: &Instance) -> Vec<String> {
    let router = it.spec.virtual_router;
    let addresses = it.placement.addresses.iter().map(ToString::to_string);
    vec![
        format!("router {router} on {}", it.interface),
        format!("priority {}", it.spec.priority),
        addresses.collect::<Vec<_>>().join(", "),
    ]
}

/// Each thing that is another; what has no words of its own is named together.
fn details(old: &Instance, new: &Instance) -> Vec<String> {
    let mut details = Vec::new();
    let mut compare = |what: &str, old: String, new: String| {
        if old != new {
            details.push(format!("{what} {old} \u{2192} {new}"));
        }
    };
    let (was, is) = (&old.spec, &new.spec);
    compare("interface", old.interface.clone(), new.interface.clone());
    compare(
        "router",
        was.virtual_router.to_string(),
        is.virtual_router.to_string(),
    );
    compare(
        "priority",
        was.priority.to_string(),
        is.priority.to_string(),
    );
    compare(
        "interval",
        format!("{:?}", was.interval),
        format!("{:?}", is.interval),
    );
    let has = |it: &Instance, address: &str| {
        let mut all = it.placement.addresses.iter();
        all.any(|place| place.to_string() == address)
    };
    for place in old.placement.addresses.iter().map(ToString::to_string) {
        if !has(new, &place) {
            details.push(format!("without {place}"));
        }
    }
    for place in new.placement.addresses.iter().map(ToString::to_string) {
        if !has(old, &place) {
            details.push(format!("with {place}"));
        }
    }
    if details.is_empty() {
        details.push("other settings".to_owned());
    }
    details
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: &str = r#"
[[vrrp.instance]]
name = "VI_1"
interface = "eth0"
virtual_router_id = 51
virtual_ipaddress = [{ address = "192.0.2.100/32" }]

[[vrrp.sync_group]]
name = "VG"
group = ["VI_1"]
"#;

    fn site(text: &str) -> Site {
        let reading = rlvs_config::written::read("site.toml".as_ref(), text.to_owned());
        reading
            .unwrap_or_else(|it| panic!("{}", it.pictures()))
            .site
    }

    #[test]
    fn what_becomes_another_is_named() {
        let before = site(SITE);
        assert_eq!(steps(&before, &before), []);
        let all = |text: &str| -> Vec<(String, VrrpChange, Vec<String>)> {
            let steps = steps(&before, &site(text));
            steps
                .into_iter()
                .map(|it| (it.what, it.change, it.details))
                .collect()
        };
        let another = SITE.replace("192.0.2.100/32\" }", "192.0.2.101/32\" }");
        let another = another.replace("router_id = 51", "router_id = 51\npriority = 7");
        let details = [
            "priority 100 \u{2192} 7",
            "without 192.0.2.100/32",
            "with 192.0.2.101/32",
        ];
        let expected = (
            "instance VI_1".to_owned(),
            VrrpChange::Changes,
            details.map(str::to_owned).into(),
        );
        assert_eq!(all(&another), [expected]);
        let restarts = all(&SITE.replace("51", "52"));
        assert_eq!(restarts[0].1, VrrpChange::Restarts);
        let routed = SITE.replacen(
            "[[vrrp.instance]]",
            "[vrrp]\nstatic_routes = [\"198.51.100.0/24 via 192.0.2.9\"]\n[[vrrp.instance]]",
            1,
        );
        let added = all(&routed);
        assert_eq!(added[0].0, "static routes and rules");
        assert_eq!(added[0].2, ["with route 198.51.100.0/24 via 192.0.2.9"]);
        let gone: Vec<_> = all("").into_iter().map(|it| (it.0, it.1)).collect();
        assert_eq!(
            gone,
            [
                ("instance VI_1".to_owned(), VrrpChange::Goes),
                ("group VG".to_owned(), VrrpChange::Goes)
            ]
        );
    }
}
