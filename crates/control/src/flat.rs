//! Records as they lie in messages: serde's `flatten` reads a field by way of a copy in memory of all
//! fields, which large transactions and listings would pay for again and again.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::listing::{DestinationStatus, Statistics};
use crate::model::{Destination, DestinationKey, ForwardingMethod};

/// A real server inside one service: what `ipvsadm -a` sets.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct FlatDestination {
    address: IpAddr,
    port: u16,
    method: ForwardingMethod,
    /// 0 to 2^31 - 1; 0: no new connections.
    weight: u32,
    /// No new connections at this many; 0: no limit.
    #[serde(default)]
    upper_threshold: u32,
    /// New connections again below this many; 0: at 3/4 of the upper one.
    #[serde(default)]
    lower_threshold: u32,
}

/// A real server inside one service, what it has, and what it counted.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct FlatDestinationStatus {
    address: IpAddr,
    port: u16,
    method: ForwardingMethod,
    /// 0 to 2^31 - 1; 0: no new connections.
    weight: u32,
    /// No new connections at this many; 0: no limit.
    #[serde(default)]
    upper_threshold: u32,
    /// New connections again below this many; 0: at 3/4 of the upper one.
    #[serde(default)]
    lower_threshold: u32,
    #[serde(default)]
    active_connections: u32,
    #[serde(default)]
    inactive_connections: u32,
    #[serde(default)]
    persistent_connections: u32,
    #[serde(default)]
    statistics: Statistics,
}

impl From<FlatDestination> for Destination {
    fn from(flat: FlatDestination) -> Self {
        Self {
            key: DestinationKey {
                address: flat.address,
                port: flat.port,
            },
            method: flat.method,
            weight: flat.weight,
            upper_threshold: flat.upper_threshold,
            lower_threshold: flat.lower_threshold,
        }
    }
}

impl From<FlatDestinationStatus> for DestinationStatus {
    fn from(flat: FlatDestinationStatus) -> Self {
        Self {
            destination: Destination {
                key: DestinationKey {
                    address: flat.address,
                    port: flat.port,
                },
                method: flat.method,
                weight: flat.weight,
                upper_threshold: flat.upper_threshold,
                lower_threshold: flat.lower_threshold,
            },
            active_connections: flat.active_connections,
            inactive_connections: flat.inactive_connections,
            persistent_connections: flat.persistent_connections,
            statistics: flat.statistics,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Tunnel;

    fn status() -> DestinationStatus {
        DestinationStatus {
            destination: Destination {
                key: DestinationKey {
                    address: [10, 0, 0, 1].into(),
                    port: 80,
                },
                method: ForwardingMethod::Tunnel(Tunnel::Gre { checksum: true }),
                weight: 3,
                upper_threshold: 9,
                lower_threshold: 5,
            },
            active_connections: 1,
            inactive_connections: 2,
            persistent_connections: 4,
            statistics: Statistics {
                bytes_out: 7,
                connections_rate: 8,
                ..Statistics::default()
            },
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let status = status();
        let text = serde_json::to_string(&status).unwrap();
        assert_eq!(
            serde_json::from_str::<DestinationStatus>(&text).unwrap(),
            status
        );
        let text = serde_json::to_string(&status.destination).unwrap();
        assert_eq!(
            serde_json::from_str::<Destination>(&text).unwrap(),
            status.destination
        );
    }

    #[test]
    fn zeros_are_left_out() {
        let idle = DestinationStatus {
            active_connections: 0,
            inactive_connections: 0,
            persistent_connections: 0,
            statistics: Statistics::default(),
            ..status()
        };
        let text = serde_json::to_string(&idle).unwrap();
        assert!(!text.contains("connections") && !text.contains("statistics"));
        assert_eq!(
            serde_json::from_str::<DestinationStatus>(&text).unwrap(),
            idle
        );
    }
}
