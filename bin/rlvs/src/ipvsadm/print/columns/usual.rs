//! Forwarding, weight and connections: the listing without further options.

use rlvs_control::{DestinationStatus, ForwardingMethod};

pub(in super::super) const USUAL: &str = "\
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
";

pub(in super::super) fn usual(known: &DestinationStatus) -> String {
    format!(
        " {:<7} {:<6} {:<10} {:<10}",
        forward(known.destination.method),
        known.destination.weight,
        known.active_connections,
        known.inactive_connections
    )
}

pub(super) fn forward(method: ForwardingMethod) -> &'static str {
    match method {
        ForwardingMethod::FullNat => "FullNat",
        ForwardingMethod::Masquerade => "Masq",
        ForwardingMethod::Tunnel(_) => "Tunnel",
        ForwardingMethod::Route => "Route",
        ForwardingMethod::Local => "Local",
    }
}
