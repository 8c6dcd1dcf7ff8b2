//! What `up` set, and what was there before.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use rlvs_control::model::Family;
use rlvs_control::{Change, ServiceKey, Timeouts};
use serde::{Deserialize, Serialize};

/// Where the notes are, on a file system that the next boot empties.
pub(super) const DIRECTORY: &str = "/run/rlvs/director";

/// The note of one network namespace.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(super) struct Saved {
    /// All virtual addresses of this director.
    pub(super) vips: BTreeSet<IpAddr>,
    /// Those that were not there before, and the interfaces they were put on.
    pub(super) put: BTreeMap<IpAddr, String>,
    /// The rules as they were given.
    pub(super) rules: Vec<Change>,
    /// The services that these and earlier rules have added.
    pub(super) services: BTreeSet<ServiceKey>,
    /// Forwarding was off, and was turned on.
    pub(super) forwards: BTreeSet<Family>,
    /// What connections' timeouts were, and became.
    pub(super) timeouts: Option<(Timeouts, Timeouts)>,
}
