//! A network namespace for a director, with nothing behind it but neighbours that never answer.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use rlvs_lab::{Host, Lab, command};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::wire::{CLIENT, DIRECTOR, Wire};

/// One side's namespace and the far end of its cable, which is in the test's own namespace.
#[derive(Debug)]
pub struct Place {
    pub host: Host,
    pub wire: Wire,
}

impl Place {
    /// With so many real servers.
    pub fn new(lab: &Lab, name: &str, servers: u8) -> Result<Self> {
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
        host.shell(&settings(servers).join("\n"))?;
        Ok(Self {
            host,
            wire: Wire::open(&cable)?,
        })
    }

    /// Runs `work` on this thread in this namespace.
    pub fn within<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let own = File::open("/proc/thread-self/ns/net")?;
        enter(&File::open(self.host.namespace_file())?)?;
        let outcome = work();
        enter(&own)?;
        outcome
    }

    /// What `ipvsadm` prints, but for the line with the size of the connection table.
    pub fn listing(&self, ipvsadm: &Path, options: &str) -> Result<String> {
        let mut command = self.host.command(ipvsadm);
        command.args(options.split_whitespace());
        let listing = command::finish(&mut command, Duration::from_secs(60))?.success()?;
        let (_, rest) = listing.split_once('\n').context("an empty listing")?;
        Ok(rest.to_owned())
    }
}

pub fn server_address(ipv6: bool, server: u8) -> IpAddr {
    match ipv6 {
        false => Ipv4Addr::new(10, 98, 0, server + 1).into(),
        true => Ipv6Addr::new(0xfd98, 0, 0, 0, 0, 0, 0, u16::from(server) + 1).into(),
    }
}

/// MAC address of a real server.
pub fn server_mac(server: u8) -> [u8; 6] {
    [2, 0, 0x0a, 0, 0x98, server + 1]
}

/// The router that clients are behind; its MAC address is [`CLIENT`].
pub fn router_address(ipv6: bool) -> IpAddr {
    match ipv6 {
        false => Ipv4Addr::new(10, 98, 0, 99).into(),
        true => Ipv6Addr::new(0xfd98, 0, 0, 0, 0, 0, 0, 0x99).into(),
    }
}

/// The director's own.
pub fn own_address(ipv6: bool) -> IpAddr {
    match ipv6 {
        false => Ipv4Addr::new(10, 98, 0, 254).into(),
        true => Ipv6Addr::new(0xfd98, 0, 0, 0, 0, 0, 0, 0xfe).into(),
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
fn settings(servers: u8) -> Vec<String> {
    let mut lines: Vec<String> = [
        "set -e",
        "ip link set eth0 up",
        "ip addr add 10.98.0.254/24 dev eth0",
        "ip addr add fd98::fe/64 dev eth0 nodad",
        "ip route add local 10.99.0.0/16 dev lo",
        "ip route add local fd99::/16 dev lo",
        "ip route add default via 10.98.0.99",
        "ip route add default via fd98::99",
    ]
    .map(str::to_owned)
    .to_vec();
    let neighbour = |address: IpAddr, at| {
        let mac = mac(at);
        format!("ip neigh add {address} lladdr {mac} dev eth0 nud permanent")
    };
    for ipv6 in [false, true] {
        lines.push(neighbour(router_address(ipv6), CLIENT));
        let servers = 0..servers;
        lines.extend(servers.map(|it| neighbour(server_address(ipv6, it), server_mac(it))));
    }
    lines
}

fn mac(address: [u8; 6]) -> String {
    address.map(|byte| format!("{byte:02x}")).join(":")
}
