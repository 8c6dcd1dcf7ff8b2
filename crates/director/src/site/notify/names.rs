//! What virtual and real servers are called where others are told of them.

use std::net::SocketAddr;

use rlvs_check::machine::name;
use rlvs_config::model::VirtualServer;
use rlvs_control::ServiceKey;

/// A virtual server, by the first of its services.
pub(super) fn service(server: &VirtualServer) -> Option<String> {
    let key = server.keys().next()?;
    Some(match (key, &server.group) {
        // keepalived names no port here, whatever the group's addresses have.
        (_, Some(group)) => name::by_group(group, 0),
        (ServiceKey::Address { address, port, .. }, None) => {
            name::by_address(SocketAddr::new(*address, *port), protocol(key))
        }
        (ServiceKey::Mark { mark, .. }, None) => name::by_mark(*mark),
    })
}

/// One of its real servers.
pub(super) fn real(server: &VirtualServer, place: usize) -> Option<String> {
    let protocol = server.keys().next().map(protocol)?;
    let key = server.real.get(place)?.destination.key;
    let address = SocketAddr::new(key.address, key.port);
    Some(name::by_address(address, protocol))
}

fn protocol(key: &ServiceKey) -> &'static str {
    match key {
        ServiceKey::Address { protocol, .. } => match protocol {
            rlvs_control::Protocol::Tcp => "tcp",
            rlvs_control::Protocol::Udp => "udp",
            rlvs_control::Protocol::Sctp => "sctp",
        },
        ServiceKey::Mark { .. } => "none",
    }
}
