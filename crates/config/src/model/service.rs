//! Virtual servers with their real servers and health checks.

use std::net::IpAddr;

use rlvs_check::spec::{Check, ServicePolicy};
use rlvs_control::{Destination, Service, ServiceKey};

use super::Command;

/// A virtual server: one or several virtual services with the same real servers, which are checked
/// once for all of them.
#[derive(Clone, Debug, PartialEq)]
pub struct VirtualServer {
    /// keepalived's name for several together.
    pub group: Option<String>,
    /// At least one; they differ only in their keys, and masks of another IP version.
    pub services: Vec<Service>,
    /// For full NAT.
    pub local_addresses: Vec<IpAddr>,
    /// In the order that they are added.
    pub real: Vec<RealServer>,
    /// There when [`ServicePolicy::sorry_server`] is.
    pub sorry_server: Option<Destination>,
    pub policy: ServicePolicy,
    pub quorum_up: Option<Command>,
    pub quorum_down: Option<Command>,
    /// Mail is sent when the quorum is gained or lost.
    pub smtp_alert: bool,
}

/// A real server of a virtual server.
#[derive(Clone, Debug, PartialEq)]
pub struct RealServer {
    pub destination: Destination,
    /// Weight 0 while it is down, rather than absent.
    pub inhibit_on_failure: bool,
    /// All of these must succeed.
    pub checks: Vec<Check>,
    pub notify_up: Option<Command>,
    pub notify_down: Option<Command>,
    /// Mail is sent when it goes up or down.
    pub smtp_alert: bool,
}

impl VirtualServer {
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &ServiceKey> {
        self.services.iter().map(|service| &service.key)
    }
}

impl RealServer {
    /// One without checks.
    pub fn new(destination: Destination) -> Self {
        Self {
            destination,
            inhibit_on_failure: false,
            checks: Vec::new(),
            notify_up: None,
            notify_down: None,
            smtp_alert: false,
        }
    }
}
