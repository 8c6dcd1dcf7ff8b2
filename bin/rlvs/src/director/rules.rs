//! From rules that are given to changes that make them so.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read as _};
use std::net::IpAddr;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use rlvs_control::{Change, Destination, ServiceKey, ServiceStatus, Transaction};
use rlvs_director::desired::{Desired, DesiredService};

use super::Asked;
use crate::ipvsadm::{Script, SystemNames};

/// The rules of the file, then those of the command line, as changes.
pub(super) fn read(asked: &Asked) -> Result<Vec<Change>> {
    let mut text = asked.rules.as_deref().map_or(Ok(String::new()), of_file)?;
    for rule in &asked.rule {
        text += &format!("\n{rule}");
    }
    let script = Script::read(&mut text.as_bytes(), &SystemNames::default())
        .map_err(|problem| anyhow!("{problem}"))?;
    desired(&script.changes).map_err(|error| anyhow!("{}", script.blame(&error)))?;
    Ok(script.changes)
}

fn of_file(file: &Path) -> Result<String> {
    if file == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    fs::read_to_string(file).with_context(|| file.display().to_string())
}

/// What rules come to, where there is nothing before them.
pub(super) fn desired(rules: &[Change]) -> Result<Desired, rlvs_control::Error> {
    let mut desired = Desired::default();
    let changes = rules.to_vec();
    desired.apply(&Transaction::from(changes), 0, &mut |_, _| ())?;
    Ok(desired)
}

/// The virtual addresses of services.
pub(super) fn addresses(desired: &Desired) -> impl Iterator<Item = IpAddr> {
    desired.services().filter_map(|it| match it.service().key {
        ServiceKey::Address { address, .. } => Some(address),
        ServiceKey::Mark { .. } => None,
    })
}

/// What makes the services that are `ours` those of `desired`, and lets others alone.
pub(super) fn changes(
    present: &[ServiceStatus],
    ours: &BTreeSet<ServiceKey>,
    desired: &Desired,
) -> Result<Vec<Change>> {
    let mut changes = deletions(present, ours, |key| desired.service(key).is_some());
    for wanted in desired.services() {
        let key = &wanted.service().key;
        match present.iter().find(|status| status.service.key == *key) {
            None => add(wanted, &mut changes),
            Some(status) if ours.contains(key) => edit(status, wanted, &mut changes),
            Some(_) => bail!(
                "{key} is there already, and not by `rlvs director up': delete it (ipvsadm -D {}), \
                 or leave it out of the rules",
                key.words()
            ),
        }
    }
    Ok(changes)
}

/// What takes services that are `ours` away, but for those that are kept.
pub(super) fn deletions(
    present: &[ServiceStatus],
    ours: &BTreeSet<ServiceKey>,
    kept: impl Fn(&ServiceKey) -> bool,
) -> Vec<Change> {
    let keys = present.iter().map(|status| status.service.key);
    keys.filter(|key| ours.contains(key) && !kept(key))
        .map(Change::DeleteService)
        .collect()
}

fn add(wanted: &DesiredService, changes: &mut Vec<Change>) {
    changes.push(Change::AddService(wanted.service().clone()));
    let service = wanted.service().key;
    // The one added last comes first.
    for destination in wanted.destinations().rev() {
        changes.push(add_destination(service, destination));
    }
    for &address in wanted.local_addresses() {
        changes.push(Change::AddLocalAddress { service, address });
    }
}

fn add_destination(service: ServiceKey, destination: &Destination) -> Change {
    Change::AddDestination {
        service,
        destination: destination.clone(),
    }
}

fn edit(present: &ServiceStatus, wanted: &DesiredService, changes: &mut Vec<Change>) {
    if present.service != *wanted.service() {
        changes.push(Change::EditService(wanted.service().clone()));
    }
    let service = present.service.key;
    edit_destinations(present, wanted, changes);
    let (before, after) = (&present.local_addresses, wanted.local_addresses());
    for &address in after {
        if !before.iter().any(|local| local.address == address) {
            changes.push(Change::AddLocalAddress { service, address });
        }
    }
    for local in before.iter().filter(|it| !after.contains(&it.address)) {
        let address = local.address;
        changes.push(Change::DeleteLocalAddress { service, address });
    }
}

