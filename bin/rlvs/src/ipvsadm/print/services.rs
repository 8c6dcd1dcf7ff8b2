//! The list of services with their destinations.

use std::io::{self, Write};

use rlvs_control::model::{Granularity, Persistence};
use rlvs_control::{DestinationStatus, Service, ServiceStatus, Services};

use super::columns;
use super::name::{Namer, port_protocol, protocol};
use super::order::{sort_destinations, sort_services};
use crate::ipvsadm::command::{Columns, ServiceListing};
use crate::ipvsadm::scheduler_flags;

/// Prints what `listing` asks for; answers false if the service it asks for is not there.
pub(in crate::ipvsadm) fn services(
    listing: &ServiceListing,
    services: Services,
    names: Namer<'_>,
    output: &mut dyn Write,
) -> io::Result<bool> {
    let size = services.table_size;
    let mut services = services.services;
    match listing.only {
        None => writeln!(output, "IP Virtual Server version 1.2.1 (size={size})")?,
        Some(key) => services.retain(|status| status.service.key == key),
    }
    if listing.only.is_some() && services.is_empty() {
        return Ok(false);
    }
    output.write_all(header(listing.columns).as_bytes())?;
    if listing.sorted {
        services = sort_services(services);
    }
    services
        .into_iter()
        .try_for_each(|status| one(listing, status, names, output))?;
    Ok(true)
}

fn header(columns: Columns) -> &'static str {
    match columns {
        Columns::Persistence => columns::PERSISTENCE,
        Columns::Rates => columns::RATES,
        Columns::Statistics => columns::STATISTICS,
        Columns::Thresholds => columns::THRESHOLDS,
        Columns::Tunnels => columns::TUNNELS,
        Columns::Usual => columns::USUAL,
    }
}

fn one(
    listing: &ServiceListing,
    status: ServiceStatus,
    names: Namer<'_>,
    output: &mut dyn Write,
) -> io::Result<()> {
    writeln!(output, "{}", service_line(listing, &status, names))?;
    let protocol = port_protocol(&status.service.key);
    let sort = if listing.sorted {
        sort_destinations
    } else {
        std::convert::identity
    };
    sort(status.destinations).into_iter().try_for_each(|known| {
        let key = known.destination.key;
        let name = names.column(key.address, key.port, protocol);
        writeln!(
            output,
            "  -> {name:<28}{}",
            destination_columns(listing, &known)
        )
    })
}

fn service_line(listing: &ServiceListing, status: &ServiceStatus, names: Namer<'_>) -> String {
    let key = &status.service.key;
    let (protocol, name) = (protocol(key), names.service(key));
    let numbers = match listing.columns {
        Columns::Statistics => columns::service_statistics(&status.statistics, listing.exact),
        Columns::Rates => columns::service_rates(&status.statistics, listing.exact),
        _ => return format!("{protocol:<4} {name} {}", options(&status.service)),
    };
    format!("{protocol:<4} {name:<28}{numbers}")
}

fn destination_columns(listing: &ServiceListing, known: &DestinationStatus) -> String {
    match listing.columns {
        Columns::Persistence => columns::persistence(known),
        Columns::Rates => columns::rates(&known.statistics, listing.exact),
        Columns::Statistics => columns::statistics(&known.statistics, listing.exact),
        Columns::Thresholds => columns::thresholds(known),
        Columns::Tunnels => columns::tunnel(known),
        Columns::Usual => columns::usual(known),
    }
}

/// The scheduler and what else was said of a service.
fn options(service: &Service) -> String {
    let mut text = service.scheduler.clone();
    if service.scheduler_flags != 0 {
        let flags = scheduler_flags::list(service.scheduler_flags, &service.scheduler);
        text += &format!(" ({flags})");
    }
    if let Some(persistence) = &service.persistence {
        text += &format!(" persistent {}", persistence.timeout);
        if let Some(mask) = mask(persistence) {
            text += &format!(" mask {mask}");
        }
        if let Some(engine) = &service.persistence_engine {
            text += &format!(" pe {engine}");
        }
    }
    if service.one_packet {
        text += " ops";
    }
    text
}

/// The granularity, unless every client counts for itself.
pub(super) fn mask(persistence: &Persistence) -> Option<String> {
    match persistence.granularity {
        Granularity::Mask(mask) => (!mask.is_broadcast()).then(|| mask.to_string()),
        Granularity::Prefix(bits) => (bits != 128).then(|| bits.to_string()),
    }
}
