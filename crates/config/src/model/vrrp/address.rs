//! Addresses that a machine has, or has while it is master.

use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// Bytes of a label (IFNAMSIZ, less its NUL).
const LONGEST_LABEL: usize = 15;

/// An address on an interface.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct VirtualAddress {
    /// With the length of its network: 192.0.2.1/32.
    #[schemars(with = "String")]
    pub address: IpNet,
    /// By default the instance's, or the default interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// An address, or "+" or "-" for that of the network with all bits set or unset.
    #[serde(
        default,
        deserialize_with = "right::<_, Broadcast>",
        skip_serializing_if = "Option::is_none"
    )]
    pub broadcast: Option<String>,
    /// global (by default), site, link, host, nowhere, or a number.
    #[serde(
        default,
        deserialize_with = "right::<_, Scope>",
        skip_serializing_if = "Option::is_none"
    )]
    pub scope: Option<String>,
    /// At most 15 bytes.
    #[serde(
        default,
        deserialize_with = "right::<_, Label>",
        skip_serializing_if = "Option::is_none"
    )]
    pub label: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub peer: Option<IpNet>,
    /// Seconds for which this host sends from it by itself, or "forever"; 0 by default for IPv6
    /// addresses with the length 128.
    #[serde(
        default,
        deserialize_with = "right::<_, Lifetime>",
        skip_serializing_if = "Option::is_none"
    )]
    pub preferred_lft: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub track_group: Option<String>,
    /// Of home, -nodad, mngtmpaddr, noprefixroute, autojoin, no_track, use_vmac.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
}

impl VirtualAddress {
    pub fn new(address: IpNet) -> Self {
        Self {
            address,
            interface: None,
            broadcast: None,
            scope: None,
            label: None,
            peer: None,
            preferred_lft: None,
            track_group: None,
            flags: Vec::new(),
        }
    }

    pub fn ip(&self) -> IpAddr {
        self.address.addr()
    }

    /// None for IPv6, and where none is wanted.
    pub fn broadcast_address(&self) -> Option<Ipv4Addr> {
        let IpNet::V4(net) = self.address else {
            return None;
        };
        match self.broadcast.as_deref()?.parse().ok()? {
            Broadcast::Ones => Some(net.broadcast()),
            Broadcast::Zeros => Some(net.network()),
            Broadcast::At(address) => Some(address),
        }
    }

    /// As the kernel counts them, 0 for global.
    pub fn scope_number(&self) -> u8 {
        let scope = self.scope.as_deref().and_then(|text| text.parse().ok());
        scope.map_or(0, |Scope(number)| number)
    }

    /// Seconds for which this host sends from it by itself; None for ever.
    pub fn preferred_seconds(&self) -> Option<u32> {
        match self.preferred_lft.as_deref().map(str::parse) {
            Some(Ok(Lifetime(seconds))) => seconds,
            _ => (self.address.prefix_len() == 128).then_some(0),
        }
    }

    pub fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|it| it == flag)
    }
}

/// What of `text`, an option's value, is wrong.
pub(crate) fn wrong(option: &str, text: &str) -> Option<String> {
    match option {
        "brd" | "broadcast" => text.parse::<Broadcast>().err(),
        "scope" => text.parse::<Scope>().err(),
        "label" => text.parse::<Label>().err(),
        "preferred_lft" => text.parse::<Lifetime>().err(),
        _ => None,
    }
}

/// Takes a text that a `T` can be read from.
fn right<'de, D, T>(deserializer: D) -> Result<Option<String>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err = String>,
{
    let text = String::deserialize(deserializer)?;
    text.parse::<T>().map_err(D::Error::custom)?;
    Ok(Some(text))
}

enum Broadcast {
    Ones,
    Zeros,
    At(Ipv4Addr),
}

impl FromStr for Broadcast {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let address = |text: &str| text.parse().map(Self::At);
        match text {
            "+" => Ok(Self::Ones),
            "-" => Ok(Self::Zeros),
            _ => address(text).map_err(|_| format!("`{text}` is no IPv4 address, and not + or -")),
        }
    }
}

struct Scope(u8);

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = [
            ("global", 0),
            ("site", 200),
            ("link", 253),
            ("host", 254),
            ("nowhere", 255),
        ];
        let found = named.iter().find(|(name, _)| *name == text);
        let number = found.map_or_else(|| text.parse().ok(), |(_, number)| Some(*number));
        number.map(Self).ok_or_else(|| {
            format!(
                "`{text}` is none of global, site, link, host and nowhere, and no number to 255"
            )
        })
    }
}

struct Label;

impl FromStr for Label {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.len() {
            1..=LONGEST_LABEL => Ok(Self),
            _ => Err(format!("`{text}` has not 1 to {LONGEST_LABEL} bytes")),
        }
    }
}

struct Lifetime(Option<u32>);

impl FromStr for Lifetime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "forever" => Ok(Self(None)),
            _ => text
                .parse()
                .map(|seconds| Self(Some(seconds)))
                .map_err(|_| format!("`{text}` is no number of seconds, and not forever")),
        }
    }
}
