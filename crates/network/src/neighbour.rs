//! Neighbours: who on the link has which MAC address, and who keeps the entry.
//!
//! An entry of ours is *managed*: the kernel resolves it and keeps it fresh without traffic.
//! It carries [`PROTOCOL`], so that the next daemon knows what an earlier one left behind, and is
//! "externally learned", which spares it the garbage collection and its limit (`gc_thresh3`,
//! 1024 entries by default).

use std::net::IpAddr;

use netlink_packet_route::AddressFamily;
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourExtFlags, NeighbourFlags, NeighbourMessage,
    NeighbourState,
};
use netlink_packet_route::route::RouteProtocol;

/// Marks the neighbours that rlvs manages (`ip neigh` shows it as `proto 76`).
pub(crate) const PROTOCOL: RouteProtocol = RouteProtocol::Other(76);

/// Which neighbour.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Key {
    pub(crate) interface: u32,
    pub(crate) address: IpAddr,
}

/// What the kernel knows of a neighbour.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Neighbour {
    pub(crate) condition: Condition,
    pub(crate) keeper: Keeper,
    pub(crate) managed: bool,
}

/// How far its resolution is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Condition {
    /// Asked for, or not even that.
    Resolving,
    Known([u8; 6]),
    /// Known, and being asked whether that still holds.
    Probing([u8; 6]),
    /// It did not answer.
    Failed,
}

/// Who decides about the entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Keeper {
    /// The kernel made it for its own traffic.
    Kernel,
    /// This daemon, or one before it.
    Ours,
    /// The administrator or another daemon set it: it stays as it is.
    Other,
}

impl Neighbour {
    /// Reads an entry; none for what is no IP neighbour (bridge entries, proxies).
    pub(crate) fn read(message: &NeighbourMessage) -> Option<(Key, Self)> {
        if message.header.flags.contains(NeighbourFlags::Proxy) {
            return None;
        }
        let key = Key {
            interface: message.header.ifindex,
            address: address(message)?,
        };
        let managed = is_managed(message);
        Some((
            key,
            Self {
                condition: condition(message),
                keeper: keeper(message),
                managed,
            },
        ))
    }

    /// The MAC address to send to, where there is one.
    pub(crate) fn mac(&self) -> Option<[u8; 6]> {
        match self.condition {
            Condition::Known(mac) | Condition::Probing(mac) => Some(mac),
            Condition::Resolving | Condition::Failed => None,
        }
    }

    /// This entry after `before`: a neighbour that failed has failed until it answers, however
    /// often it is asked again.
    pub(crate) fn after(mut self, before: Option<&Self>) -> Self {
        let failed = before.is_some_and(|before| before.condition == Condition::Failed);
        if failed && self.condition == Condition::Resolving {
            self.condition = Condition::Failed;
        }
        self
    }
}

fn address(message: &NeighbourMessage) -> Option<IpAddr> {
    if !matches!(
        message.header.family,
        AddressFamily::Inet | AddressFamily::Inet6
    ) {
        return None;
    }
    message
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(address)) => {
                Some((*address).into())
            }
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(address)) => {
                Some((*address).into())
            }
            _ => None,
        })
}

fn condition(message: &NeighbourMessage) -> Condition {
    let Some(mac) = mac(message) else {
        return match message.header.state {
            NeighbourState::Failed => Condition::Failed,
            _ => Condition::Resolving,
        };
    };
    match message.header.state {
        NeighbourState::Failed => Condition::Failed,
        NeighbourState::Incomplete | NeighbourState::None => Condition::Resolving,
        NeighbourState::Probe => Condition::Probing(mac),
        _ => Condition::Known(mac),
    }
}

fn mac(message: &NeighbourMessage) -> Option<[u8; 6]> {
    message
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            NeighbourAttribute::LinkLayerAddress(bytes) => bytes.as_slice().try_into().ok(),
            _ => None,
        })
}

fn keeper(message: &NeighbourMessage) -> Keeper {
    let learned = message.header.flags.contains(NeighbourFlags::ExtLearned);
    match message.header.state {
        NeighbourState::Permanent | NeighbourState::Noarp => Keeper::Other,
        _ if !learned && !is_managed(message) => Keeper::Kernel,
        _ if is_marked(message) => Keeper::Ours,
        _ => Keeper::Other,
    }
}

