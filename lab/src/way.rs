//! A network namespace for test runs of programs, in which the kernel knows one way to anybody.

use std::fs::File;
use std::os::fd::AsFd;

use anyhow::{Context, Result};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::{Host, Lab};

/// The namespace; it ends with this.
#[derive(Debug)]
pub struct Way {
    pub host: Host,
    /// The interface that leads to everybody.
    pub interface: u32,
    /// Where this thread was before.
    before: File,
}

impl Way {
    /// Moves this thread into a new one. All leaves by an interface with the MAC address `own`, to
    /// `router`. Frames of test runs come in by loopback.
    pub fn enter(own: [u8; 6], router: [u8; 6]) -> Result<Self> {
        let host = Host::new(&Lab::new()?, "tested")?;
        let index = host.shell(&script(&text(own), &text(router)))?;
        let interface = index.trim().parse().with_context(|| index.clone())?;
        let before = File::open("/proc/thread-self/ns/net")?;
        move_into(&File::open(host.namespace_file())?)?;
        Ok(Self {
            host,
            interface,
            before,
        })
    }
}

/// The lab ends what is in its namespaces.
impl Drop for Way {
    fn drop(&mut self) {
        if let Err(error) = move_into(&self.before) {
            eprintln!("cannot go back to the network namespace: {error}");
        }
    }
}

fn move_into(namespace: &File) -> rustix::io::Result<()> {
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
}

fn script(own: &str, router: &str) -> String {
    format!(
        "set -e
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
