//! The commands that make what there is (`-S`).
//!
//! Thresholds are among them, which ipvsadm 1.31 forgets, unless all is to be as there.

use std::io::{self, Write};

use rlvs_control::model::{ClientAddress, GueChecksum, Tunnel};
use rlvs_control::{Destination, ForwardingMethod, Service, ServiceKey, Services};

use super::name::{Namer, port_protocol};
use super::order::{sort_destinations, sort_services};
use super::services::mask;
use crate::ipvsadm::scheduler_flags;

/// What of each destination.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kept {
    All,
    /// No thresholds.
    AsIpvsadm,
}

pub(in crate::ipvsadm) fn save(
    services: Services,
    kept: Kept,
    names: Namer<'_>,
    output: &mut dyn Write,
) -> io::Result<()> {
    for status in sort_services(services.services) {
        let key = &status.service.key;
        let of = service_flag(key, names);
        writeln!(output, "-A {of}{}", service_options(&status.service))?;
        for local in &status.local_addresses {
            writeln!(output, "--add-laddr {of} --laddr {}", local.address)?;
        }
        for known in sort_destinations(status.destinations) {
            let Destination { key: server, .. } = known.destination;
            let name = names.endpoint(server.address, server.port, port_protocol(key));
            writeln!(
                output,
                "-a {of} -r {name}{}",
                server_options(&known.destination, kept)
            )?;
        }
    }
    Ok(())
}

fn service_flag(key: &ServiceKey, names: Namer<'_>) -> String {
    let ServiceKey::Address {
        protocol,
        address,
        port,
    } = key
    else {
        return key.words();
    };
    let name = names.endpoint(*address, *port, port_protocol(key));
    format!("{} {name}", protocol.option())
}

pub(crate) fn service_options(service: &Service) -> String {
    let mut text = format!(" -s {}", service.scheduler);
    if let Some(persistence) = &service.persistence {
        text += &format!(" -p {}", persistence.timeout);
        if let Some(mask) = mask(persistence) {
            text += &format!(" -M {mask}");
        }
    }
    if let Some(engine) = &service.persistence_engine {
        text += &format!(" --pe {engine}");
    }
    if service.one_packet {
        text += " -o";
    }
    if service.scheduler_flags != 0 {
        let flags = scheduler_flags::list(service.scheduler_flags, &service.scheduler);
        text += &format!(" -b {flags}");
    }
    match service.client_address {
        ClientAddress::Toa => {}
        ClientAddress::Proxy => text += " --client-address proxy",
        ClientAddress::None => text += " --client-address none",
    }
    if service.slow_start != 0 {
        text += &format!(" --slow-start {}", service.slow_start);
    }
    text
}

pub(crate) fn server_options(destination: &Destination, kept: Kept) -> String {
    let method = match destination.method {
        ForwardingMethod::FullNat => "--fullnat",
        ForwardingMethod::Masquerade => "-m",
        ForwardingMethod::Tunnel(_) => "-i",
        ForwardingMethod::Route | ForwardingMethod::Local => "-g",
    };
    let mut text = format!(" {method} -w {}", destination.weight);
    for (flag, limit) in [
        ("-x", destination.upper_threshold),
        ("-y", destination.lower_threshold),
    ] {
        if limit != 0 && kept == Kept::All {
            text += &format!(" {flag} {limit}");
        }
    }
    if let ForwardingMethod::Tunnel(tunnel) = destination.method {
        text += &tunnel_options(tunnel);
    }
    text
}

fn tunnel_options(tunnel: Tunnel) -> String {
    let (kind, checksum) = match tunnel {
        Tunnel::Ipip => return " --tun-type ipip".to_owned(),
        Tunnel::Gre { checksum: true } => ("gre".to_owned(), "csum"),
        Tunnel::Gre { checksum: false } => ("gre".to_owned(), "nocsum"),
        Tunnel::Gue { port, checksum } => {
            let checksum = match checksum {
                GueChecksum::None => "nocsum",
                GueChecksum::Full => "csum",
                GueChecksum::Remote => "remcsum",
            };
            (format!("gue --tun-port {port}"), checksum)
        }
    };
    format!(" --tun-type {kind} --tun-{checksum}")
}
