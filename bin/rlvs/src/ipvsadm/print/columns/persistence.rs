//! Persistence templates beside the connections (`--persistent-conn`).

use rlvs_control::DestinationStatus;

/// The first line ends with a blank.
pub(in super::super) const PERSISTENCE: &str = "\
Prot LocalAddress:Port            Weight    PersistConn ActiveConn InActConn \n  \
  -> RemoteAddress:Port\n";

pub(in super::super) fn persistence(known: &DestinationStatus) -> String {
    format!(
        " {:<9} {:<11} {:<10} {:<10}",
        known.destination.weight,
        known.persistent_connections,
        known.active_connections,
        known.inactive_connections
    )
}
