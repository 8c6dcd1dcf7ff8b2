//! A service as written, and what it means.

use std::net::IpAddr;

use rlvs_check::spec::{Check, Options, ServicePolicy, SorryServer};
use rlvs_control::model::{Granularity, Persistence};
use rlvs_control::{Destination, DestinationKey, Protocol, Service, ServiceKey};

use super::super::check::Checks;
use super::super::decode::Step;
use super::super::keys::{Addresses, Endpoint};
use super::super::service::{MARK_FAMILIES, SCHEDULER, WrittenReal, WrittenService, flag_bits};
use crate::model::{RealServer, VirtualServer};

/// What is wrong with a service.
pub(super) struct Wrong {
    /// The real server and the field in it, or the field of the service.
    real: Option<usize>,
    field: &'static str,
    pub(super) message: String,
}

impl Wrong {
    fn of(field: &'static str, message: impl Into<String>) -> Self {
        Self {
            real: None,
            field,
            message: message.into(),
        }
    }

    pub(super) fn steps(&self) -> Vec<Step<'static>> {
        let real = self.real.map(|real| [Step::Key("real"), Step::Index(real)]);
        let field = Some(Step::Key(self.field)).filter(|_| !self.field.is_empty());
        real.into_iter().flatten().chain(field).collect()
    }
}

/// `outer` are the options of checks that the file has.
pub(super) fn settle(written: &WrittenService, outer: &Options) -> Result<VirtualServer, Wrong> {
    let services = services(written)?;
    let port = match services[0].key {
        ServiceKey::Address { port, .. } => port,
        ServiceKey::Mark { .. } => 0,
    };
    let options = written.options().or(outer);
    let mut real = Vec::with_capacity(written.real.len());
    let usual = usual_checks(written, &options)?;
    for (index, server) in written.real.iter().enumerate() {
        let settled = real_server(server, written, port, (&usual, &options));
        real.push(settled.map_err(|wrong| Wrong {
            real: Some(index),
            ..wrong
        })?);
    }
    Ok(VirtualServer {
        group: written.group.clone(),
        services,
        local_addresses: written.local_addresses.clone(),
        real,
        sorry_server: sorry_server(written, port),
        policy: policy(written),
        quorum_up: written.quorum_up.clone(),
        quorum_down: written.quorum_down.clone(),
        smtp_alert: written.smtp_alert,
    })
}

fn services(written: &WrittenService) -> Result<Vec<Service>, Wrong> {
    let scheduler = written.scheduler.as_deref().unwrap_or(SCHEDULER);
    let flags = flag_bits(&written.scheduler_flags, scheduler)
        .map_err(|message| Wrong::of("scheduler_flags", message))?;
    let keys = keys(written);
    if keys.is_empty() {
        let message = "a service needs `tcp`, `udp` or `sctp` with an address, or a `mark`";
        return Err(Wrong::of("", message));
    }
    masks_are_used(written, &keys)?;
    let service = |key: ServiceKey| Service {
        key,
        scheduler: scheduler.to_owned(),
        scheduler_flags: flags,
        persistence: persistence(written, &key),
        one_packet: written.one_packet,
        persistence_engine: written.persistence_engine.clone(),
        client_address: written.client_address,
        slow_start: written.slow_start.unwrap_or(0),
    };
    Ok(keys.into_iter().map(service).collect())
}

fn keys(written: &WrittenService) -> Vec<ServiceKey> {
    let mut keys = Vec::new();
    for (protocol, addresses) in [
        (Protocol::Tcp, &written.tcp),
        (Protocol::Udp, &written.udp),
        (Protocol::Sctp, &written.sctp),
    ] {
        let Addresses(list) = addresses
            .as_ref()
            .unwrap_or(const { &Addresses(Vec::new()) });
        keys.extend(list.iter().map(|address| ServiceKey::Address {
            protocol,
            address: address.ip(),
            port: address.port(),
        }));
    }
    for (family, marks) in MARK_FAMILIES
        .into_iter()
        .zip([&written.mark, &written.mark_ipv6])
    {
        let marks = marks.iter().flat_map(|marks| &marks.0);
        keys.extend(marks.map(|&mark| ServiceKey::Mark { family, mark }));
    }
    keys
}

