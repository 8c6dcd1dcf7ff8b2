//! /proc/net/ip_vs_app: helpers for protocols, and how many connections they read along with.

use std::io::{self, Write};

use rlvs_control::{ForwardingMethod, Protocol, ServiceKey, ServiceStatus, Services};

/// Where FTP's commands go.
const FTP: u16 = 21;

/// FTP's is there always, as where ip_vs_ftp is loaded.
pub(super) fn write(services: &Services, output: &mut dyn Write) -> io::Result<()> {
    let of_ftp = services.services.iter().filter(|status| is_ftp(status));
    let users: u32 = of_ftp.map(masqueraded).sum();
    writeln!(output, "prot port    usecnt name")?;
    writeln!(output, "{:<3}  {FTP:<7} {users:<6} {:<17}", "TCP", "ftp")
}

fn is_ftp(status: &ServiceStatus) -> bool {
    matches!(
        status.service.key,
        ServiceKey::Address {
            protocol: Protocol::Tcp,
            port: FTP,
            ..
        }
    )
}

/// Connections that are masqueraded.
fn masqueraded(status: &ServiceStatus) -> u32 {
    let known = status.destinations.iter();
    known
        .filter(|it| it.destination.method == ForwardingMethod::Masquerade)
        .map(|it| it.active_connections + it.inactive_connections)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masqueraded_connections_for_commands_are_counted() {
        let destination = |address: &str, method: &str| {
            serde_json::json!({
                "address": address, "port": 21, "method": method, "weight": 1,
                "active_connections": 2, "inactive_connections": 1, "persistent_connections": 0,
                "statistics": rlvs_control::listing::Statistics::default(),
            })
        };
        let service = |port: u16| {
            serde_json::json!({
                "key": {"address": {"protocol": "tcp", "address": "192.0.2.1", "port": port}},
                "scheduler": "rr",
                "statistics": rlvs_control::listing::Statistics::default(),
                "destinations": [
                    destination("10.0.0.1", "masquerade"),
                    destination("10.0.0.2", "route"),
                ],
            })
        };
        let services = serde_json::json!({"table_size": 1, "services": [service(21), service(80)]});
        let mut output = Vec::new();
        write(&serde_json::from_value(services).unwrap(), &mut output).unwrap();
        assert_eq!(
            String::from_utf8(output).unwrap(),
            "prot port    usecnt name\nTCP  21      3      ftp              \n"
        );
    }
}
