//! What a real server takes from directors besides plain packets.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::IpNet;
use rlvs_arrival::Settings;
use serde::{Deserialize, Serialize};

/// The tunnels that end here.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Tunnels {
    pub kinds: BTreeSet<Kind>,
    /// The UDP port of GUE.
    pub port: u16,
}

/// A kind of tunnel.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Ipip,
    Gre,
    Gue,
}

/// Who is believed to be a director.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Directors(pub BTreeSet<IpNet>);

impl Tunnels {
    pub fn new(kinds: impl IntoIterator<Item = Kind>, port: u16) -> Self {
        Self {
            kinds: kinds.into_iter().collect(),
            port,
        }
    }

    pub(crate) fn settings(&self) -> Settings {
        let kinds = self.kinds.iter().map(|kind| match kind {
            Kind::Ipip => rlvs_arrival::Kind::Ipip,
            Kind::Gre => rlvs_arrival::Kind::Gre,
            Kind::Gue => rlvs_arrival::Kind::Gue,
        });
        Settings::new(kinds, self.port)
    }
}

impl Directors {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "ipip" => Ok(Self::Ipip),
            "gre" => Ok(Self::Gre),
            "gue" => Ok(Self::Gue),
            _ => Err("a tunnel is ipip, gre or gue".into()),
        }
    }
}

/// An address, a prefix, or `any`; several with commas between them.
impl FromStr for Directors {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut directors = BTreeSet::new();
        for part in text.split(',') {
            if part == "any" {
                directors.insert(IpNet::new_assert(Ipv4Addr::UNSPECIFIED.into(), 0));
                directors.insert(IpNet::new_assert(Ipv6Addr::UNSPECIFIED.into(), 0));
                continue;
            }
            let network = part
                .parse::<IpAddr>()
                .map(IpNet::from)
                .or_else(|_| part.parse());
            let network = network.map_err(|_| {
                format!("{part} is no address, no prefix (ADDRESS/LENGTH), and not `any`")
            })?;
            directors.insert(network.trunc());
        }
        Ok(Self(directors))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ipip => "ipip",
            Self::Gre => "gre",
            Self::Gue => "gue",
        })
    }
}

/// `ipip,gue:6080`.
impl fmt::Display for Tunnels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, kind) in self.kinds.iter().enumerate() {
            let comma = if number > 0 { "," } else { "" };
            write!(f, "{comma}{kind}")?;
            if *kind == Kind::Gue {
                write!(f, ":{}", self.port)?;
            }
        }
        Ok(())
    }
}

/// As [`FromStr`] takes them, without the length of whole addresses.
impl fmt::Display for Directors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, network) in self.0.iter().enumerate() {
            let comma = if number > 0 { "," } else { "" };
            if network.prefix_len() == network.max_prefix_len() {
                write!(f, "{comma}{}", network.addr())?;
            } else {
                write!(f, "{comma}{network}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directors_are_addresses_prefixes_or_anyone() {
        let read = |text: &str| text.parse::<Directors>().map(|it| it.to_string());
        assert_eq!(read("192.0.2.1").unwrap(), "192.0.2.1");
        assert_eq!(
            read("2001:db8::1,192.0.2.9/24").unwrap(),
            "192.0.2.0/24,2001:db8::1"
        );
        assert_eq!(read("any").unwrap(), "0.0.0.0/0,::/0");
        for wrong in ["", "192.0.2.1,", "all", "192.0.2.1/33"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn tunnels_are_named_with_the_port_of_gue() {
        let kinds = ["gue", "ipip"].map(|kind| kind.parse().unwrap());
        assert_eq!(Tunnels::new(kinds, 6080).to_string(), "ipip,gue:6080");
        assert_eq!(Tunnels::new([Kind::Gre], 6080).to_string(), "gre");
        assert!("vxlan".parse::<Kind>().is_err());
    }
}
