//! Where virtual addresses are, and where they belong.

use std::net::IpAddr;

use anyhow::{Result, bail};
use rlvs_host::address::Interface;

const LOOPBACK: &str = "lo";

/// The interface that has the address, if one does.
pub(super) fn place(interfaces: &[Interface], vip: IpAddr) -> Option<&Interface> {
    let has = |it: &&Interface| it.addresses.iter().any(|(address, _)| *address == vip);
    interfaces.iter().find(has)
}

/// The interface on which `vip` is to be put; none where it is already.
pub(super) fn wanted<'a>(
    interfaces: &'a [Interface],
    vip: IpAddr,
    named: Option<&str>,
) -> Result<Option<&'a Interface>> {
    if vip.is_unspecified() || vip.is_multicast() || vip.is_loopback() {
        bail!("{vip} cannot be a virtual address: it is not a unicast address that others reach");
    }
    match place(interfaces, vip) {
        Some(found) if found.name == LOOPBACK => bail!(
            "{vip} is on lo, as on a real server; take it away first: \
             rlvs realserver down --vip {vip}, or ip address del {vip} dev lo"
        ),
        Some(_) => Ok(None),
        None => named
            .map_or_else(
                || of_network(interfaces, vip),
                |name| of_name(interfaces, name),
            )
            .map(Some),
    }
}

fn of_name<'a>(interfaces: &'a [Interface], name: &str) -> Result<&'a Interface> {
    let mut all = interfaces.iter();
    match all.find(|interface| interface.name == name) {
        Some(found) if found.name != LOOPBACK => Ok(found),
        Some(_) => bail!("a director's virtual address on lo is reached by nobody: name another"),
        None => bail!("there is no interface {name} (ip link shows those there are)"),
    }
}

fn of_network(interfaces: &[Interface], vip: IpAddr) -> Result<&Interface> {
    let others = interfaces.iter().filter(|it| it.name != LOOPBACK);
    let mut having = others.filter(|interface| {
        let mut networks = interface.addresses.iter();
        networks.any(|&(address, length)| is_in(vip, address, length))
    });
    match (having.next(), having.next()) {
        (Some(one), None) => Ok(one),
        (Some(one), Some(other)) => bail!(
            "{vip} is in the networks of {} and {}: say where it goes with --interface",
            one.name,
            other.name
        ),
        _ => bail!("{vip} is in no interface's network: say where it goes with --interface"),
    }
}

fn is_in(vip: IpAddr, address: IpAddr, length: u8) -> bool {
    let network = ipnet::IpNet::new(address, length);
    network.is_ok_and(|network| network.contains(&vip))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interfaces() -> Vec<Interface> {
        let interface = |index, name: &str, addresses: &[(&str, u8)]| Interface {
            index,
            name: name.into(),
            up: true,
            ethernet: true,
            addresses: addresses
                .iter()
                .map(|(address, length)| (address.parse().unwrap(), *length))
                .collect(),
            ..Interface::default()
        };
        vec![
            interface(1, "lo", &[("127.0.0.1", 8), ("192.0.2.99", 32)]),
            interface(2, "eth0", &[("192.0.2.5", 24), ("192.0.2.101", 32)]),
            interface(3, "eth1", &[("198.51.100.5", 24), ("2001:db8::5", 64)]),
            interface(4, "eth2", &[("198.51.100.6", 24)]),
        ]
    }

    fn found(vip: &str, named: Option<&str>) -> Result<Option<String>, String> {
        let interfaces = interfaces();
        let wanted = wanted(&interfaces, vip.parse().unwrap(), named);
        let name = wanted.map(|place| place.map(|interface| interface.name.clone()));
        name.map_err(|error| error.to_string())
    }

    #[test]
    fn an_address_goes_where_its_network_is() {
        assert_eq!(found("192.0.2.100", None), Ok(Some("eth0".into())));
        assert_eq!(found("2001:db8::100", None), Ok(Some("eth1".into())));
        assert_eq!(found("192.0.2.101", None), Ok(None), "it is there");
        assert_eq!(found("203.0.113.1", Some("eth2")), Ok(Some("eth2".into())));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (vip, named, text) in [
            ("203.0.113.1", None, "--interface"),
            ("198.51.100.100", None, "eth1 and eth2"),
            ("192.0.2.100", Some("eth7"), "no interface eth7"),
            ("192.0.2.100", Some("lo"), "reached by nobody"),
            ("192.0.2.99", None, "rlvs realserver down --vip 192.0.2.99"),
            ("224.0.0.1", None, "cannot be"),
        ] {
            let error = found(vip, named).unwrap_err();
            assert!(error.contains(text), "{error}");
        }
    }
}
