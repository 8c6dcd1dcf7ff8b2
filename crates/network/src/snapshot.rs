//! What is known of the kernel at a moment, and what it means for one address.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use crate::neighbour::{Condition, Key, Neighbour};
use crate::route::{Path, Route};
use crate::{Link, NextHop, Unresolved};

/// Links and neighbours as the kernel has them; routes of the watched addresses.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) links: BTreeMap<u32, Link>,
    pub(crate) neighbours: HashMap<Key, Neighbour>,
    pub(crate) routes: HashMap<IpAddr, Route>,
    /// Neighbours that the kernel would not manage, and why.
    pub(crate) refusals: HashMap<Key, String>,
}

/// The next hop of `address`, or why there is none.
pub(crate) fn resolve(snapshot: &Snapshot, address: &IpAddr) -> Result<NextHop, Unresolved> {
    let route = snapshot.routes.get(address).ok_or(Unresolved::Resolving)?;
    let path = route.as_ref().map_err(Unresolved::clone)?;
    // A link not heard of yet: its message is on the way.
    let link = snapshot
        .links
        .get(&path.interface)
        .ok_or(Unresolved::Resolving)?;
    check(link)?;
    Ok(NextHop {
        interface: link.index,
        source: link.address,
        destination: destination(snapshot, path, link)?,
        mtu: path.mtu.map_or(link.mtu, |mtu| mtu.min(link.mtu)),
        local: path.local,
    })
}

impl Path {
    pub(crate) fn key(&self) -> Key {
        Key {
            interface: self.interface,
            address: self.neighbour,
        }
    }
}

fn check(link: &Link) -> Result<(), Unresolved> {
    let interface = || link.name.clone();
    if !link.ethernet {
        Err(Unresolved::NotEthernet {
            interface: interface(),
        })
    } else if !link.up {
        Err(Unresolved::LinkDown {
            interface: interface(),
        })
    } else {
        Ok(())
    }
}

fn destination(snapshot: &Snapshot, path: &Path, link: &Link) -> Result<[u8; 6], Unresolved> {
    let key = path.key();
    let entry = snapshot.neighbours.get(&key);
    if let Some(mac) = entry.and_then(Neighbour::mac) {
        return Ok(mac);
    }
    let (neighbour, interface) = (path.neighbour, link.name.clone());
    if let Some(reason) = snapshot.refusals.get(&key) {
        return Err(Unresolved::Refused {
            neighbour,
            interface,
            reason: reason.clone(),
        });
    }
    match entry.map(|entry| entry.condition) {
        Some(Condition::Failed) => Err(Unresolved::NoAnswer {
            neighbour,
            interface,
        }),
        _ => Err(Unresolved::Resolving),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::neighbour::Keeper;

    const SERVER: [u8; 6] = [2, 0, 0, 0, 0, 7];

    fn address() -> IpAddr {
        [10, 0, 0, 7].into()
    }

    fn link() -> Link {
        Link {
            index: 3,
            name: "eth0".into(),
            up: true,
            loopback: false,
            ethernet: true,
            mtu: 1500,
            address: [2, 0, 0, 0, 0, 1],
            kind: None,
            ..Link::default()
        }
    }

    fn snapshot(condition: Condition) -> Snapshot {
        let path = Path {
            interface: 3,
            neighbour: address(),
            mtu: None,
            local: Some([10, 0, 0, 5].into()),
        };
        let entry = Neighbour {
            condition,
            keeper: Keeper::Ours,
            managed: true,
        };
        Snapshot {
            links: [(3, link())].into(),
            neighbours: [(path.key(), entry)].into(),
            routes: [(address(), Ok(path))].into(),
            refusals: HashMap::new(),
        }
    }

    #[test]
    fn a_known_neighbour_is_the_next_hop() {
        for condition in [Condition::Known(SERVER), Condition::Probing(SERVER)] {
            let hop = resolve(&snapshot(condition), &address()).unwrap();
            assert_eq!((hop.interface, hop.mtu), (3, 1500));
            assert_eq!(hop.local, Some([10, 0, 0, 5].into()));
            assert_eq!((hop.source, hop.destination), ([2, 0, 0, 0, 0, 1], SERVER));
        }
    }

    #[test]
    fn a_smaller_mtu_of_the_route_counts() {
        for (route, mtu) in [(1400, 1400), (9000, 1500)] {
            let mut snapshot = snapshot(Condition::Known(SERVER));
            snapshot
                .routes
                .get_mut(&address())
                .unwrap()
                .as_mut()
                .unwrap()
                .mtu = Some(route);
            assert_eq!(resolve(&snapshot, &address()).unwrap().mtu, mtu);
        }
    }

    #[test]
    fn what_is_not_known_yet_is_resolving() {
        let mut snapshot = snapshot(Condition::Resolving);
        assert_eq!(resolve(&snapshot, &address()), Err(Unresolved::Resolving));
        snapshot.neighbours.clear();
        assert_eq!(resolve(&snapshot, &address()), Err(Unresolved::Resolving));
        snapshot.links.clear();
        assert_eq!(resolve(&snapshot, &address()), Err(Unresolved::Resolving));
        snapshot.routes.clear();
        assert_eq!(resolve(&snapshot, &address()), Err(Unresolved::Resolving));
    }

    #[test]
    fn a_silent_neighbour_is_named() {
        let unresolved = resolve(&snapshot(Condition::Failed), &address()).unwrap_err();
        assert_eq!(unresolved.to_string(), "10.0.0.7 does not answer on eth0");
    }

    #[test]
    fn a_refused_neighbour_says_why() {
        let mut snapshot = snapshot(Condition::Resolving);
        let key = Key {
            interface: 3,
            address: address(),
        };
        snapshot
            .refusals
            .insert(key, "No buffer space available".into());
        let unresolved = resolve(&snapshot, &address()).unwrap_err();
        assert!(matches!(unresolved, Unresolved::Refused { .. }));
        snapshot.neighbours.get_mut(&key).unwrap().condition = Condition::Known(SERVER);
        assert!(resolve(&snapshot, &address()).is_ok());
    }

    #[test]
    fn the_link_must_be_up_and_ethernet() {
        let mut snapshot = snapshot(Condition::Known(SERVER));
        let interface = || "eth0".to_string();
        snapshot.links.get_mut(&3).unwrap().up = false;
        let down = Err(Unresolved::LinkDown {
            interface: interface(),
        });
        assert_eq!(resolve(&snapshot, &address()), down);
        snapshot.links.get_mut(&3).unwrap().ethernet = false;
        let other = Err(Unresolved::NotEthernet {
            interface: interface(),
        });
        assert_eq!(resolve(&snapshot, &address()), other);
    }

    #[test]
    fn a_refused_route_is_passed_on() {
        let mut snapshot = snapshot(Condition::Known(SERVER));
        snapshot
            .routes
            .insert(address(), Err(Unresolved::Prohibited));
        assert_eq!(resolve(&snapshot, &address()), Err(Unresolved::Prohibited));
    }
}