fn is_managed(message: &NeighbourMessage) -> bool {
    message.attributes.iter().any(|attribute| match attribute {
        NeighbourAttribute::ExtFlags(flags) => flags.contains(NeighbourExtFlags::Managed),
        _ => false,
    })
}

fn is_marked(message: &NeighbourMessage) -> bool {
    message.attributes.iter().any(|attribute| match attribute {
        NeighbourAttribute::Protocol(protocol) => *protocol == PROTOCOL,
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 9];

    fn message(state: NeighbourState) -> NeighbourMessage {
        let mut message = NeighbourMessage::default();
        message.header.family = AddressFamily::Inet;
        message.header.ifindex = 4;
        message.header.state = state;
        message.attributes = vec![
            NeighbourAttribute::Destination(NeighbourAddress::Inet([10, 0, 0, 9].into())),
            NeighbourAttribute::LinkLayerAddress(MAC.to_vec()),
        ];
        message
    }

    fn read(message: &NeighbourMessage) -> Neighbour {
        Neighbour::read(message).unwrap().1
    }

    #[test]
    fn every_state_has_its_condition() {
        for (state, condition) in [
            (NeighbourState::None, Condition::Resolving),
            (NeighbourState::Incomplete, Condition::Resolving),
            (NeighbourState::Reachable, Condition::Known(MAC)),
            (NeighbourState::Stale, Condition::Known(MAC)),
            (NeighbourState::Delay, Condition::Known(MAC)),
            (NeighbourState::Probe, Condition::Probing(MAC)),
            (NeighbourState::Permanent, Condition::Known(MAC)),
            (NeighbourState::Noarp, Condition::Known(MAC)),
            (NeighbourState::Failed, Condition::Failed),
        ] {
            assert_eq!(read(&message(state)).condition, condition, "{state}");
        }
    }

    #[test]
    fn the_keeper_is_told_by_state_flags_and_mark() {
        assert_eq!(read(&message(NeighbourState::Stale)).keeper, Keeper::Kernel);
        assert_eq!(
            read(&message(NeighbourState::Permanent)).keeper,
            Keeper::Other
        );
        let mut learned = message(NeighbourState::Reachable);
        learned.header.flags = NeighbourFlags::ExtLearned;
        assert_eq!(read(&learned).keeper, Keeper::Other);
        learned
            .attributes
            .push(NeighbourAttribute::Protocol(PROTOCOL));
        assert_eq!(read(&learned).keeper, Keeper::Ours);
        assert!(!read(&learned).managed);
        learned
            .attributes
            .push(NeighbourAttribute::ExtFlags(NeighbourExtFlags::Managed));
        assert!(read(&learned).managed);
    }

    #[test]
    fn a_mark_alone_is_left_from_an_entry_handed_back() {
        let mut released = message(NeighbourState::Reachable);
        released
            .attributes
            .push(NeighbourAttribute::Protocol(PROTOCOL));
        assert_eq!(read(&released).keeper, Keeper::Kernel);
    }

    #[test]
    fn bridges_and_proxies_are_no_neighbours() {
        let mut proxy = message(NeighbourState::None);
        proxy.header.flags = NeighbourFlags::Proxy;
        assert_eq!(Neighbour::read(&proxy), None);
        let mut bridge = message(NeighbourState::None);
        bridge.header.family = AddressFamily::Bridge;
        assert_eq!(Neighbour::read(&bridge), None);
    }

    #[test]
    fn failed_lasts_until_it_answers() {
        let failed = read(&message(NeighbourState::Failed));
        let asked = read(&message(NeighbourState::Incomplete));
        let answered = read(&message(NeighbourState::Reachable));
        assert_eq!(asked.after(Some(&failed)).condition, Condition::Failed);
        assert_eq!(asked.after(None).condition, Condition::Resolving);
        assert_eq!(
            answered.after(Some(&failed)).condition,
            Condition::Known(MAC)
        );
    }
}
