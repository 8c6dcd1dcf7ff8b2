//! Scenarios and changes in the words of `ipvsadm`.

use std::fmt::Write;
use std::net::SocketAddr;

use rlvs_control::model::Granularity;
use rlvs_control::{Change, Destination, ForwardingMethod, Service};

use crate::scenario::{Scenario, Step, World};

/// The scenario in the words of ipvsadm.
pub(crate) fn describe(scenario: &Scenario) -> String {
    let world = World {
        ipv6: scenario.ipv6,
        run: 1,
    };
    let mut text = String::new();
    for it in &scenario.settings {
        let _ = writeln!(text, "  sysctl net.ipv4.vs.{}={}", it.name, it.value);
    }
    for step in &scenario.steps {
        match step {
            Step::Edit(edits) => {
                for edit in edits {
                    let _ = writeln!(text, "  ipvsadm {}", line(&world.change(edit)));
                }
                text += "  --\n";
            }
            Step::Wait(seconds) => {
                let _ = writeln!(text, "  sleep {seconds}");
            }
            Step::Send(packets) => {
                for it in packets {
                    let (client, service) = (world.client(it.client), it.service);
                    let to = SocketAddr::new(world.address(it.address), it.to);
                    let (kind, port) = (it.kind, it.port);
                    let _ = writeln!(
                        text,
                        "  {kind:?} {client} port {port} to {to} (service {service})"
                    );
                }
            }
        }
    }
    text
}

/// A change in the words of `ipvsadm -R`.
pub(crate) fn line(change: &Change) -> String {
    match change {
        Change::AddService(service) => format!("-A {}", service_words(service)),
        Change::EditService(service) => format!("-E {}", service_words(service)),
        Change::DeleteService(key) => format!("-D {}", key.words()),
        Change::AddDestination {
            service,
            destination,
        } => {
            format!("-a {} {}", service.words(), destination_words(destination))
        }
        Change::EditDestination {
            service,
            destination,
        } => {
            format!("-e {} {}", service.words(), destination_words(destination))
        }
        Change::DeleteDestination {
            service,
            destination,
        } => {
            format!("-d {} -r {destination}", service.words())
        }
        Change::Zero { service: None } => "-Z".to_owned(),
        other => unreachable!("not made by scenarios: {other:?}"),
    }
}

fn service_words(service: &Service) -> String {
    let mut words = format!("{} -s {}", service.key.words(), service.scheduler);
    let flags: Vec<_> = [(1, "flag-1"), (2, "flag-2")]
        .into_iter()
        .filter(|(bit, _)| service.scheduler_flags & bit != 0)
        .map(|(_, name)| name)
        .collect();
    if !flags.is_empty() {
        words += &format!(" -b {}", flags.join(","));
    }
    if service.one_packet {
        words += " -o";
    }
    if let Some(persistence) = service.persistence {
        let granularity = match persistence.granularity {
            Granularity::Mask(mask) => mask.to_string(),
            Granularity::Prefix(length) => length.to_string(),
        };
        words += &format!(" -p {} -M {granularity}", persistence.timeout);
    }
    words
}

fn destination_words(destination: &Destination) -> String {
    let method = match destination.method {
        ForwardingMethod::Masquerade => "-m",
        ForwardingMethod::Tunnel(_) => "-i",
        _ => "-g",
    };
    format!(
        "-r {} {method} -w {} -x {} -y {}",
        destination.key,
        destination.weight,
        destination.upper_threshold,
        destination.lower_threshold
    )
}
