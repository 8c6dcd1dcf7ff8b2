//! How an interface is to have the program, and why.

use std::fmt;

use rlvs_config::settings::{self, Interfaces};
use rlvs_network::{Link, features};
use rlvs_plane::Mode;

/// A mode with its reason.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Choice {
    pub(crate) mode: Mode,
    pub(crate) reason: String,
    /// If the kernel refuses, tc is to serve.
    pub(crate) or_tc: bool,
}

/// What the configuration asks for; else what suits the device. Or why the program must not be
/// there.
///
/// Real network cards run the program in the driver. Virtual devices have it in traffic control:
/// packets that were made on this machine come through them with checksums still to be filled in
/// and larger than any frame, which XDP would forward so.
pub(crate) fn choose(
    interfaces: &Interfaces,
    link: &Link,
    links: &[Link],
    redirects_pieces: bool,
) -> Result<Choice, String> {
    if link.loopback {
        return Ok(tc("for connections of this host itself".to_owned()));
    }
    let choice = match interfaces.mode_of(&link.name) {
        settings::Mode::Native => asked(Mode::Native),
        settings::Mode::Generic => asked(Mode::Generic),
        settings::Mode::Tc => asked(Mode::Tc),
        settings::Mode::Auto => suit(link, redirects_pieces),
    };
    // For generic XDP the kernel turns it off itself.
    if choice.mode != Mode::Generic && link.has(features::LRO) {
        return Err(format!(
            "large receive offload joins packets, which cannot be forwarded then: {}",
            Off(link, features::LRO, "lro")
        ));
    }
    if choice.mode != Mode::Tc && link.has(features::VLAN_STRIPPING) && has_vlans(link, links) {
        return Ok(tc(format!(
            "it has VLANs, and XDP sees no tags: {}",
            Off(link, features::VLAN_STRIPPING, "rxvlan")
        )));
    }
    Ok(choice)
}

/// The interface that gets this one's packets, if it is a part of it.
pub(crate) fn whole<'a>(link: &Link, links: &'a [Link]) -> Option<&'a Link> {
    let master = links
        .iter()
        .find(|other| Some(other.index) == link.master)?;
    // What comes in for a VRF is still the interface's own.
    (master.kind.as_deref() != Some("vrf")).then_some(master)
}

fn asked(mode: Mode) -> Choice {
    Choice {
        mode,
        reason: "asked for in rlvs.toml".to_owned(),
        or_tc: false,
    }
}

fn suit(link: &Link, redirects_pieces: bool) -> Choice {
    match link.kind.as_deref() {
        None | Some("bond") if link.mtu > Link::ONE_PIECE && !redirects_pieces => tc(format!(
            "with an MTU of {} frames lie in pieces, which XDP of this kernel does not redirect",
            link.mtu
        )),
        // A bond hands the program to the drivers of its ports.
        None | Some("bond") => Choice {
            mode: Mode::Native,
            reason: "the driver runs XDP".to_owned(),
            or_tc: true,
        },
        Some(kind) => tc(format!("a {kind} carries unfinished checksums")),
    }
}

fn tc(reason: String) -> Choice {
    Choice {
        mode: Mode::Tc,
        reason,
        or_tc: false,
    }
}

fn has_vlans(link: &Link, links: &[Link]) -> bool {
    let mut above = links.iter().filter(|other| other.below == Some(link.index));
    above.any(|other| other.kind.as_deref() == Some("vlan"))
}

/// How a feature, which has another name there, is turned off.
struct Off<'a>(&'a Link, &'static str, &'static str);

