//! What a command line means.

use rlvs_control::{Change, ServiceKey};

/// One command, complete and checked as far as that goes without a director.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Command {
    Change(Change),
    Help,
    List(Listing),
    /// Of one service, or all.
    LocalAddresses {
        only: Option<ServiceKey>,
        numeric: bool,
    },
    Restore,
    Save {
        numeric: bool,
    },
    Version,
}

/// What to list, and how.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Listing {
    pub(super) subject: Subject,
    pub(super) numeric: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Subject {
    Connections {
        persistence_engines: bool,
    },
    /// Synchronisation daemons.
    Daemons,
    Services(ServiceListing),
    Timeouts,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct ServiceListing {
    pub(super) columns: Columns,
    /// Only this service.
    pub(super) only: Option<ServiceKey>,
    /// Numbers in full.
    pub(super) exact: bool,
    pub(super) sorted: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Columns {
    Persistence,
    Rates,
    Statistics,
    Thresholds,
    Tunnels,
    Usual,
}
