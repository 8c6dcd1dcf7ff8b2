//! From a site to the text of rlvs.toml: only what differs from what would be without it.

use rlvs_check::spec::Check;
use rlvs_control::model::{Family, Granularity};
use rlvs_control::{Destination, Protocol, ServiceKey};

use super::check::{Checks, WrittenCheck};
use super::file::{Defaults, WrittenFile};
use super::keys::{Addresses, Endpoint, Marks};
use super::method::Method;
use super::print;
use super::service::{SCHEDULER, Sorry, SorryForm, WrittenReal, WrittenService, flag_names};
use super::share::share;
use crate::model::{RealServer, Site, VirtualServer};

/// The file that [`super::read`] makes this site of.
pub fn write(site: &Site) -> String {
    let mut services: Vec<_> = site.services.iter().map(service).collect();
    let mut check = Defaults::default();
    check.set_options(&share(&mut services));
    let file = WrittenFile {
        check,
        timeouts: site.timeouts.map(Into::into),
        alerts: site.alerts.clone(),
        address: site.addresses.clone(),
        service: services,
        vrrp: site.vrrp.clone(),
        ..WrittenFile::of(site.settings.clone())
    };
    print::file(&file)
}

fn service(server: &VirtualServer) -> WrittenService {
    let first = &server.services[0];
    let method = common(
        server
            .real
            .iter()
            .map(|real| Method(real.destination.method)),
    );
    let checks = common(server.real.iter().map(|real| &real.checks[..]));
    let inhibit = common(server.real.iter().map(|real| real.inhibit_on_failure)) == Some(true);
    let usual = Usual {
        port: port(&first.key),
        method: method.unwrap_or_default(),
        checks: checks.unwrap_or_default(),
        inhibit,
        smtp_alert: server.smtp_alert,
    };
    let policy = &server.policy;
    let mut written = WrittenService {
        group: server.group.clone(),
        scheduler: differs(first.scheduler.clone(), SCHEDULER.to_owned()),
        scheduler_flags: flag_names(first.scheduler_flags, &first.scheduler),
        persistence_engine: first.persistence_engine.clone(),
        one_packet: first.one_packet,
        slow_start: differs(first.slow_start, 0),
        client_address: first.client_address,
        local_addresses: server.local_addresses.clone(),
        method: differs(usual.method, Method::default()),
        quorum: differs(policy.quorum, 1),
        hysteresis: differs(policy.hysteresis, 0),
        quorum_up: server.quorum_up.clone(),
        quorum_down: server.quorum_down.clone(),
        sorry_server: sorry(server, &usual),
        max_down: policy.max_down,
        omega: policy.omega,
        ha_suspend: policy.ha_suspend,
        inhibit_on_failure: inhibit,
        smtp_alert: server.smtp_alert,
        check: (!usual.checks.is_empty()).then(|| written_checks(usual.checks)),
        real: server
            .real
            .iter()
            .map(|real| written_real(real, &usual))
            .collect(),
        ..WrittenService::default()
    };
    set_keys(&mut written, server);
    set_persistence(&mut written, server);
    written
}

/// What real servers have that say nothing else.
struct Usual<'a> {
    port: u16,
    method: Method,
    checks: &'a [Check],
    inhibit: bool,
    smtp_alert: bool,
}

fn set_keys(written: &mut WrittenService, server: &VirtualServer) {
    for key in server.keys() {
        match *key {
            ServiceKey::Address {
                protocol,
                address,
                port,
            } => {
                let list = match protocol {
                    Protocol::Tcp => &mut written.tcp,
                    Protocol::Udp => &mut written.udp,
                    Protocol::Sctp => &mut written.sctp,
                };
                let Addresses(list) = list.get_or_insert_default();
                list.push((address, port).into());
            }
            ServiceKey::Mark { family, mark } => {
                let list = match family {
                    Family::Ipv4 => &mut written.mark,
                    Family::Ipv6 => &mut written.mark_ipv6,
                };
                let Marks(list) = list.get_or_insert_default();
                list.push(mark);
            }
        }
    }
}

fn set_persistence(written: &mut WrittenService, server: &VirtualServer) {
    for persistence in server.services.iter().filter_map(|it| it.persistence) {
        written.persistent = Some(persistence.timeout);
        match persistence.granularity {
            Granularity::Mask(mask) => {
                written.netmask = differs(mask, std::net::Ipv4Addr::BROADCAST);
            }
            Granularity::Prefix(length) => written.prefix_length = differs(length, 128),
        }
    }
}

fn sorry(server: &VirtualServer, usual: &Usual<'_>) -> Option<Sorry> {
    let destination = server.sorry_server.as_ref()?;
    let inhibit = server
        .policy
        .sorry_server
        .is_some_and(|sorry| sorry.inhibit);
    Some(Sorry(SorryForm {
        address: endpoint(destination, usual.port),
        method: differs(Method(destination.method), usual.method),
        inhibit,
    }))
}

fn written_real(real: &RealServer, usual: &Usual<'_>) -> WrittenReal {
    let destination = &real.destination;
    WrittenReal {
        address: Some(endpoint(destination, usual.port)),
        weight: differs(destination.weight, 1),
        method: differs(Method(destination.method), usual.method),
        upper_threshold: differs(destination.upper_threshold, 0),
        lower_threshold: differs(destination.lower_threshold, 0),
        inhibit_on_failure: differs(real.inhibit_on_failure, usual.inhibit),
        notify_up: real.notify_up.clone(),
        notify_down: real.notify_down.clone(),
        smtp_alert: differs(real.smtp_alert, usual.smtp_alert),
        check: (real.checks != usual.checks).then(|| written_checks(&real.checks)),
        ..WrittenReal::default()
    }
}

fn written_checks(checks: &[Check]) -> Checks {
    Checks(checks.iter().map(WrittenCheck::of).collect())
}

fn endpoint(destination: &Destination, usual: u16) -> Endpoint {
    Endpoint {
        address: destination.key.address,
        port: differs(destination.key.port, usual),
    }
}

fn port(key: &ServiceKey) -> u16 {
    match key {
        ServiceKey::Address { port, .. } => *port,
        ServiceKey::Mark { .. } => 0,
    }
}

/// What all have alike.
fn common<T: PartialEq>(mut values: impl Iterator<Item = T>) -> Option<T> {
    let first = values.next()?;
    values.all(|value| value == first).then_some(first)
}

fn differs<T: PartialEq>(wanted: T, usual: T) -> Option<T> {
    (wanted != usual).then_some(wanted)
}