/// A mask that no service has is a slip.
fn masks_are_used(written: &WrittenService, keys: &[ServiceKey]) -> Result<(), Wrong> {
    let is_ipv6 = |key: &ServiceKey| key.family() == MARK_FAMILIES[1];
    for (field, given, used) in [
        (
            "netmask",
            written.netmask.is_some(),
            !keys.iter().all(is_ipv6),
        ),
        (
            "prefix_length",
            written.prefix_length.is_some(),
            keys.iter().any(is_ipv6),
        ),
    ] {
        if given && written.persistent.is_none() {
            return Err(Wrong::of(field, "this needs `persistent`"));
        }
        if given && !used {
            let message = "no address of the service is of this IP version";
            return Err(Wrong::of(field, message));
        }
    }
    Ok(())
}

fn persistence(written: &WrittenService, key: &ServiceKey) -> Option<Persistence> {
    let timeout = written.persistent?;
    let granularity = match key.family() == MARK_FAMILIES[1] {
        true => Granularity::Prefix(written.prefix_length.unwrap_or(128)),
        false => Granularity::Mask(written.netmask.unwrap_or(std::net::Ipv4Addr::BROADCAST)),
    };
    Some(Persistence {
        timeout,
        granularity,
    })
}

fn policy(written: &WrittenService) -> ServicePolicy {
    let sorry = written.sorry_server.as_ref();
    ServicePolicy {
        quorum: written.quorum.unwrap_or(1),
        hysteresis: written.hysteresis.unwrap_or(0),
        omega: written.omega,
        ha_suspend: written.ha_suspend,
        sorry_server: sorry.map(|sorry| SorryServer {
            inhibit: sorry.0.inhibit,
        }),
        max_down: written.max_down,
    }
}

fn sorry_server(written: &WrittenService, port: u16) -> Option<Destination> {
    let sorry = &written.sorry_server.as_ref()?.0;
    let method = sorry.method.or(written.method).unwrap_or_default();
    Some(Destination {
        key: key(sorry.address, port),
        method: method.0,
        weight: 1,
        upper_threshold: 0,
        lower_threshold: 0,
    })
}

fn usual_checks(written: &WrittenService, options: &Options) -> Result<Vec<Check>, Wrong> {
    match &written.check {
        Some(checks) => settled(checks, options),
        None => Ok(Vec::new()),
    }
}

fn settled(Checks(list): &Checks, options: &Options) -> Result<Vec<Check>, Wrong> {
    let checks = list.iter().map(|check| check.check(options));
    let checks: Result<_, String> = checks.collect();
    checks.map_err(|message| Wrong::of("check", message))
}

fn real_server(
    written: &WrittenReal,
    service: &WrittenService,
    port: u16,
    (usual, options): (&[Check], &Options),
) -> Result<RealServer, Wrong> {
    let Some(address) = written.address else {
        return Err(Wrong::of("", "a real server needs its `address`"));
    };
    let own = written.options();
    let checks = match &written.check {
        Some(checks) => settled(checks, &own.or(options))?,
        None if own == Options::default() => usual.to_vec(),
        None => usual_checks(service, &own.or(options))?,
    };
    let method = written.method.or(service.method).unwrap_or_default();
    Ok(RealServer {
        destination: Destination {
            key: key(address, port),
            method: method.0,
            weight: written.weight.unwrap_or(1),
            upper_threshold: written.upper_threshold.unwrap_or(0),
            lower_threshold: written.lower_threshold.unwrap_or(0),
        },
        inhibit_on_failure: written
            .inhibit_on_failure
            .unwrap_or(service.inhibit_on_failure),
        checks,
        notify_up: written.notify_up.clone(),
        notify_down: written.notify_down.clone(),
        smtp_alert: written.smtp_alert.unwrap_or(service.smtp_alert),
    })
}

fn key(endpoint: Endpoint, port: u16) -> DestinationKey {
    let address: IpAddr = endpoint.address;
    let port = endpoint.port.unwrap_or(port);
    DestinationKey { address, port }
}
