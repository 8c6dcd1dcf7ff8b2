//! /proc/net/ip_vs: services and destinations.

use std::io::{self, Write};

use rlvs_control::model::{Granularity, Persistence};
use rlvs_control::{DestinationStatus, Service, ServiceKey, Services};

use super::address;

/// What the kernel counts its timeouts in here: Debian's kernels have 250 a second.
const HZ: u64 = 250;

pub(super) fn write(services: &Services, output: &mut dyn Write) -> io::Result<()> {
    write!(
        output,
        "\
IP Virtual Server version 1.2.1 (size={})
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
",
        services.table_size
    )?;
    for status in &services.services {
        let service = &status.service;
        let persistence = service
            .persistence
            .as_ref()
            .map_or_else(String::new, persistent);
        writeln!(output, "{}{persistence}", beginning(service))?;
        for known in &status.destinations {
            writeln!(output, "{}", destination(known))?;
        }
    }
    Ok(())
}

/// The kernel tells of one-packet scheduling only where the address is not IPv6.
fn beginning(service: &Service) -> String {
    let scheduler = &service.scheduler;
    let one_packet = if service.one_packet { "ops " } else { "" };
    match service.key {
        ServiceKey::Address {
            protocol,
            address: at,
            port,
        } if at.is_ipv6() => format!("{protocol}  [{}]:{port:04X} {scheduler} ", address(at)),
        ServiceKey::Address {
            protocol,
            address: at,
            port,
        } => format!(
            "{protocol}  {}:{port:04X} {scheduler} {one_packet} ",
            address(at)
        ),
        ServiceKey::Mark { mark, .. } => format!("FWM  {mark:08X} {scheduler} {one_packet}"),
    }
}

/// The length of an IPv6 prefix appears as the kernel keeps it, where masks have their bytes.
fn persistent(persistence: &Persistence) -> String {
    let jiffies = u64::from(persistence.timeout) * HZ;
    let mask = match persistence.granularity {
        Granularity::Mask(mask) => mask.to_bits(),
        Granularity::Prefix(bits) => u32::from(bits).swap_bytes(),
    };
    format!("persistent {jiffies} {mask:08X}")
}

fn destination(known: &DestinationStatus) -> String {
    let key = known.destination.key;
    let at = match key.address.is_ipv6() {
        true => format!("[{}]", address(key.address)),
        false => address(key.address),
    };
    format!(
        "  -> {at}:{:04X}      {:<7} {:<6} {:<10} {:<10}",
        key.port,
        known.destination.method.name(),
        known.destination.weight,
        known.active_connections,
        known.inactive_connections
    )
}
