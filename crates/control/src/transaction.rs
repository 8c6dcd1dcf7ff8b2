//! Changes to what a director shall do.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::model::{Destination, DestinationKey, Service, ServiceKey};

/// Changes that are made in this order, all of them or none.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Transaction {
    pub changes: Vec<Change>,
}

/// One change, as one `ipvsadm` command makes it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    AddService(Service),
    EditService(Service),
    DeleteService(ServiceKey),
    /// Deletes all services (`-C`).
    Flush,
    AddDestination {
        service: ServiceKey,
        destination: Destination,
    },
    EditDestination {
        service: ServiceKey,
        destination: Destination,
    },
    DeleteDestination {
        service: ServiceKey,
        destination: DestinationKey,
    },
    /// Lets a destination take no new connections, and removes it once it has none, or when
    /// `deadline` seconds are over (`rlvs drain`). Of one that is drained already, it sets how.
    Drain {
        service: ServiceKey,
        destination: DestinationKey,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deadline: Option<u32>,
        /// Those whom persistence sends there go on to be sent there.
        #[serde(default, skip_serializing_if = "core::ops::Not::not")]
        keep_clients: bool,
    },
    /// Gives a destination that is being drained its weight back (`rlvs undrain`).
    Undrain {
        service: ServiceKey,
        destination: DestinationKey,
    },
    /// Gives a service an address of the director's for full NAT (`--add-laddr`).
    AddLocalAddress {
        service: ServiceKey,
        address: IpAddr,
    },
    DeleteLocalAddress {
        service: ServiceKey,
        address: IpAddr,
    },
    /// Seconds; 0 leaves a timeout as it is (`--set`).
    SetTimeouts {
        tcp: u32,
        tcp_fin: u32,
        udp: u32,
    },
    /// Sets a setting of [`crate::sysctl`] (`rlvs sysctl -w`).
    SetSysctl {
        name: String,
        value: String,
    },
    /// Sets the counters of one service, or of all, to zero (`-Z`).
    Zero {
        service: Option<ServiceKey>,
    },
}

impl From<Change> for Transaction {
    fn from(change: Change) -> Self {
        Self {
            changes: vec![change],
        }
    }
}
