//! Where the API's requests go, and what both sides agree on about them.
//!
//! The number in the paths changes when a message changes its meaning. A director that is asked
//! for another number says which one it speaks, so a program that outlived an upgrade tells the
//! operator what to do instead of misreading the answer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Version of the API: the number in the paths.
pub const API: u32 = 1;

/// `POST`: a [`crate::Transaction`]; answers [`crate::Made`].
pub const TRANSACTION: &str = "/v1/transaction";
/// `GET`: [`crate::Services`].
pub const SERVICES: &str = "/v1/services";
/// `GET`: [`crate::Overall`].
pub const OVERALL: &str = "/v1/overall";
/// `GET`: one [`crate::ConnectionEntry`] a line.
pub const CONNECTIONS: &str = "/v1/connections";
/// `GET`: [`crate::Timeouts`].
pub const TIMEOUTS: &str = "/v1/timeouts";
/// `GET`: a [`crate::sysctl::Value`] for each setting; a transaction sets them.
pub const SYSCTLS: &str = "/v1/sysctls";
/// `GET`: [`crate::sync::Synchronisation`]; a transaction starts and stops its daemons.
pub const SYNCHRONISATION: &str = "/v1/synchronisation";
/// `GET`: [`crate::drain::Drains`]; a transaction begins and cancels them.
pub const DRAINS: &str = "/v1/drains";
/// `GET`: [`crate::status::Status`].
pub const STATUS: &str = "/v1/status";
/// `GET`: [`crate::site::Applied`]. `PUT`: a [`crate::site::Site`]; answers a
/// [`crate::site::Plan`] of what was changed.
pub const SITE: &str = "/v1/site";
/// `POST`: a [`crate::site::Site`]; answers the [`crate::site::Plan`] that applying it would be.
pub const PLAN: &str = "/v1/site/plan";
/// `POST`: a [`crate::stop::Stop`]; answers [`crate::stop::Stopping`], and ends the daemon.
pub const STOP: &str = "/v1/stop";
/// `POST`: a [`crate::handover::Handover`]; answers [`crate::handover::HandedOver`] when another
/// director is master.
pub const HANDOVER: &str = "/v1/vrrp/handover";
/// `GET`: server-sent events, a [`crate::event::Event`] each, for as long as one listens.
pub const EVENTS: &str = "/v1/events";
/// `GET`: what of all this there is, as an OpenAPI document.
pub const OPENAPI: &str = "/v1/openapi.json";
/// `GET`: [`Version`].
pub const VERSION: &str = "/v1/version";

/// Bytes that a request may have.
pub const REQUEST_LIMIT: usize = 64 << 20;

/// How a program names itself in `user-agent` and a director in `server`.
pub const PRODUCT: &str = concat!("rlvs/", env!("CARGO_PKG_VERSION"));

/// Which director answers.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Version {
    /// Of the program: `0.1.0`.
    pub version: String,
    /// Of the API.
    pub api: u32,
}

impl Version {
    /// This build's own.
    pub fn own() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            api: API,
        }
    }
}
