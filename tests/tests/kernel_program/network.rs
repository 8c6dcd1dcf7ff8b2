//! A network namespace for test runs of the program, in which the kernel knows one way to anybody,
//! and has interfaces that serve for VLANs.

use anyhow::Result;
use rlvs_engine::frame::{Route, RouteKind};
use rlvs_engine::tables::interface;
use rlvs_lab::Way;
use rlvs_testing::packet::ROUTER;

const OWN: [u8; 6] = [0x02, 0, 0, 0, 0, 0x77];

/// The namespace; it ends with this.
pub(crate) struct Network {
    _way: Way,
    pub(crate) route: Route,
}

impl Network {
    /// Moves this thread into a new one.
    pub(crate) fn enter() -> Result<Self> {
        let way = Way::enter(OWN, ROUTER)?;
        way.host.shell(
            "ip link add index 5 name vlan5 type veth peer index 6 name vlan6 &&
             ip link add index 7 name vlan7 type veth peer index 8 name unused",
        )?;
        let route = Route {
            kind: RouteKind::Known,
            interface: way.interface,
            destination: interface::mac(ROUTER),
            source: interface::mac(OWN),
        };
        Ok(Self { _way: way, route })
    }
}
