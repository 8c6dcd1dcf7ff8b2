//! Links: the network interfaces of this namespace.

use netlink_packet_route::link::{
    InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage,
};

/// A network interface.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Link {
    pub index: u32,
    pub name: String,
    /// Set up by the administrator, and with a carrier.
    pub up: bool,
    pub loopback: bool,
    /// Its frames have Ethernet headers.
    pub ethernet: bool,
    pub mtu: u32,
    /// The MAC address; zeros where the link has none of that length.
    pub address: [u8; 6],
    /// What kind of virtual device it is (veth, bridge, bond, vlan...); none for a real one.
    pub kind: Option<String>,
}

impl Link {
    /// Reads a link from the kernel's message; none where the message has no name in it, as
    /// those about one aspect of a link.
    pub(crate) fn read(message: &LinkMessage) -> Option<Self> {
        let flags = message.header.flags;
        let mut link = Self {
            index: message.header.index,
            name: String::new(),
            up: flags.contains(LinkFlags::Up | LinkFlags::LowerUp),
            loopback: flags.contains(LinkFlags::Loopback),
            ethernet: message.header.link_layer_type == LinkLayerType::Ether,
            mtu: 0,
            address: [0; 6],
            kind: None,
        };
        message
            .attributes
            .iter()
            .for_each(|attribute| link.take(attribute));
        (!link.name.is_empty()).then_some(link)
    }

    fn take(&mut self, attribute: &LinkAttribute) {
        match attribute {
            LinkAttribute::IfName(name) => self.name.clone_from(name),
            LinkAttribute::Mtu(mtu) => self.mtu = *mtu,
            LinkAttribute::Address(address) => {
                self.address = address.as_slice().try_into().unwrap_or_default();
            }
            LinkAttribute::LinkInfo(infos) => self.kind = kind(infos),
            _ => {}
        }
    }
}

fn kind(infos: &[LinkInfo]) -> Option<String> {
    infos.iter().find_map(|info| match info {
        LinkInfo::Kind(kind) => Some(InfoKind::to_string(kind)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(flags: LinkFlags, attributes: Vec<LinkAttribute>) -> LinkMessage {
        let mut message = LinkMessage::default();
        message.header.index = 7;
        message.header.flags = flags;
        message.header.link_layer_type = LinkLayerType::Ether;
        message.attributes = attributes;
        message
    }

    #[test]
    fn reads_a_veth() {
        let link = Link::read(&message(
            LinkFlags::Up | LinkFlags::LowerUp,
            vec![
                LinkAttribute::IfName("eth0".into()),
                LinkAttribute::Mtu(1500),
                LinkAttribute::Address(vec![2, 0, 0, 0, 0, 1]),
                LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Veth)]),
            ],
        ))
        .unwrap();
        assert_eq!(
            link,
            Link {
                index: 7,
                name: "eth0".into(),
                up: true,
                loopback: false,
                ethernet: true,
                mtu: 1500,
                address: [2, 0, 0, 0, 0, 1],
                kind: Some("veth".into()),
            }
        );
    }

    #[test]
    fn up_needs_the_administrator_and_a_carrier() {
        let named = vec![LinkAttribute::IfName("eth0".into())];
        for flags in [LinkFlags::Up, LinkFlags::LowerUp, LinkFlags::empty()] {
            assert!(!Link::read(&message(flags, named.clone())).unwrap().up);
        }
    }

    #[test]
    fn a_message_without_a_name_is_no_link() {
        assert_eq!(Link::read(&message(LinkFlags::Up, vec![])), None);
    }

    #[test]
    fn other_lengths_of_address_are_no_mac() {
        let link = Link::read(&message(
            LinkFlags::Up,
            vec![
                LinkAttribute::IfName("ib0".into()),
                LinkAttribute::Address(vec![1; 20]),
            ],
        ))
        .unwrap();
        assert_eq!(link.address, [0; 6]);
    }
}
