//! The usual columns with the kind of tunnel (`--tun-info`).

use rlvs_control::model::{GueChecksum, Tunnel};
use rlvs_control::{DestinationStatus, ForwardingMethod};

pub(in super::super) const TUNNELS: &str = "\
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward TunnelInfo    Weight ActiveConn InActConn
";

pub(in super::super) fn tunnel(known: &DestinationStatus) -> String {
    let method = known.destination.method;
    format!(
        " {:<7} {:<13} {:<6} {:<10} {:<10}",
        method.name(),
        kind(method),
        known.destination.weight,
        known.active_connections,
        known.inactive_connections
    )
}

fn kind(method: ForwardingMethod) -> String {
    let ForwardingMethod::Tunnel(tunnel) = method else {
        return "n/a".to_owned();
    };
    match tunnel {
        Tunnel::Ipip => "ipip".to_owned(),
        Tunnel::Gre { checksum: true } => "gre:+c".to_owned(),
        Tunnel::Gre { checksum: false } => "gre:-c".to_owned(),
        Tunnel::Gue {
            port,
            checksum: GueChecksum::None,
        } => format!("gue:{port}:-c"),
        Tunnel::Gue {
            port,
            checksum: GueChecksum::Full,
        } => format!("gue:{port}:+c"),
        Tunnel::Gue {
            port,
            checksum: GueChecksum::Remote,
        } => format!("gue:{port}:r+c"),
    }
}
