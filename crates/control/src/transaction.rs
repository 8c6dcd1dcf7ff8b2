//! Changes to what a director shall do.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Code, Error};
use crate::model::{Destination, DestinationKey, Service, ServiceKey};
use crate::sync::{SyncDaemon, SyncRole};

/// Changes that are made in this order, all of them or none.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Transaction {
    pub changes: Vec<Change>,
    /// Refused with the code `conflict` unless the director's rules have this number, which listings
    /// and status show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<u64>,
}

/// What became of a transaction.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Made {
    /// The number that the rules have with it.
    pub number: u64,
}

/// One change, as one `ipvsadm` command makes it.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
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
    /// Sets a setting of IPVS (`rlvs sysctl -w`).
    SetSysctl {
        name: String,
        value: String,
    },
    /// Starts synchronising connections (`--start-daemon`).
    StartDaemon(SyncDaemon),
    /// Ends that (`--stop-daemon`).
    StopDaemon(SyncRole),
    /// Sets the counters of one service, or of all, to zero (`-Z`).
    Zero {
        service: Option<ServiceKey>,
    },
}

impl Transaction {
    /// Refuses it where the rules have another number than is expected.
    pub fn expect(&self, number: u64) -> Result<(), Error> {
        match self.expected {
            Some(expected) if expected != number => Err(Error {
                number: Some(number),
                ..Error::new(
                    Code::Conflict,
                    format!(
                        "The rules have the number {number}, not {expected}: they were changed \
                         meanwhile; look at them, then try again"
                    ),
                )
            }),
            _ => Ok(()),
        }
    }
}

impl From<Change> for Transaction {
    fn from(change: Change) -> Self {
        vec![change].into()
    }
}

impl From<Vec<Change>> for Transaction {
    fn from(changes: Vec<Change>) -> Self {
        Self {
            changes,
            expected: None,
        }
    }
}
