//! How an interface is to have the program, and why.

use rlvs_network::Link;
use rlvs_plane::Mode;

use crate::config::{self, Interfaces};

/// A mode with its reason.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Choice {
    pub(crate) mode: Mode,
    pub(crate) reason: String,
    /// If the kernel refuses, tc is to serve.
    pub(crate) or_tc: bool,
}

/// What the configuration asks for; else what suits the device.
///
/// Real network cards run the program in the driver. Virtual devices have it in traffic control:
/// packets that were made on this machine come through them with checksums still to be filled in
/// and larger than any frame, which XDP would forward so.
pub(crate) fn choose(interfaces: &Interfaces, link: &Link) -> Choice {
    let asked = match interfaces.mode_of(&link.name) {
        config::Mode::Native => Mode::Native,
        config::Mode::Generic => Mode::Generic,
        config::Mode::Tc => Mode::Tc,
        config::Mode::Auto => return suit(link),
    };
    Choice {
        mode: asked,
        reason: "asked for in rlvs.toml".to_owned(),
        or_tc: false,
    }
}

fn suit(link: &Link) -> Choice {
    match link.kind.as_deref() {
        // Hands the program to the drivers of its ports.
        None | Some("bond") => Choice {
            mode: Mode::Native,
            reason: "the driver runs XDP".to_owned(),
            or_tc: true,
        },
        Some(kind) => Choice {
            mode: Mode::Tc,
            reason: format!("a {kind} carries unfinished checksums"),
            or_tc: false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(kind: Option<&str>) -> Link {
        Link {
            index: 2,
            name: "eth0".into(),
            up: true,
            loopback: false,
            ethernet: true,
            mtu: 1500,
            address: [2, 0, 0, 0, 0, 1],
            kind: kind.map(str::to_owned),
        }
    }

    #[test]
    fn devices_have_what_suits_them() {
        let suits = |kind| {
            let choice = choose(&Interfaces::default(), &link(kind));
            (choice.mode, choice.or_tc)
        };
        assert_eq!(suits(None), (Mode::Native, true));
        assert_eq!(suits(Some("bond")), (Mode::Native, true));
        for kind in ["veth", "bridge", "macvlan", "tun", "vlan"] {
            assert_eq!(suits(Some(kind)), (Mode::Tc, false), "{kind}");
        }
    }

    #[test]
    fn the_configuration_comes_first_and_alone() {
        for (asked, mode) in [
            (config::Mode::Native, Mode::Native),
            (config::Mode::Generic, Mode::Generic),
            (config::Mode::Tc, Mode::Tc),
        ] {
            let interfaces = Interfaces {
                modes: [("eth0".to_owned(), asked)].into(),
                ..Interfaces::default()
            };
            let expected = Choice {
                mode,
                reason: "asked for in rlvs.toml".into(),
                or_tc: false,
            };
            assert_eq!(choose(&interfaces, &link(Some("veth"))), expected);
        }
    }
}