fn edit_destinations(present: &ServiceStatus, wanted: &DesiredService, changes: &mut Vec<Change>) {
    let service = present.service.key;
    let before = || present.destinations.iter().map(|known| &known.destination);
    for destination in wanted.destinations().rev() {
        match before().find(|known| known.key == destination.key) {
            None => changes.push(add_destination(service, destination)),
            Some(known) if known != destination => changes.push(Change::EditDestination {
                service,
                destination: destination.clone(),
            }),
            Some(_) => {}
        }
    }
    for known in before().filter(|known| wanted.destination(&known.key).is_none()) {
        let destination = known.key;
        changes.push(Change::DeleteDestination {
            service,
            destination,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = "-A -t 192.0.2.100:80 -s wrr
        -a -t 192.0.2.100:80 -r 192.0.2.11 -g -w 3
        -a -t 192.0.2.100:80 -r 192.0.2.12 -g
        -A -f 7 -s rr
        --set 11 15 300";

    fn parsed(text: &str) -> Vec<Change> {
        let script = Script::read(&mut text.as_bytes(), &SystemNames::default());
        script.expect("they are rules").changes
    }

    /// The services as a director shows them after `rules`.
    fn present(rules: &[Change]) -> Vec<ServiceStatus> {
        let desired = desired(rules).unwrap();
        let status = |known: &DesiredService| {
            let destinations = known.destinations().map(|destination| {
                let counts = serde_json::json!({
                    "active_connections": 0, "inactive_connections": 0,
                    "persistent_connections": 0, "statistics": rlvs_control::listing::Statistics::default(),
                });
                let mut value = serde_json::to_value(destination).unwrap();
                value.as_object_mut().unwrap().extend(counts.as_object().unwrap().clone());
                serde_json::from_value(value).unwrap()
            });
            ServiceStatus {
                service: known.service().clone(),
                statistics: Default::default(),
                destinations: destinations.collect(),
                local_addresses: Vec::new(),
            }
        };
        desired.services().map(status).collect()
    }

    fn keys(rules: &[Change]) -> BTreeSet<ServiceKey> {
        let desired = desired(rules).unwrap();
        desired.services().map(|it| it.service().key).collect()
    }

    #[test]
    fn rules_are_set_once() {
        let rules = parsed(RULES);
        let first = changes(&[], &BTreeSet::new(), &desired(&rules).unwrap()).unwrap();
        assert_eq!(first, rules[..4]);
        let again = changes(&present(&rules), &keys(&rules), &desired(&rules).unwrap());
        assert_eq!(again.unwrap(), []);
    }

    #[test]
    fn other_rules_change_what_differs() {
        let before = parsed(RULES);
        let after = parsed(
            "-A -t 192.0.2.100:80 -s rr
            -a -t 192.0.2.100:80 -r 192.0.2.12 -g -w 5
            -a -t 192.0.2.100:80 -r 192.0.2.13 -g",
        );
        let made = changes(&present(&before), &keys(&before), &desired(&after).unwrap()).unwrap();
        let expected = parsed(
            "-D -f 7
            -E -t 192.0.2.100:80 -s rr
            -e -t 192.0.2.100:80 -r 192.0.2.12 -g -w 5
            -a -t 192.0.2.100:80 -r 192.0.2.13 -g
            -d -t 192.0.2.100:80 -r 192.0.2.11",
        );
        assert_eq!(made, expected);
    }

    #[test]
    fn services_of_others_are_not_touched() {
        let rules = parsed(RULES);
        let refused = changes(
            &present(&rules),
            &BTreeSet::new(),
            &desired(&rules).unwrap(),
        );
        let text = refused.unwrap_err().to_string();
        assert!(text.contains("ipvsadm -D -t 192.0.2.100:80"), "{text}");
        let ours = [keys(&rules).pop_first().unwrap()].into();
        let made = deletions(&present(&rules), &ours, |_| false);
        assert_eq!(made, parsed("-D -t 192.0.2.100:80"));
    }
}
