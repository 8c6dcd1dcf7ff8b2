//! Interfaces with virtual MAC addresses (`use_vmac`): neighbours never learn another address, whoever
//! is master.
//!
//! They are there as long as the instance is in the configuration; addresses come and go on them. So
//! that the interface below does not answer for these, it answers only for its own (`arp_ignore`).

use std::fs;
use std::io;

use rlvs_host::Error;
use rlvs_host::address::{Handle, Interface};
use rtnetlink::packet_route::link::MacVlanMode;
use rtnetlink::{LinkMacVlan, LinkUnspec};

use crate::note::Thing;
use crate::plan::Vmac;

/// RFC 5798, 7.3: the last byte is the virtual router's number.
const V4: [u8; 5] = [0, 0, 0x5e, 0, 1];
const V6: [u8; 5] = [0, 0, 0x5e, 0, 2];

/// The virtual router's MAC address.
pub(crate) fn mac(router: u8, v6: bool) -> [u8; 6] {
    let prefix = if v6 { V6 } else { V4 };
    let mut mac = [router; 6];
    mac[..5].copy_from_slice(&prefix);
    mac
}

/// Six bytes in hexadecimal, as `ip link` prints them; behind five of them is the virtual router's
/// number.
pub(crate) fn parse(text: &str, router: u8) -> Option<[u8; 6]> {
    let bytes = text
        .split(':')
        .map(|byte| u8::from_str_radix(byte, 16).ok());
    let mut bytes = bytes.collect::<Option<Vec<u8>>>()?;
    if bytes.len() == 5 {
        bytes.push(router);
    }
    bytes.try_into().ok()
}

/// What is to be written down before it is made: the interface, if it is new, and a setting with what
/// it was.
pub(crate) fn things(vmac: &Vmac, is_new: bool) -> Vec<Thing> {
    let path = arp_ignore(&vmac.parent);
    let before = fs::read_to_string(&path).unwrap_or_default();
    let before = before.trim().to_owned();
    let setting = (before == "0").then_some(Thing::Setting { path, before });
    let link = is_new.then(|| Thing::Link(vmac.name.clone()));
    setting.into_iter().chain(link).collect()
}

/// Whether the interface below answers ARP for its own addresses only; none that does is none.
pub(crate) fn is_quiet(parent: &str) -> bool {
    fs::read_to_string(arp_ignore(parent)).map_or(true, |value| value.trim() != "0")
}

/// Makes it, if it is not there.
pub(crate) async fn make(
    handle: &Handle,
    vmac: &Vmac,
    interfaces: &[Interface],
) -> Result<(), Error> {
    let failed = |error: io::Error| Error::io(format!("making the interface {}", vmac.name), error);
    let only_its_own = || fs::write(arp_ignore(&vmac.parent), "1").map_err(failed);
    if let Some(present) = interfaces.iter().find(|it| it.name == vmac.name) {
        return match present.mac == Some(vmac.mac) {
            true => only_its_own(),
            false => Err(failed(io::Error::other(
                "it is there, with another MAC address: name it otherwise",
            ))),
        };
    }
    let Some(parent) = interfaces.iter().find(|it| it.name == vmac.parent) else {
        return Err(failed(io::Error::other(format!(
            "there is no interface {}",
            vmac.parent
        ))));
    };
    // Of another mode, frames that another router sends from the same MAC address would come in here
    // alone, where a backup without addresses does not believe them (rp_filter).
    let link = LinkMacVlan::new(&vmac.name, parent.index, MacVlanMode::Bridge);
    let link = link.address(vmac.mac.to_vec()).build();
    let to_io = |error: rtnetlink::Error| match error {
        rtnetlink::Error::NetlinkError(message) => message.to_io(),
        other => io::Error::other(other),
    };
    let added = handle.link().add(link).execute().await;
    added.map_err(|error| failed(to_io(error)))?;
    // Before it is up: no address of its own, and answers only for those that it gets. What it is
    // asked by may come from where the interface below leads.
    let set = |name: &str, value: &str| {
        let path = format!("/proc/sys/net/{}", name.replace("IF", &vmac.name));
        fs::write(path, value)
    };
    set("ipv4/conf/IF/arp_ignore", "1").map_err(failed)?;
    set("ipv4/conf/IF/rp_filter", "2").map_err(failed)?;
    // Where there is no IPv6, there is no such setting.
    let _ = set("ipv6/conf/IF/addr_gen_mode", "1");
    only_its_own()?;
    let up = LinkUnspec::new_with_name(&vmac.name).up().build();
    let changed = handle.link().change(up).execute().await;
    changed.map_err(|error| failed(to_io(error)))?;
    tracing::info!(interface = vmac.name, on = vmac.parent, "made");
    Ok(())
}

/// Takes it away; it need not be there.
pub(crate) async fn remove(
    handle: &Handle,
    name: &str,
    interfaces: &[Interface],
) -> Result<(), Error> {
    let Some(present) = interfaces.iter().find(|it| it.name == name) else {
        return Ok(());
    };
    let removed = handle.link().del(present.index).execute().await;
    removed.map_err(|error| {
        Error::io(
            format!("removing the interface {name}"),
            io::Error::other(error),
        )
    })
}

fn arp_ignore(interface: &str) -> String {
    format!("/proc/sys/net/ipv4/conf/{interface}/arp_ignore")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_the_rfcs() {
        assert_eq!(mac(51, false), [0, 0, 0x5e, 0, 1, 51]);
        assert_eq!(mac(255, true), [0, 0, 0x5e, 0, 2, 255]);
        assert_eq!(parse("02:00:0a:00:00:ff", 51), Some([2, 0, 10, 0, 0, 255]));
        assert_eq!(parse("02:00:0a:00:00", 51), Some([2, 0, 10, 0, 0, 51]));
        for wrong in ["", "02:00:0a:00", "02:00:0a:00:00:fg", "1:2:3:4:5:6:7"] {
            assert_eq!(parse(wrong, 51), None, "{wrong}");
        }
    }
}