impl fmt::Display for Off<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(link, feature, option) = self;
        if link.features.fixed.contains(*feature) {
            return write!(f, "the driver keeps {option} on");
        }
        write!(f, "ethtool -K {} {option} off", link.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(kind: Option<&str>) -> Link {
        Link {
            index: 2,
            name: "eth0".into(),
            kind: kind.map(str::to_owned),
            ..Link::default()
        }
    }

    fn with(feature: &str) -> Link {
        let mut link = link(None);
        link.features.active.insert(feature.to_owned());
        link
    }

    fn vlan() -> Link {
        Link {
            index: 3,
            name: "eth0.7".into(),
            kind: Some("vlan".into()),
            below: Some(2),
            ..Link::default()
        }
    }

    fn asks_for(mode: settings::Mode) -> Interfaces {
        Interfaces {
            modes: [("eth0".to_owned(), mode)].into(),
            ..Interfaces::default()
        }
    }

    fn chosen(interfaces: &Interfaces, link: &Link, links: &[Link]) -> Choice {
        choose(interfaces, link, links, true).unwrap()
    }

    #[test]
    fn devices_have_what_suits_them() {
        let suits = |kind| {
            let choice = chosen(&Interfaces::default(), &link(kind), &[]);
            (choice.mode, choice.or_tc)
        };
        assert_eq!(suits(None), (Mode::Native, true));
        assert_eq!(suits(Some("bond")), (Mode::Native, true));
        for kind in ["veth", "bridge", "macvlan", "tun", "vlan"] {
            assert_eq!(suits(Some(kind)), (Mode::Tc, false), "{kind}");
        }
    }

    #[test]
    fn loopback_has_no_other_mode() {
        let interfaces = Interfaces {
            mode: settings::Mode::Native,
            ..Interfaces::default()
        };
        let loopback = Link {
            loopback: true,
            ethernet: false,
            ..link(None)
        };
        assert_eq!(
            choose(&interfaces, &loopback, &[], true).unwrap().mode,
            Mode::Tc
        );
    }

    #[test]
    fn the_configuration_comes_first_and_alone() {
        for (wish, mode) in [
            (settings::Mode::Native, Mode::Native),
            (settings::Mode::Generic, Mode::Generic),
            (settings::Mode::Tc, Mode::Tc),
        ] {
            let choice = chosen(&asks_for(wish), &link(Some("veth")), &[]);
            assert_eq!(choice, asked(mode));
        }
    }

    #[test]
    fn joined_packets_are_refused_with_the_mend() {
        let mut link = with(features::LRO);
        for wish in [
            settings::Mode::Auto,
            settings::Mode::Native,
            settings::Mode::Tc,
        ] {
            let reason = choose(&asks_for(wish), &link, &[], true).unwrap_err();
            assert!(reason.ends_with(": ethtool -K eth0 lro off"), "{reason}");
        }
        assert!(choose(&asks_for(settings::Mode::Generic), &link, &[], true).is_ok());
        link.features.fixed.insert(features::LRO.to_owned());
        let reason = choose(&Interfaces::default(), &link, &[], true).unwrap_err();
        assert!(reason.ends_with(": the driver keeps lro on"), "{reason}");
    }

    #[test]
    fn jumbo_frames_are_not_for_xdp_of_old_kernels() {
        let mode = |mtu: u32, able: bool| {
            let link = Link { mtu, ..link(None) };
            choose(&Interfaces::default(), &link, &[], able)
                .unwrap()
                .mode
        };
        assert_eq!(mode(9000, true), Mode::Native);
        assert_eq!(mode(9000, false), Mode::Tc);
        assert_eq!(mode(1500, false), Mode::Native);
    }

    #[test]
    fn hidden_tags_want_tc() {
        let stripping = with(features::VLAN_STRIPPING);
        for wish in [settings::Mode::Auto, settings::Mode::Native] {
            let interfaces = asks_for(wish);
            let mode = |link: &Link, links: &[Link]| chosen(&interfaces, link, links).mode;
            assert_eq!(mode(&stripping, &[vlan()]), Mode::Tc);
            assert_eq!(mode(&stripping, &[link(None)]), Mode::Native);
            assert_eq!(mode(&link(None), &[vlan()]), Mode::Native);
        }
        let choice = chosen(&Interfaces::default(), &stripping, &[vlan()]);
        assert!(choice.reason.ends_with("ethtool -K eth0 rxvlan off"));
    }

    #[test]
    fn ports_are_parts_but_not_of_a_vrf() {
        let port = Link {
            master: Some(9),
            ..link(None)
        };
        let master = |kind: &str| Link {
            index: 9,
            kind: Some(kind.to_owned()),
            ..Link::default()
        };
        assert!(whole(&port, &[master("bridge")]).is_some());
        assert!(whole(&port, &[master("bond")]).is_some());
        assert!(whole(&port, &[master("vrf")]).is_none());
        assert!(whole(&link(None), &[master("bridge")]).is_none());
    }
}
