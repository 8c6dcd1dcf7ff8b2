//! What applying a site changes, for people to read before.

use rlvs_config::Site;
use rlvs_config::model::Vrrp;
use rlvs_config::settings::Settings;
use rlvs_control::site::{Before, Plan, Step};
use rlvs_control::{Change, ServiceKey};

use super::{Managed, addresses, keys};
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
        addresses: addresses::steps(&managed.site, site),
        taken_over: keys(site).filter(is_by_hand).collect(),
        notes: notes(settings, site),
    }
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
    if site.vrrp != Vrrp::default() || site.alerts.vrrp_fifo.is_some() {
        notes.push("VRRP is not there yet in rlvs: its instances do nothing".to_owned());
    }
    notes
}
