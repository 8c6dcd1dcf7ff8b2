//! Interfaces with the MAC address of the one below (`use_ipvlan`), where a port of a switch takes one
//! MAC address only. All that an instance says and hears goes by it.

use std::fs;
use std::io;

use rlvs_host::Error;
use rlvs_host::address::{Handle, Interface};
use rtnetlink::packet_route::link::{IpVlanFlags, IpVlanMode};
use rtnetlink::{LinkIpVlan, LinkUnspec};

use crate::note::Thing;
use crate::plan::{Ipvlan, IpvlanMode};

/// What is to be written down before it is made.
pub(crate) fn things(ipvlan: &Ipvlan, is_new: bool) -> Vec<Thing> {
    is_new
        .then(|| Thing::Link(ipvlan.name.clone()))
        .into_iter()
        .collect()
}

/// Makes it, if it is not there.
pub(crate) async fn make(
    handle: &Handle,
    ipvlan: &Ipvlan,
    interfaces: &[Interface],
) -> Result<(), Error> {
    let name = &ipvlan.name;
    let failed = |error: io::Error| Error::io(format!("making the interface {name}"), error);
    if interfaces.iter().any(|it| it.name == *name) {
        return Ok(());
    }
    let Some(parent) = interfaces.iter().find(|it| it.name == ipvlan.parent) else {
        let what = format!("there is no interface {}", ipvlan.parent);
        return Err(failed(io::Error::other(what)));
    };
    let flag = match ipvlan.mode {
        IpvlanMode::Bridge => IpVlanFlags::empty(),
        IpvlanMode::Private => IpVlanFlags::Private,
        IpvlanMode::Vepa => IpVlanFlags::Vepa,
    };
    let link = LinkIpVlan::new(name, parent.index, IpVlanMode::L2);
    let added = handle.link().add(link.flag(flag).build()).execute().await;
    let to_io = |error: rtnetlink::Error| match error {
        rtnetlink::Error::NetlinkError(message) => message.to_io(),
        other => io::Error::other(other),
    };
    added.map_err(|error| failed(to_io(error)))?;
    if ipvlan.address.is_some() {
        // Where an address is given, there is no other. Without IPv6 there is no such setting.
        let _ = fs::write(format!("/proc/sys/net/ipv6/conf/{name}/addr_gen_mode"), "1");
    }
    let up = LinkUnspec::new_with_name(name).up().build();
    let changed = handle.link().change(up).execute().await;
    changed.map_err(|error| failed(to_io(error)))?;
    tracing::info!(interface = name, on = ipvlan.parent, "made");
    Ok(())
}
