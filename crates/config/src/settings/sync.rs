//! `[sync]`: synchronisation of connections with other directors.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::within;

/// Connections that may be told in a second.
const MOST: u32 = 10_000_000;
/// Each costs eight bytes for each place in the connection tables.
const MOST_PEERS: usize = 8;

/// `[sync]`
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Sync {
    /// Addresses of the directors whose messages to the multicast group count; absent: everybody's who
    /// reaches it, as in IPVS, whose protocol has no other protection.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub allow: BTreeSet<IpAddr>,
    /// Connections that are told in a second at most; what is more waits.
    #[serde(deserialize_with = "within::<1, MOST, _>")]
    #[schemars(range(min = 1, max = MOST))]
    pub rate: u32,
    /// Address and port of this director for its peers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
    /// Other directors of rlvs, by what they listen to: each tells the others all that it balances,
    /// encrypted.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub peers: BTreeSet<SocketAddr>,
    /// A file with the secret of all of them: 32 characters or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<PathBuf>,
}

impl Default for Sync {
    fn default() -> Self {
        Self {
            allow: BTreeSet::new(),
            rate: 200_000,
            listen: None,
            peers: BTreeSet::new(),
            secret: None,
        }
    }
}

/// `[sync]`, whole: what is said must be usable.
pub(crate) fn sync<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Sync, D::Error> {
    let sync = Sync::deserialize(deserializer)?;
    wrong(&sync).map_or(Ok(()), |wrong| Err(D::Error::custom(wrong)))?;
    Ok(sync)
}

fn wrong(sync: &Sync) -> Option<String> {
    let are_peers = !sync.peers.is_empty();
    if [sync.listen.is_some(), sync.secret.is_some()] != [are_peers; 2] {
        return Some(
            "`listen`, `peers` and `secret` go together: where this director is, where the others \
             are, and what they share"
                .to_owned(),
        );
    }
    if let Some(path) = sync.secret.as_ref().filter(|it| !it.is_absolute()) {
        let path = path.display();
        return Some(format!("`{path}` is no whole path: begin it with `/`"));
    }
    let listen = sync.listen?;
    let all = || sync.peers.iter().chain([&listen]);
    if let Some(address) = all().find(|it| it.port() == 0 || it.ip().is_unspecified()) {
        return Some(format!("`{address}` is no address with a port"));
    }
    if sync.peers.len() > MOST_PEERS {
        return Some(format!("there may be {MOST_PEERS} peers"));
    }
    // They are known by their addresses.
    let addresses: BTreeSet<_> = all().map(SocketAddr::ip).collect();
    (addresses.len() <= sync.peers.len())
        .then(|| "each director has an address of its own: one is there twice".to_owned())
}
