//! Who is told of changes.

use std::path::PathBuf;
use std::str::FromStr;

use email_address::EmailAddress;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::Command;

/// `[alerts]`: who is told when something changes.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Alerts {
    /// Mail to people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail: Option<Mail>,
    /// A FIFO that all events are written to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fifo: Option<Fifo>,
    /// A FIFO for those of virtual and real servers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lvs_fifo: Option<Fifo>,
    /// A FIFO for those of VRRP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vrrp_fifo: Option<Fifo>,
    /// Notifiers are run for real servers that are there from the start, too.
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub rs_init_notifies: bool,
    /// No mail for single real servers as checks fail and succeed.
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub no_checker_emails: bool,
    /// Run once, before anything else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub startup_script: Option<Command>,
    /// Run once, at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shutdown_script: Option<Command>,
    /// Seconds that these two may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub startup_script_timeout: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shutdown_script_timeout: Option<u32>,
}

/// `[alerts.mail]`
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Mail {
    #[serde(deserialize_with = "addresses")]
    pub to: Vec<String>,
    /// keepalived@HOST by default.
    #[serde(
        deserialize_with = "perhaps_address",
        skip_serializing_if = "Option::is_none"
    )]
    pub from: Option<String>,
    /// Address or name of the mail server, and its port; this machine by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// 25 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The host's name by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub helo_name: Option<String>,
    /// Seconds; 30 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_timeout: Option<u32>,
    /// What the machine calls itself in subjects; the host's name by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub router_id: Option<String>,
    /// No mail when VRRP goes to its fault state.
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub no_faults: bool,
}

/// A FIFO, and who reads it.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct Fifo {
    pub path: PathBuf,
    /// Who owns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Run with the path as its last argument.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<Command>,
}

impl Mail {
    /// What is wrong with a mail address.
    pub(crate) fn wrong(address: &str) -> Option<String> {
        let error = EmailAddress::from_str(address).err()?;
        Some(format!("`{address}` is no mail address: {error}"))
    }
}

fn addresses<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let addresses = Vec::<String>::deserialize(deserializer)?;
    match addresses.iter().find_map(|address| Mail::wrong(address)) {
        Some(wrong) => Err(D::Error::custom(wrong)),
        None => Ok(addresses),
    }
}

fn perhaps_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let address = String::deserialize(deserializer)?;
    match Mail::wrong(&address) {
        Some(wrong) => Err(D::Error::custom(wrong)),
        None => Ok(Some(address)),
    }
}
