//! One Ethernet segment: a namespace with a bridge in it.

use anyhow::Result;

use crate::host::{Host, ip_batch};
use crate::lab::Lab;

const BRIDGE: &str = "br0";

/// A switch; hosts join it with [`Host::join`].
#[derive(Debug)]
pub struct Segment {
    host: Host,
    number: u8,
}

impl Segment {
    /// Segment `number` has the addresses 10.0.NUMBER.0/24.
    pub fn new(lab: &Lab, name: &str, number: u8) -> Result<Self> {
        let host = Host::new(lab, name)?;
        host.sysctl(&[("net.ipv6.conf.all.disable_ipv6", "1")])?;
        let bridge = format!("link add name {BRIDGE} type bridge forward_delay 0 mcast_snooping 0");
        ip_batch(&host, &[bridge, format!("link set {BRIDGE} up")])?;
        Ok(Self { host, number })
    }

    /// The namespace, to look at frames on their way.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The bridge's end of the cable to a host's interface.
    pub fn port(&self, host: &Host, interface: &str) -> String {
        port_name(host.name(), interface)
    }

    pub fn number(&self) -> u8 {
        self.number
    }

    /// A cable from a new port, named after the host, to the host's new `interface`.
    pub(crate) fn plug(&self, host: &Host, interface: &str, mac: &str) -> Result<String> {
        let port = port_name(host.name(), interface);
        let namespace = host.namespace();
        ip_batch(
            &self.host,
            &[
                format!(
                    "link add name {port} type veth \
                     peer name {interface} netns {namespace} address {mac}"
                ),
                format!("link set {port} master {BRIDGE} up"),
            ],
        )?;
        self.prepare_port(&port)?;
        Ok(port)
    }

    /// Takes the cable of the host's first interface out of its port, or puts it in again.
    pub fn set_plugged(&self, host: &Host, plugged: bool) -> Result<()> {
        let state = if plugged { "up" } else { "down" };
        ip_batch(
            &self.host,
            &[format!(
                "link set {} {state}",
                port_name(host.name(), "eth0")
            )],
        )
    }

    /// Takes the port of the host's first interface out of the switch, or puts it in again: the host
    /// sees a link, and hears nobody.
    pub fn set_heard(&self, host: &Host, heard: bool) -> Result<()> {
        let port = port_name(host.name(), "eth0");
        let whose = match heard {
            true => format!("master {BRIDGE}"),
            false => "nomaster".to_owned(),
        };
        ip_batch(&self.host, &[format!("link set {port} {whose}")])
    }

    /// A veth hands on frames whose checksum is still to be made, and many as one, which XDP at the
    /// other end would take for what is on the wire: off. Native XDP_REDIRECT towards this port
    /// needs its receive queues, which come with GRO: on.
    fn prepare_port(&self, port: &str) -> Result<()> {
        self.host
            .run("ethtool", ["-K", port, "tx", "off", "gro", "on"])
            .map(drop)
    }
}

/// At most 15 characters, as the kernel wants.
fn port_name(host: &str, interface: &str) -> String {
    let name = if interface == "eth0" {
        host.to_owned()
    } else {
        format!("{host}-{interface}")
    };
    name.chars().take(15).collect()
}
