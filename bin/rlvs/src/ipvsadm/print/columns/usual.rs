//! Forwarding, weight and connections: the listing without further options.

use rlvs_control::DestinationStatus;

pub(in super::super) const USUAL: &str = "\
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
";

pub(in super::super) fn usual(known: &DestinationStatus) -> String {
    format!(
        " {:<7} {:<6} {:<10} {:<10}",
        known.destination.method.name(),
        known.destination.weight,
        known.active_connections,
        known.inactive_connections
    )
}
