//! `/etc/rlvs/rlvs.toml`: what is fixed for the life of a daemon.
//!
//! Services are not in it: they are set by `ipvsadm` and kept by the journal. The example
//! `docs/rlvs.toml` shows every key with its default.

mod place;
mod sysctls;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::de::{Error as _, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

/// Where the configuration is unless said otherwise.
pub const DEFAULT_PATH: &str = "/etc/rlvs/rlvs.toml";

/// Connections that one table may be made for.
const MOST_CONNECTIONS: u32 = 1 << 26;
const MOST_SERVICES: u32 = 1 << 16;
const MOST_DESTINATIONS: u32 = 1 << 20;
const LOOPBACK: &str = "lo";
/// Bytes of an interface's name (IFNAMSIZ, less its NUL).
const LONGEST_NAME: usize = 15;

/// The daemon's settings.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Config {
    /// Connections that the table of each IP version is made for.
    #[serde(deserialize_with = "within::<1, MOST_CONNECTIONS, _>")]
    pub connections: u32,
    /// The same for IPv6, where it differs.
    #[serde(deserialize_with = "perhaps_within::<1, MOST_CONNECTIONS, _>")]
    pub connections_ipv6: Option<u32>,
    #[serde(deserialize_with = "within::<1, MOST_SERVICES, _>")]
    pub services: u32,
    /// Of all services together.
    #[serde(deserialize_with = "within::<1, MOST_DESTINATIONS, _>")]
    pub destinations: u32,
    #[serde(deserialize_with = "interfaces")]
    pub interfaces: Interfaces,
    pub control: Control,
    pub ipvsadm: Ipvsadm,
    /// Values of IPVS's settings where they are not the defaults, by name.
    #[serde(deserialize_with = "sysctls::sysctls")]
    pub sysctl: BTreeMap<&'static str, String>,
}

/// `[interfaces]`: where the director's program is attached.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Interfaces {
    /// Absent: every interface that is up, now or later, except lo.
    #[serde(deserialize_with = "interface_names")]
    pub names: Option<BTreeSet<String>>,
    /// Whether connections of this host itself to virtual addresses are balanced, too.
    pub loopback: bool,
    pub mode: Mode,
    /// Exceptions from `mode`.
    #[serde(deserialize_with = "interface_modes")]
    pub modes: BTreeMap<String, Mode>,
}

/// How the program is attached.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
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
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Control {
    /// Name or number of a group whose members may, beside root.
    pub group: Option<String>,
}

/// `[ipvsadm]`: what programs look up, not the daemon.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Ipvsadm {
    /// As ipvsadm 1.31 also where it could be better.
    pub strict: bool,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// `message` begins with line and column.
    #[error("{}:{message}", path.display())]
    Wrong { path: PathBuf, message: String },
}

impl Config {
    /// Reads `path`, or [`DEFAULT_PATH`] if that exists, or takes the defaults.
    pub fn load(path: Option<&Path>) -> Result<Self, Error> {
        let file = path.unwrap_or(Path::new(DEFAULT_PATH));
        match fs::read_to_string(file) {
            Ok(text) => Self::parse(&text, file),
            Err(error) if path.is_none() && error.kind() == io::ErrorKind::NotFound => {
                Ok(Self::default())
            }
            Err(source) => Err(Error::Read {
                path: file.to_owned(),
                source,
            }),
        }
    }

    /// Reads `text`; `path` is named in errors.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Error> {
        place::parse(text).map_err(|message| {
            let path = path.to_owned();
            Error::Wrong { path, message }
        })
    }

    /// Connections that the IPv6 table is made for.
    pub fn ipv6_connections(&self) -> u32 {
        self.connections_ipv6.unwrap_or(self.connections)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            connections: 1_000_000,
            connections_ipv6: None,
            services: 4096,
            destinations: 65_536,
            interfaces: Interfaces::default(),
            ipvsadm: Ipvsadm::default(),
            control: Control::default(),
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

fn within<'de, const LEAST: u32, const MOST: u32, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<u32, D::Error> {
    deserializer.deserialize_i64(Within::<LEAST, MOST>)
}

fn perhaps_within<'de, const LEAST: u32, const MOST: u32, D: Deserializer<'de>>(
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

fn interfaces<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Interfaces, D::Error> {
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

#[cfg(test)]
mod tests;
