//! What was set up here, and what was there before.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::arrival::{Directors, Tunnels};
use crate::present::Setting;

/// Where the files are, on a file system that the next boot empties.
pub(crate) const DIRECTORY: &str = "/run/rlvs/realserver";

/// The contents of the file.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Saved {
    pub(crate) vips: BTreeSet<IpAddr>,
    /// The values that settings had before.
    pub(crate) previous: BTreeMap<Setting, u32>,
    #[serde(default)]
    pub(crate) tunnels: Option<Tunnels>,
    /// Processes are told of clients.
    #[serde(default)]
    pub(crate) client_address: bool,
    /// Whose word is taken.
    #[serde(default)]
    pub(crate) directors: Directors,
    /// The interface on which the directors' packets come in, where only that one matters.
    #[serde(default)]
    pub(crate) interface: Option<String>,
}

impl Saved {
    /// Whether programs take in what directors send.
    pub(crate) fn takes_anything(&self) -> bool {
        self.tunnels.is_some() || self.client_address
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::present::Name;

    #[test]
    fn it_is_read_as_it_was_written() {
        let saved = Saved {
            vips: ["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()].into(),
            previous: [(Setting::new("all", Name::ArpIgnore), 0)].into(),
            tunnels: Some(Tunnels::new(["gue".parse().unwrap()], 7000)),
            client_address: true,
            directors: "192.0.2.1,2001:db8::/64".parse().unwrap(),
            interface: Some("eth0".into()),
        };
        let text = serde_json::to_string(&saved).unwrap();
        assert_eq!(serde_json::from_str::<Saved>(&text).unwrap(), saved);
    }
}
