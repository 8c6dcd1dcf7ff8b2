//! What a site is to be: all that configuration files can say, in one form.
//!
//! Everything is settled here: defaults and what one level inherits from another are filled in,
//! groups and ranges are written out.

pub mod alerts;
pub mod command;
pub mod service;
pub mod vrrp;

use rlvs_control::Timeouts;

pub use alerts::{Alerts, Fifo, Mail};
pub use command::Command;
pub use service::{RealServer, VirtualServer};
pub use vrrp::{VirtualAddress, Vrrp};

use crate::settings::Settings;

/// A whole site.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Site {
    /// Of the daemon itself.
    pub settings: Settings,
    /// Of connections, where they are set.
    pub timeouts: Option<Timeouts>,
    /// No key is twice among them.
    pub services: Vec<VirtualServer>,
    /// Addresses that this machine has, whoever is master.
    pub addresses: Vec<VirtualAddress>,
    pub alerts: Alerts,
    pub vrrp: Vrrp,
}
