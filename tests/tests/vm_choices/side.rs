//! What the two directors have in common, and what is compared.

use std::net::SocketAddr;

use anyhow::Result;
use rlvs_control::Change;
use rlvs_tests::place::Place;

use crate::scenario::{MARKED, MARKED_PORTS};

/// A director that a scenario runs on.
pub(crate) trait Side {
    fn place(&mut self) -> &mut Place;

    /// Makes changes, which are valid.
    fn apply(&mut self, changes: &[Change]) -> Result<()>;

    /// Writes a setting of `net.ipv4.vs`.
    fn set(&mut self, setting: &str, value: &str) -> Result<()>;

    /// All entries of the connection table.
    fn connections(&mut self) -> Result<Vec<Connection>>;

    /// What the kernel has in /proc/net/NAME, or rlvs instead.
    fn file(&mut self, name: &str) -> Result<String>;

    /// What its `ipvsadm` prints.
    fn listing(&mut self, options: &str) -> Result<String>;
}

/// By rules as an operator has them.
pub(crate) fn mark_packets(place: &Place) -> Result<()> {
    place.host.forward()?;
    let ports = MARKED_PORTS.map(|port| port.to_string()).join(",");
    for tool in ["iptables-nft", "ip6tables-nft"] {
        place.host.shell(&format!(
            "{tool} -t mangle -A PREROUTING -i eth0 -p tcp -m multiport --dports {ports} \
             -j MARK --set-mark {MARKED}"
        ))?;
    }
    Ok(())
}

/// An entry of the connection table.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Connection {
    pub(crate) protocol: String,
    pub(crate) client: SocketAddr,
    pub(crate) virtual_address: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) state: String,
    /// Seconds.
    pub(crate) expires: u32,
}
