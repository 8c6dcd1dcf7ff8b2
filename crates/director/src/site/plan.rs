//! What applying a site changes, for people to read before.

use rlvs_check::machine::Wanted;
use rlvs_config::Site;
use rlvs_config::model::VirtualServer;
use rlvs_config::settings::Settings;
use rlvs_control::site::{Before, Plan, Step};
use rlvs_control::{Change, ServiceKey};

use super::target::placed;
use super::{Managed, addresses, health, keys};
use crate::desired::Desired;

pub(super) fn plan(
    managed: &Managed,
    desired: &Desired,
    settings: &Settings,
    site: &Site,
    changes: Vec<Change>,
) -> Plan {
    let is_by_hand = |key: &ServiceKey| desired.service(key).is_some() && !managed.owns(key);
    Plan {
        steps: changes
            .into_iter()
            .map(|change| Step {
                before: before(desired, &change),
                change,
            })
            .collect(),
        later: later(managed, site),
        addresses: addresses::steps(&managed.site, site),
        vrrp: crate::vrrp::plan::steps(&managed.site, site),
        taken_over: keys(site).filter(is_by_hand).collect(),
        notes: notes(settings, site),
    }
}

/// Real servers that are down and become another.
fn later(managed: &Managed, site: &Site) -> Vec<Step> {
    let of_server = |server: &VirtualServer| {
        let before = managed.server(&health::name(server)?)?;
        let expected = managed.health.expected(server);
        Some(returning(server, before, &expected))
    };
    site.services
        .iter()
        .filter_map(of_server)
        .flatten()
        .collect()
}

/// Of one virtual server.
fn returning(server: &VirtualServer, before: &VirtualServer, expected: &Wanted) -> Vec<Step> {
    let real = server.real.iter().zip(&expected.servers);
    let down = real.filter(|(real, weight)| **weight != Some(real.destination.weight));
    let another = down.filter_map(|(real, _)| {
        let (now, key) = (&real.destination, real.destination.key);
        let was = before.real.iter().find(|it| it.destination.key == key)?;
        (was.destination != *now).then_some((&was.destination, now))
    });
    let steps = another.flat_map(|(was, now)| {
        server.keys().map(move |service| Step {
            change: Change::EditDestination {
                service: *service,
                destination: placed(*service, now, now.weight),
            },
            before: Some(Before::Destination(placed(*service, was, was.weight))),
        })
    });
    steps.collect()
}

fn before(desired: &Desired, change: &Change) -> Option<Before> {
    match change {
        Change::EditService(service) => {
            let present = desired.service(&service.key)?;
            Some(Before::Service(present.service().clone()))
        }
        Change::EditDestination {
            service,
            destination,
        } => {
            let member = desired.service(service)?.member(&destination.key)?;
            let mut plain = member.destination().clone();
            if let Some(draining) = member.draining() {
                plain.weight = draining.weight;
            }
            Some(Before::Destination(plain))
        }
        _ => None,
    }
}

/// What the file says and applying it does not do.
fn notes(settings: &Settings, site: &Site) -> Vec<String> {
    let wanted = &site.settings;
    let sizes = |it: &Settings| {
        (
            it.connections,
            it.ipv6_connections(),
            it.services,
            it.destinations,
        )
    };
    let mut notes = Vec::new();
    if sizes(settings) != sizes(wanted) {
        notes.push(
            "the sizes of tables change when the director's tables are made anew: `rlvs down', then \
             `rlvs run'"
                .to_owned(),
        );
    }
    if settings.control != wanted.control {
        notes.push("[control] takes effect when the daemon starts again".to_owned());
    }
    if settings.log != wanted.log {
        notes.push("[log] takes effect when the daemon starts again".to_owned());
    }
    if settings.interfaces.loopback != wanted.interfaces.loopback {
        notes.push("interfaces.loopback takes effect when the daemon starts again".to_owned());
    }
    notes.extend(rlvs_speaker::settle(site).notes);
    notes
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rlvs_config::written;

    use super::*;

    const SITE: &str = r#"
[[service]]
tcp = "192.0.2.1:80"
real = [{ address = "10.0.0.1", weight = 1 }, { address = "10.0.0.2", weight = 2 }]
"#;

    fn server(text: &str) -> VirtualServer {
        let reading = written::read(Path::new("site.toml"), text.to_owned());
        reading.unwrap().site.services.remove(0)
    }

    #[test]
    fn what_is_down_has_its_new_weight_later() {
        let before = server(SITE);
        let after = server(
            &SITE
                .replace("weight = 1", "weight = 5")
                .replace("weight = 2", "weight = 7"),
        );
        let weights = |servers: [Option<u32>; 2]| -> Vec<[u32; 2]> {
            let expected = Wanted {
                servers: servers.to_vec(),
                sorry_server: None,
            };
            let steps = returning(&after, &before, &expected).into_iter();
            let weights = steps.map(|step| match (step.change, step.before) {
                (
                    Change::EditDestination { destination, .. },
                    Some(Before::Destination(before)),
                ) => [before.weight, destination.weight],
                other => panic!("{other:?}"),
            });
            weights.collect()
        };
        assert_eq!(weights([Some(5), Some(7)]), [[0; 2]; 0]);
        assert_eq!(weights([None, Some(7)]), [[1, 5]]);
        assert_eq!(weights([Some(0), None]), [[1, 5], [2, 7]]);
    }
}
