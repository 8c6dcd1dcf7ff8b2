//! Once all is read: what is inherited, and what keepalived makes of what does not go together.

mod checks;
mod keys;

use std::collections::HashSet;
use std::net::Ipv4Addr;

use rlvs_check::spec::{Options, ServicePolicy, SorryServer};
use rlvs_control::model::{Family, Granularity, Persistence};
use rlvs_control::{Destination, DestinationKey, ForwardingMethod, Protocol, Service, ServiceKey};

use super::super::globals::Globals;
use super::super::notes::Notes;
use super::Group;
use super::real::RealDraft;
use super::virtual_server::{KeyDraft, VirtualDraft};
use crate::model::vrrp::TrackFile;
use crate::model::{Command, RealServer, VirtualServer};
use crate::source::Place;

const USUAL_PERSISTENCE: u32 = 360;

/// All that virtual servers refer to.
pub(in super::super) struct Surroundings<'a> {
    pub(in super::super) globals: &'a Globals,
    pub(in super::super) groups: &'a [Group],
    pub(in super::super) track_files: &'a [TrackFile],
    /// Mail goes somewhere.
    pub(in super::super) mails: bool,
}

/// The virtual server that a draft means, and where its real servers are written.
pub(in super::super) fn settle(
    draft: &VirtualDraft,
    around: &Surroundings<'_>,
    notes: &mut Notes,
) -> Option<(VirtualServer, Vec<Place>)> {
    let keys = keys::keys(draft, around.groups, notes)?;
    let services = services(draft, &keys, notes);
    let (real, places) = reals(draft, &services, around, notes);
    if real.is_empty() {
        say(
            notes,
            draft.place,
            "it has no real servers, and is left out",
        );
        return None;
    }
    let user = |command: &Option<Command>| around.globals.runs(command.clone());
    let alerts = around
        .globals
        .smtp_alert_checker
        .or(around.globals.smtp_alert);
    let server = VirtualServer {
        group: match &draft.key {
            KeyDraft::Group(name) => Some(name.clone()),
            _ => None,
        },
        sorry_server: sorry_server(draft, &services[0].key),
        policy: policy(draft, &real, notes),
        services,
        local_addresses: Vec::new(),
        real,
        quorum_up: user(&draft.quorum_up),
        quorum_down: user(&draft.quorum_down),
        smtp_alert: draft.smtp_alert.or(alerts).unwrap_or(false),
    };
    Some((server, places))
}

fn services(draft: &VirtualDraft, keys: &[ServiceKey], notes: &mut Notes) -> Vec<Service> {
    let mut persistence = draft.persistence;
    let any_port = |key: &ServiceKey| matches!(key, ServiceKey::Address { port: 0, .. });
    if persistence.is_none() && keys.iter().any(any_port) {
        let message = "all ports need persistence, which is set to 360 seconds";
        say(notes, draft.place, message);
        persistence = Some(USUAL_PERSISTENCE);
    }
    let one_packet = draft.one_packet && keys.iter().all(may_be_single);
    if draft.one_packet && !one_packet {
        say(notes, draft.place, "`ops` is for UDP only, and is left out");
    }
    let service = |key: &ServiceKey| Service {
        key: *key,
        scheduler: draft.scheduler.clone(),
        scheduler_flags: draft.flags,
        persistence: persistence.map(|timeout| Persistence {
            timeout,
            granularity: granularity(draft, key),
        }),
        one_packet,
        persistence_engine: draft.persistence_engine.clone(),
        client_address: Default::default(),
        slow_start: 0,
    };
    keys.iter().map(service).collect()
}

fn may_be_single(key: &ServiceKey) -> bool {
    match key {
        ServiceKey::Address { protocol, .. } => *protocol == Protocol::Udp,
        ServiceKey::Mark { .. } => true,
    }
}

fn granularity(draft: &VirtualDraft, key: &ServiceKey) -> Granularity {
    match key.family() {
        Family::Ipv4 => Granularity::Mask(draft.netmask.unwrap_or(Ipv4Addr::BROADCAST)),
        Family::Ipv6 => Granularity::Prefix(draft.prefix_length.unwrap_or(128)),
    }
}

