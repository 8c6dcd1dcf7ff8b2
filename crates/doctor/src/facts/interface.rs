//! What is known of an interface.

use std::net::IpAddr;

use rlvs_network::Features;

/// An interface.
#[derive(Clone, Debug, Default)]
pub struct Interface {
    pub index: u32,
    pub name: String,
    /// Set up, and with a carrier.
    pub up: bool,
    pub loopback: bool,
    /// Its frames have Ethernet headers.
    pub ethernet: bool,
    pub mtu: u32,
    /// What kind of virtual device it is; none for a real one.
    pub kind: Option<String>,
    /// The driver of a real one.
    pub driver: Option<String>,
    pub addresses: Vec<(IpAddr, u8)>,
    pub features: Features,
    /// The XDP programs on it.
    pub xdp: Vec<Xdp>,
    /// The interface below it, or at the other end.
    pub link: Option<u32>,
    /// That one is in another network namespace.
    pub link_elsewhere: bool,
}

/// An XDP program on an interface.
#[derive(Clone, Debug)]
pub struct Xdp {
    pub mode: XdpMode,
    pub program: u32,
    pub name: Option<String>,
    /// The BPF link that holds it there; none where the interface itself does.
    pub link: Option<u32>,
    /// A director of this namespace put it there.
    pub ours: bool,
}

/// Where an XDP program runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum XdpMode {
    Native,
    Generic,
    Offloaded,
}

impl Interface {
    pub(crate) fn has(&self, feature: &str) -> bool {
        self.features.active.contains(feature)
    }

    pub(crate) fn is(&self, kind: &str) -> bool {
        self.kind.as_deref() == Some(kind)
    }

    /// How the director's program sits on it.
    pub(crate) fn mode(&self) -> Option<XdpMode> {
        let ours = self.xdp.iter().find(|xdp| xdp.ours);
        ours.map(|xdp| xdp.mode)
    }
}
