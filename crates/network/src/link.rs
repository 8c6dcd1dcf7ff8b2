//! Links: the network interfaces of this namespace.

use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVlan, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage,
    VlanProtocol,
};

use crate::Features;

/// A network interface.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
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
    /// The link that it is a port of.
    pub master: Option<u32>,
    /// The link below it, or at its other end, in this namespace.
    pub below: Option<u32>,
    /// What the device does for the stack.
    pub features: Features,
    pub vlan: Option<Vlan>,
}

/// What a VLAN interface is made of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Vlan {
    /// Index of the interface that it is on.
    pub on: u32,
    /// The tag's ethertype and the VLAN's number.
    pub tag: (u16, u16),
}

impl Link {
    /// What of a page is left for a packet, less the room before and after it, an Ethernet header
    /// and two tags: with XDP, drivers take more in several pieces, if at all.
    pub const ONE_PIECE: u32 = 4096 - 256 - 320 - 14 - 8;

    /// Whether the device does this for the stack, by the kernel's name.
    pub fn has(&self, feature: &str) -> bool {
        self.features.active.contains(feature)
    }

    /// Reads a link from the kernel's message; none where the message has no name in it, as
    /// those about one aspect of a link.
    pub(crate) fn read(message: &LinkMessage) -> Option<Self> {
        let flags = message.header.flags;
        let mut link = Self {
            index: message.header.index,
            up: flags.contains(LinkFlags::Up | LinkFlags::LowerUp),
            loopback: flags.contains(LinkFlags::Loopback),
            ethernet: message.header.link_layer_type == LinkLayerType::Ether,
            vlan: vlan(&message.attributes),
            ..Self::default()
        };
        message
            .attributes
            .iter()
            .for_each(|attribute| link.take(attribute));
        let elsewhere = |it: &LinkAttribute| matches!(it, LinkAttribute::LinkNetNsId(_));
        if message.attributes.iter().any(elsewhere) {
            link.below = None;
        }
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
            LinkAttribute::Controller(index) => self.master = Some(*index),
            LinkAttribute::Link(index) => self.below = Some(*index),
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

/// One whose lower interface is in another namespace has none here.
fn vlan(attributes: &[LinkAttribute]) -> Option<Vlan> {
    let is_elsewhere =
        |attribute: &LinkAttribute| matches!(attribute, LinkAttribute::LinkNetNsId(_));
    if attributes.iter().any(is_elsewhere) {
        return None;
    }
    let on = attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::Link(index) => Some(*index),
        _ => None,
    })?;
    let data = attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::LinkInfo(infos) => infos.iter().find_map(|info| match info {
            LinkInfo::Data(InfoData::Vlan(data)) => Some(data),
            _ => None,
        }),
        _ => None,
    })?;
    let number = data.iter().find_map(|info| match info {
        InfoVlan::Id(number) => Some(*number),
        _ => None,
    })?;
    let protocol = data.iter().find_map(|info| match info {
        InfoVlan::Protocol(protocol) => Some(u16::from(*protocol)),
        _ => None,
    });
    let tag = (protocol.unwrap_or(VlanProtocol::Ieee8021Q.into()), number);
    Some(Vlan { on, tag })
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
                LinkAttribute::Link(9),
                LinkAttribute::LinkNetNsId(0),
                LinkAttribute::Controller(3),
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
                master: Some(3),
                below: None,
                features: Features::default(),
                vlan: None,
            }
        );
    }

    #[test]
    fn reads_a_vlan() {
        let data = InfoData::Vlan(vec![
            InfoVlan::Protocol(VlanProtocol::Ieee8021Ad),
            InfoVlan::Id(20),
        ]);
        let mut attributes = vec![
            LinkAttribute::IfName("eth0.20".into()),
            LinkAttribute::Link(2),
            LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Vlan), LinkInfo::Data(data)]),
        ];
        let read = |attributes: &[LinkAttribute]| {
            Link::read(&message(LinkFlags::Up, attributes.to_vec())).unwrap()
        };
        let (on, tag) = (2, (0x88a8, 20));
        assert_eq!(read(&attributes).vlan, Some(Vlan { on, tag }));
        attributes.push(LinkAttribute::LinkNetNsId(1));
        assert_eq!(read(&attributes).vlan, None);
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
