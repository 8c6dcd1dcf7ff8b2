//! Limits and what counts towards them (`--thresholds`).

use rlvs_control::DestinationStatus;

/// The first line ends with a blank.
pub(in super::super) const THRESHOLDS: &str = "\
Prot LocalAddress:Port            Uthreshold Lthreshold ActiveConn InActConn \n  \
  -> RemoteAddress:Port\n";

pub(in super::super) fn thresholds(known: &DestinationStatus) -> String {
    format!(
        " {:<10} {:<10} {:<10} {:<10}",
        known.destination.upper_threshold,
        known.destination.lower_threshold,
        known.active_connections,
        known.inactive_connections
    )
}
