//! How addresses are written: as numbers (`-n`) or by name.

use std::net::{IpAddr, SocketAddr};

use rlvs_control::ServiceKey;
use rlvs_control::model::Family;

use crate::ipvsadm::names::Names;
use crate::ipvsadm::typed::lookup_name;

/// The columns that an address has in a list of services. Only IPv4 is cut to fit.
const WIDTH: usize = 28;

/// Writes addresses by name where there is one, or all as numbers.
#[derive(Clone, Copy)]
pub(in crate::ipvsadm) struct Namer<'a>(pub(in crate::ipvsadm) Option<&'a dyn Names>);

impl Namer<'_> {
    /// `host:port`, or `[host]:port` for IPv6.
    pub(super) fn endpoint(self, address: IpAddr, port: u16, protocol: Option<&str>) -> String {
        let Some(names) = self.0 else {
            return SocketAddr::new(address, port).to_string();
        };
        let host = names.host(address).unwrap_or_else(|| address.to_string());
        let name = protocol.and_then(|protocol| names.service(port, protocol));
        let port = name.unwrap_or_else(|| port.to_string());
        match address {
            IpAddr::V4(_) => format!("{host}:{port}"),
            IpAddr::V6(_) => format!("[{host}]:{port}"),
        }
    }

    /// The same in a column of its own.
    pub(super) fn column(self, address: IpAddr, port: u16, protocol: Option<&str>) -> String {
        let text = self.endpoint(address, port, protocol);
        match address {
            IpAddr::V4(_) => text.chars().take(WIDTH).collect(),
            IpAddr::V6(_) => text,
        }
    }

    /// What a service is known by, after its protocol.
    pub(super) fn service(self, key: &ServiceKey) -> String {
        match key {
            ServiceKey::Address {
                protocol,
                address,
                port,
            } => self.column(*address, *port, Some(lookup_name(*protocol))),
            ServiceKey::Mark {
                family: Family::Ipv4,
                mark,
            } => mark.to_string(),
            ServiceKey::Mark {
                family: Family::Ipv6,
                mark,
            } => format!("{mark} IPv6"),
        }
    }
}

/// The protocol whose names the ports of a service's destinations have.
pub(super) fn port_protocol(key: &ServiceKey) -> Option<&'static str> {
    match key {
        ServiceKey::Address { protocol, .. } => Some(lookup_name(*protocol)),
        ServiceKey::Mark { .. } => None,
    }
}

pub(super) fn protocol(key: &ServiceKey) -> String {
    match key {
        ServiceKey::Address { protocol, .. } => protocol.to_string(),
        ServiceKey::Mark { .. } => "FWM".to_owned(),
    }
}
