//! From where to where a probe goes: keepalived's options of a connection.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

/// Where a probe goes, if not to the real server, and where it comes from.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Connect {
    /// `connect_ip`: instead of the real server's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// `connect_port`, ldirectord's `checkport`: instead of the real server's port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// `bindto`: the source address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bind_address: Option<IpAddr>,
    /// `bind_if`: the interface; link-local addresses need it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bind_interface: Option<String>,
    /// `bind_port`: the source port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bind_port: Option<u16>,
    /// `fwmark`: the firewall mark of the probe's packets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark: Option<u32>,
    /// The way that the probe's packets take.
    pub via: Via,
}

impl Connect {
    /// Where a probe of the real server at this address goes. A real server of a service without a
    /// port has port 0, and so has the target, unless the check names one.
    pub fn target(&self, server: SocketAddr) -> SocketAddr {
        SocketAddr::new(
            self.address.unwrap_or(server.ip()),
            self.port.unwrap_or(server.port()),
        )
    }
}

/// The way that a probe's packets take to the real server.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// To the real server's own address, by the routing tables.
    #[default]
    Direct,
    /// To the virtual address, forwarded to this real server as the service's packets are: the
    /// answer proves that it has the virtual address and that a tunnel to it works.
    Vip,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_may_look_elsewhere() {
        let server = "192.0.2.1:80".parse().unwrap();
        let mut connect = Connect::default();
        assert_eq!(connect.target(server), server);
        connect.port = Some(8080);
        connect.address = Some("2001:db8::1".parse().unwrap());
        assert_eq!(
            connect.target(server),
            "[2001:db8::1]:8080".parse().unwrap()
        );
    }
}
