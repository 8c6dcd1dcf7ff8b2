//! What is fixed for the life of a daemon: sizes of tables, interfaces, who may speak to it.

pub(crate) mod doors;
pub(crate) mod sync;
pub(crate) mod sysctls;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

pub use rlvs_control::stop::AtStop;
use schemars::JsonSchema;
use serde::de::{Error as _, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

pub use doors::{Api, Listen, Log, LogFormat, LogLevel, Metrics};
pub use sync::Sync;

/// Connections that one table may be made for.
pub(crate) const MOST_CONNECTIONS: u32 = 1 << 26;
pub(crate) const MOST_SERVICES: u32 = 1 << 16;
pub(crate) const MOST_DESTINATIONS: u32 = 1 << 20;
/// A day.
pub(crate) const LONGEST_DRAIN: u32 = 86_400;
const LOOPBACK: &str = "lo";
/// Bytes of an interface's name (IFNAMSIZ, less its NUL).
const LONGEST_NAME: usize = 15;

/// The daemon's settings.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Connections that the table of each IP version is made for.
    pub connections: u32,
    /// The same for IPv6, where it differs.
    pub connections_ipv6: Option<u32>,
    pub services: u32,
    /// Of all services together.
    pub destinations: u32,
    pub interfaces: Interfaces,
    pub control: Control,
    pub api: Api,
    pub metrics: Metrics,
    pub log: Log,
    pub ipvsadm: Ipvsadm,
    pub stop: Stop,
    pub sync: Sync,
    /// Values of IPVS's settings where they are not the defaults, by name.
    pub sysctl: BTreeMap<&'static str, String>,
}

/// `[interfaces]`: where the director's program is attached.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Interfaces {
    /// Absent: every interface that is up, now or later, except lo.
    #[serde(
        deserialize_with = "interface_names",
        skip_serializing_if = "Option::is_none"
    )]
    pub names: Option<BTreeSet<String>>,
    /// Whether connections of this host itself to virtual addresses are balanced, too.
    pub loopback: bool,
    pub mode: Mode,
    /// Exceptions from `mode`.
    #[serde(
        deserialize_with = "interface_modes",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub modes: BTreeMap<String, Mode>,
}

/// How the program is attached.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// What suits the device: real ones in the driver where it can, others in traffic control.
    #[default]
    Auto,
    Native,
    Generic,
    Tc,
}

/// `[control]`: who may speak to the daemon.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Control {
    /// Name or number of a group whose members may, beside root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// `[ipvsadm]`: what programs look up, not the daemon.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Ipvsadm {
    /// As ipvsadm 1.31 also where it could be better.
    pub strict: bool,
}

/// `[stop]`: what becomes of forwarding when the daemon ends.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Stop {
    pub forwarding: AtStop,
    /// Seconds that connections have to end, with "drain".
    #[serde(deserialize_with = "within::<1, LONGEST_DRAIN, _>")]
    #[schemars(range(min = 1, max = LONGEST_DRAIN))]
    pub drain_timeout: u32,
}

impl Default for Stop {
    fn default() -> Self {
        Self {
            forwarding: AtStop::Leave,
            drain_timeout: 60,
        }
    }
}

impl Settings {
    /// Connections that the IPv6 table is made for.
    pub fn ipv6_connections(&self) -> u32 {
        self.connections_ipv6.unwrap_or(self.connections)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connections: 1_000_000,
            connections_ipv6: None,
            services: 4096,
            destinations: 65_536,
            interfaces: Interfaces::default(),
            ipvsadm: Ipvsadm::default(),
            control: Control::default(),
            stop: Stop::default(),
            api: Api::default(),
            metrics: Metrics::default(),
            log: Log::default(),
            sync: Sync::default(),
            sysctl: BTreeMap::new(),
        }
    }
}

impl Default for Interfaces {
    fn default() -> Self {
        Self {
            names: None,
            loopback: true,
            mode: Mode::default(),
            modes: BTreeMap::new(),
        }
    }
}

impl Interfaces {
    /// Whether the program belongs on the interface `name`, when it is up.
    pub fn wants(&self, name: &str) -> bool {
        match &self.names {
            _ if name == LOOPBACK => self.loopback,
            Some(names) => names.contains(name),
            None => true,
        }
    }

    /// Whether the interface `name` is asked for by name.
    pub fn names(&self, name: &str) -> bool {
        self.names
            .as_ref()
            .is_some_and(|names| names.contains(name))
    }

    /// How it is attached to the interface `name`.
    pub fn mode_of(&self, name: &str) -> Mode {
        self.modes.get(name).copied().unwrap_or(self.mode)
    }
}

pub(crate) fn within<'de, const LEAST: u32, const MOST: u32, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<u32, D::Error> {
    deserializer.deserialize_i64(Within::<LEAST, MOST>)
}

pub(crate) fn perhaps_within<'de, const LEAST: u32, const MOST: u32, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u32>, D::Error> {
    within::<LEAST, MOST, D>(deserializer).map(Some)
}

/// Takes a number in a range.
struct Within<const LEAST: u32, const MOST: u32>;

impl<const LEAST: u32, const MOST: u32> Visitor<'_> for Within<LEAST, MOST> {
    type Value = u32;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a number from {LEAST} to {MOST}")
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<u32, E> {
        u32::try_from(number)
            .ok()
            .filter(|number| (LEAST..=MOST).contains(number))
            .ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
    }
}

pub(crate) fn interfaces<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Interfaces, D::Error> {
    let interfaces = Interfaces::deserialize(deserializer)?;
    match interfaces.modes.keys().find(|name| !interfaces.wants(name)) {
        Some(name) => Err(D::Error::custom(format!(
            "`{name}` has a mode, but is not among the interfaces named by `names`"
        ))),
        None => Ok(interfaces),
    }
}

fn interface_names<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<BTreeSet<String>>, D::Error> {
    let names = BTreeSet::<String>::deserialize(deserializer)?;
    if names.is_empty() {
        return Err(D::Error::custom(
            "no interface is named; leave `names` out to take every one that is up",
        ));
    }
    names
        .iter()
        .try_for_each(|name| check_name(name))
        .map_err(D::Error::custom)?;
    Ok(Some(names))
}

fn interface_modes<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, Mode>, D::Error> {
    let modes = BTreeMap::<String, Mode>::deserialize(deserializer)?;
    modes
        .keys()
        .try_for_each(|name| check_name(name))
        .map_err(D::Error::custom)?;
    Ok(modes)
}

/// What the kernel takes (net/core/dev.c, dev_valid_name).
fn check_name(name: &str) -> Result<(), String> {
    let reserved = matches!(name, "" | "." | "..");
    let strange = |byte: u8| matches!(byte, b'/' | b':') || byte.is_ascii_whitespace();
    if reserved || name.len() > LONGEST_NAME || name.bytes().any(strange) {
        return Err(format!(
            "`{name}` is no interface name: 1 to {LONGEST_NAME} bytes without space, `/` or `:`"
        ));
    }
    Ok(())
}