fn policy(draft: &VirtualDraft, real: &[RealServer], notes: &mut Notes) -> ServicePolicy {
    let weights = real.iter().map(|real| u64::from(real.destination.weight));
    let total = u32::try_from(weights.sum::<u64>())
        .unwrap_or(u32::MAX)
        .max(1);
    let (mut quorum, mut hysteresis) = (draft.quorum, draft.hysteresis);
    if quorum > total {
        let message = format!("the quorum {quorum} is more than all weights, and becomes {total}");
        say(notes, draft.place, &message);
        quorum = total;
    }
    if hysteresis >= quorum {
        if hysteresis > 0 {
            let message = format!(
                "the hysteresis {hysteresis} is not below the quorum, and becomes {}",
                quorum - 1
            );
            say(notes, draft.place, &message);
        }
        hysteresis = quorum - 1;
    }
    ServicePolicy {
        quorum,
        hysteresis: hysteresis.min(draft.hysteresis),
        omega: draft.omega,
        ha_suspend: draft.ha_suspend,
        sorry_server: draft.sorry.map(|_| SorryServer {
            inhibit: draft.sorry_inhibit,
        }),
        max_down: None,
    }
}

fn sorry_server(draft: &VirtualDraft, key: &ServiceKey) -> Option<Destination> {
    let (address, own) = draft.sorry?;
    let port = own.unwrap_or(port(key));
    Some(Destination {
        key: DestinationKey { address, port },
        method: draft.sorry_method.unwrap_or(draft.method),
        weight: 1,
        upper_threshold: 0,
        lower_threshold: 0,
    })
}

fn reals(
    draft: &VirtualDraft,
    services: &[Service],
    around: &Surroundings<'_>,
    notes: &mut Notes,
) -> (Vec<RealServer>, Vec<Place>) {
    let mut seen = HashSet::with_capacity(draft.real.len());
    let (mut real, mut places) = (Vec::new(), Vec::new());
    for one in &draft.real {
        let destination = destination(one, draft, &services[0].key);
        let fits = services.iter().all(|it| suits(&it.key, &destination));
        if !fits {
            say(
                notes,
                one.place,
                "it is of another IP version than the virtual server, and left out",
            );
        } else if !seen.insert(destination.key) {
            say(
                notes,
                one.place,
                "this real server is there twice; the second is left out",
            );
        } else {
            real.push(real_server(one, destination, draft, around, notes));
            places.push(one.place);
        }
    }
    (real, places)
}

fn destination(real: &RealDraft, draft: &VirtualDraft, key: &ServiceKey) -> Destination {
    Destination {
        key: DestinationKey {
            address: real.address,
            port: real.port.unwrap_or(port(key)),
        },
        method: real.method.unwrap_or(draft.method),
        weight: real.weight,
        upper_threshold: real.upper_threshold,
        lower_threshold: real.lower_threshold,
    }
}

fn suits(key: &ServiceKey, destination: &Destination) -> bool {
    let same = destination.key.address.is_ipv6() == (key.family() == Family::Ipv6);
    same || matches!(destination.method, ForwardingMethod::Tunnel(_))
}

fn real_server(
    real: &RealDraft,
    destination: Destination,
    draft: &VirtualDraft,
    around: &Surroundings<'_>,
    notes: &mut Notes,
) -> RealServer {
    let globals = around.globals;
    let outermost = Options {
        log_all_failures: globals.checker_log_all_failures,
        ..Options::default()
    };
    let inherited = checks::Inherited {
        options: real.options.or(&draft.options).or(&outermost),
        virtual_host: real.virtual_host.clone().or(draft.virtual_host.clone()),
    };
    let alerts = globals.smtp_alert_checker.or(globals.smtp_alert);
    RealServer {
        checks: checks::checks(real, &inherited, around, notes),
        destination,
        inhibit_on_failure: real.inhibit_on_failure.unwrap_or(draft.inhibit_on_failure),
        notify_up: globals.runs(real.notify_up.clone()),
        notify_down: globals.runs(real.notify_down.clone()),
        smtp_alert: real.smtp_alert.or(alerts).unwrap_or(around.mails),
    }
}

fn port(key: &ServiceKey) -> u16 {
    match key {
        ServiceKey::Address { port, .. } => *port,
        ServiceKey::Mark { .. } => 0,
    }
}

/// What keepalived changes by itself, and says.
fn say(notes: &mut Notes, place: Place, message: &str) {
    notes.warn(place, "", message);
}
