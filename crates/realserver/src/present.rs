//! What a real server has at the moment: interfaces, addresses, settings.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use rlvs_host::address::{Interface, whole};
use serde::{Deserialize, Serialize};

pub(crate) const LOOPBACK: &str = "lo";

/// The state that plans are made over.
#[derive(Clone, Debug, Default)]
pub(crate) struct Present {
    pub(crate) interfaces: Vec<Interface>,
    pub(crate) settings: BTreeMap<Setting, u32>,
    pub(crate) ipv6_off: bool,
}

/// An IPv4 setting of one interface, or of `all`.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) struct Setting {
    pub(crate) interface: String,
    pub(crate) name: Name,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Name {
    ArpIgnore,
    ArpAnnounce,
    RpFilter,
}

impl Present {
    pub(crate) fn interface(&self, name: &str) -> Option<&Interface> {
        self.interfaces
            .iter()
            .find(|interface| interface.name == name)
    }

    /// Where `vip` is, and with which prefix length; the wrong place, where it is in several.
    pub(crate) fn place(&self, vip: IpAddr) -> Option<(&Interface, u8)> {
        let places = self.interfaces.iter().flat_map(|interface| {
            let found = interface
                .addresses
                .iter()
                .filter(move |(address, _)| *address == vip);
            found.map(move |(_, prefix)| (interface, *prefix))
        });
        let is_right = |(interface, prefix): &(&Interface, u8)| {
            interface.name == LOOPBACK && *prefix == whole(vip)
        };
        places.min_by_key(is_right)
    }

    pub(crate) fn setting(&self, interface: &str, name: Name) -> u32 {
        let setting = Setting {
            interface: interface.into(),
            name,
        };
        self.settings.get(&setting).copied().unwrap_or_default()
    }

    /// The interfaces on which packets in tunnels may come in.
    pub(crate) fn tunnelled<'a>(
        &'a self,
        named: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Interface> {
        self.segments(named).filter(|interface| interface.ethernet)
    }

    /// The interfaces that may face the director: the one named, else every one but `lo`.
    pub(crate) fn segments<'a>(
        &'a self,
        named: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Interface> {
        let faces = move |name: &str| named.is_none_or(|named| named == name);
        let others = self
            .interfaces
            .iter()
            .filter(|interface| interface.name != LOOPBACK);
        others.filter(move |interface| faces(&interface.name))
    }
}

impl Name {
    pub(crate) const ALL: [Self; 3] = [Self::ArpIgnore, Self::ArpAnnounce, Self::RpFilter];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ArpIgnore => "arp_ignore",
            Self::ArpAnnounce => "arp_announce",
            Self::RpFilter => "rp_filter",
        }
    }
}

impl Setting {
    pub(crate) fn new(interface: &str, name: Name) -> Self {
        Self {
            interface: interface.into(),
            name,
        }
    }

    /// The command that gives it this value. A dot in an interface's name (`eth0.10`) is a slash
    /// to sysctl(8).
    pub(crate) fn command(&self, value: u32) -> String {
        let interface = self.interface.replace('.', "/");
        format!(
            "sysctl -w net.ipv4.conf.{interface}.{}={value}",
            self.name.as_str()
        )
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "net.ipv4.conf.{}.{}", self.interface, self.name.as_str())
    }
}

impl From<Setting> for String {
    fn from(setting: Setting) -> Self {
        setting.to_string()
    }
}

impl TryFrom<String> for Setting {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parts = text
            .strip_prefix("net.ipv4.conf.")
            .and_then(|rest| rest.rsplit_once('.'));
        let found = parts.and_then(|(interface, name)| {
            let name = Name::ALL.into_iter().find(|known| known.as_str() == name)?;
            Some(Self::new(interface, name))
        });
        found.ok_or_else(|| format!("unknown setting {text}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_written_and_read_with_dots_in_names() {
        let setting = Setting::new("eth0.10", Name::ArpIgnore);
        let text = String::from(setting.clone());
        assert_eq!(text, "net.ipv4.conf.eth0.10.arp_ignore");
        assert_eq!(Setting::try_from(text), Ok(setting.clone()));
        assert_eq!(
            setting.command(1),
            "sysctl -w net.ipv4.conf.eth0/10.arp_ignore=1"
        );
        assert!(Setting::try_from("net.ipv4.ip_forward".to_string()).is_err());
    }
}
