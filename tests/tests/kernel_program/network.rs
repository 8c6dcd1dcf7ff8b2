//! A network namespace for test runs of the program, in which the kernel knows one way to anybody,
//! and has interfaces that serve for VLANs.

use std::fs::File;
use std::os::fd::AsFd;

use anyhow::{Context, Result};
use rlvs_engine::frame::{Route, RouteKind};
use rlvs_engine::tables::interface;
use rlvs_lab::{Host, Lab};
use rlvs_testing::packet::ROUTER;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

const OWN: [u8; 6] = [0x02, 0, 0, 0, 0, 0x77];

/// The namespace; it ends with this.
pub(crate) struct Network {
    _host: Host,
    pub(crate) route: Route,
}

impl Network {
    /// Moves this thread into a new one. Frames of test runs come in by loopback.
    pub(crate) fn enter() -> Result<Self> {
        let host = Host::new(&Lab::new()?, "tested")?;
        let index = host.shell(&script())?;
        let route = Route {
            kind: RouteKind::Known,
            interface: index.trim().parse().with_context(|| index.clone())?,
            destination: interface::mac(ROUTER),
            source: interface::mac(OWN),
        };
        let namespace = File::open(host.namespace_file())?;
        let kind = Some(LinkNameSpaceType::Network);
        move_into_link_name_space(namespace.as_fd(), kind)?;
        Ok(Self { _host: host, route })
    }
}

fn script() -> String {
    let (own, router) = (text(OWN), text(ROUTER));
    format!(
        "set -e
         ip link add index 5 name vlan5 type veth peer index 6 name vlan6
         ip link add index 7 name vlan7 type veth peer index 8 name unused
         ip link add way address {own} type veth peer name end
         ip link set way up
         ip link set end up
         ip addr add 10.77.0.2/24 dev way
         ip addr add fd77::2/64 dev way nodad
         ip route add default via 10.77.0.1
         ip route add default via fd77::1
         ip neigh add 10.77.0.1 lladdr {router} dev way nud permanent
         ip neigh add fd77::1 lladdr {router} dev way nud permanent
         sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
         ip -o link show way | cut -d: -f1"
    )
}

fn text(address: [u8; 6]) -> String {
    address.map(|byte| format!("{byte:02x}")).join(":")
}
