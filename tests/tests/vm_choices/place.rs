//! A network namespace for a director, with nothing behind it but neighbours that never answer.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use rlvs_lab::{Host, Lab, command};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::frame::{DIRECTOR, server_mac};
use crate::scenario::{SERVERS, server_address};
use crate::wire::Wire;

/// One side's namespace and the far end of its cable, which is in the test's own namespace.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) host: Host,
    pub(crate) wire: Wire,
}

impl Place {
    pub(crate) fn new(lab: &Lab, name: &str) -> Result<Self> {
        let host = Host::new(lab, name)?;
        let cable = format!("to-{name}");
        let add = format!(
            "link add {cable} type veth peer name eth0 netns {} address {}",
            host.namespace(),
            mac(DIRECTOR)
        );
        ip(&add)?;
        ip(&format!("link set {cable} up"))?;
        host.sysctl(&[
            ("net.ipv4.conf.all.rp_filter", "0"),
            ("net.ipv4.conf.eth0.rp_filter", "0"),
        ])?;
        host.shell(&settings().join("\n"))?;
        Ok(Self {
            host,
            wire: Wire::open(&cable)?,
        })
    }

    /// Runs `work` on this thread in this namespace.
    pub(crate) fn within<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let own = File::open("/proc/thread-self/ns/net")?;
        enter(&File::open(self.host.namespace_file())?)?;
        let outcome = work();
        enter(&own)?;
        outcome
    }

    /// What `ipvsadm` prints, but for the line with the size of the connection table.
    pub(crate) fn listing(&self, ipvsadm: &Path, options: &str) -> Result<String> {
        let mut command = self.host.command(ipvsadm);
        command.args(options.split_whitespace());
        let listing = command::finish(&mut command, Duration::from_secs(60))?.success()?;
        let (_, rest) = listing.split_once('\n').context("an empty listing")?;
        Ok(rest.to_owned())
    }
}

fn enter(namespace: &File) -> Result<()> {
    Ok(move_into_link_name_space(
        namespace.as_fd(),
        Some(LinkNameSpaceType::Network),
    )?)
}

fn ip(line: &str) -> Result<()> {
    let mut command = std::process::Command::new("ip");
    command.args(line.split_whitespace());
    command::finish(&mut command, Duration::from_secs(60))?
        .success()
        .map(drop)
}

/// Virtual addresses are local; real servers and the way to the clients are known for good.
fn settings() -> Vec<String> {
    let mut lines: Vec<String> = [
        "set -e",
        "ip link set eth0 up",
        "ip addr add 10.98.0.254/24 dev eth0",
        "ip addr add fd98::fe/64 dev eth0 nodad",
        "ip route add local 10.99.0.0/16 dev lo",
        "ip route add local fd99::/16 dev lo",
        "ip neigh add 10.98.0.99 lladdr 02:00:0a:00:00:02 dev eth0 nud permanent",
        "ip neigh add fd98::99 lladdr 02:00:0a:00:00:02 dev eth0 nud permanent",
        "ip route add default via 10.98.0.99",
        "ip route add default via fd98::99",
    ]
    .map(str::to_owned)
    .to_vec();
    for server in 0..SERVERS {
        for ipv6 in [false, true] {
            let address = server_address(ipv6, server);
            let mac = mac(server_mac(server));
            lines.push(format!(
                "ip neigh add {address} lladdr {mac} dev eth0 nud permanent"
            ));
        }
    }
    lines
}

fn mac(address: [u8; 6]) -> String {
    address.map(|byte| format!("{byte:02x}")).join(":")
}
