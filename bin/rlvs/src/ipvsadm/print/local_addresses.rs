//! `--get-laddr`: the local addresses of services, in the manner of DPVS.

use std::io::{self, Write};

use rlvs_control::{ServiceKey, Services};

use super::name::{Namer, protocol};
use super::order::sort_services;

const HEADER: &str = "\
Prot VirtualAddress:Port
  -> LocalAddress                                  Connections  Conflicts
";

/// Of all services that have some, or of `only` one; answers false if that is not there.
pub(in crate::ipvsadm) fn local_addresses(
    only: Option<ServiceKey>,
    services: Services,
    names: Namer<'_>,
    output: &mut dyn Write,
) -> io::Result<bool> {
    let mut services = sort_services(services.services);
    match only {
        Some(key) => services.retain(|status| status.service.key == key),
        None => services.retain(|status| !status.local_addresses.is_empty()),
    }
    if only.is_some() && services.is_empty() {
        return Ok(false);
    }
    output.write_all(HEADER.as_bytes())?;
    for status in services {
        let key = &status.service.key;
        writeln!(output, "{:<4} {}", protocol(key), names.service(key))?;
        for local in status.local_addresses {
            writeln!(
                output,
                "  -> {:<45} {:<12} {}",
                local.address, local.connections, local.conflicts
            )?;
        }
    }
    Ok(true)
}
