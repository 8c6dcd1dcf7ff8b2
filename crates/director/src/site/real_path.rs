//! Which checks of a site go by way of virtual addresses, and how.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};

use rlvs_check::machine::Forwarding;
use rlvs_check::spec::{Check, Via};
use rlvs_config::model::{RealServer, VirtualServer};
use rlvs_control::{ForwardingMethod, ServiceKey};

use super::health;
use crate::installed::tunnel_word;

/// Whether programs are needed for any of them.
pub(super) fn is_wanted(servers: &[VirtualServer]) -> bool {
    let own = own_addresses(servers);
    let mut real = servers.iter().flat_map(|server| &server.real);
    real.any(|real| has_any(real) && forwarding(real, &own) != Forwarding::ToItself)
}

/// The addresses of this machine, if that makes a difference to checks.
pub(super) fn own_addresses(servers: &[VirtualServer]) -> HashSet<IpAddr> {
    let mut real = servers.iter().flat_map(|server| &server.real);
    if !real.any(has_any) {
        return HashSet::new();
    }
    health::own_addresses().unwrap_or_else(|error| {
        tracing::warn!(%error, "this machine's addresses are not known");
        HashSet::new()
    })
}

/// The address that checks go by: of several, the first that the file names.
pub(super) fn vip(server: &VirtualServer) -> Option<SocketAddr> {
    server.keys().find_map(|key| match *key {
        ServiceKey::Address { address, port, .. } => Some(SocketAddr::new(address, port)),
        ServiceKey::Mark { .. } => None,
    })
}

pub(super) fn forwarding(real: &RealServer, own: &HashSet<IpAddr>) -> Forwarding {
    let destination = &real.destination;
    match destination.method {
        _ if own.contains(&destination.key.address) => Forwarding::ToItself,
        ForwardingMethod::Route => Forwarding::Route,
        ForwardingMethod::Tunnel(tunnel) => Forwarding::Tunnel(tunnel_word(tunnel).0),
        ForwardingMethod::Masquerade | ForwardingMethod::FullNat | ForwardingMethod::Local => {
            Forwarding::ToItself
        }
    }
}

/// Why a check cannot be made by that way.
pub(super) fn refused(
    server: &VirtualServer,
    real: &RealServer,
    check: &Check,
    own: &HashSet<IpAddr>,
) -> Option<String> {
    if check.connect.via == Via::Direct || forwarding(real, own) == Forwarding::ToItself {
        return None;
    }
    let leave_out = "leave out `via = \"vip\"'";
    let Some(vip) = vip(server) else {
        return Some(format!(
            "it cannot go by way of the virtual address, for a service of a firewall mark has \
             none: {leave_out}"
        ));
    };
    if vip.port() == 0 && check.connect.port.is_none() {
        return Some(format!(
            "the service is for all ports of {}: say with `connect_port' which it is to ask",
            vip.ip()
        ));
    }
    let server = real.destination.key.address;
    if vip.is_ipv4() != server.is_ipv4() {
        return Some(format!(
            "{} and {server} are of different IP versions, between which a check cannot go by way \
             of the virtual address: {leave_out}",
            vip.ip()
        ));
    }
    None
}

fn has_any(real: &RealServer) -> bool {
    real.checks
        .iter()
        .any(|check| check.connect.via == Via::Vip)
}
