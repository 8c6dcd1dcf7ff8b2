//! VLAN interfaces, as XDP on the interfaces below has to know them.
//!
//! A VLAN interface has a program of its own, as others have. Where the interface below runs XDP
//! in the driver, that takes its frames first, and it puts the tags on what leaves by it, which
//! XDP cannot redirect to.

use rlvs_engine::vlan::Tags;
use rlvs_network::Link;
use rlvs_plane::VlanInterface;

/// How the program is on an interface.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Below {
    /// It sees the interface's frames as they are on the wire.
    pub(crate) native: bool,
    /// See [`VlanInterface::redirect`].
    pub(crate) redirect: bool,
}

/// All VLAN interfaces that are up and have no more tags than are taken off.
pub(crate) fn vlans(
    links: &[Link],
    wants: impl Fn(&str) -> bool,
    below: impl Fn(u32) -> Below,
) -> Vec<VlanInterface> {
    let of = |link: &Link| {
        let (lower, tags) = chain(links, link)?;
        let Below { native, redirect } = below(lower);
        Some(VlanInterface {
            index: link.index,
            lower,
            tags,
            receives: native && wants(&link.name),
            redirect,
        })
    };
    let up = links.iter().filter(|link| link.up && link.vlan.is_some());
    up.filter_map(of).collect()
}

/// The interface below all tags of a VLAN interface, and these.
fn chain(links: &[Link], link: &Link) -> Option<(u32, Tags)> {
    let by_index = |index| links.iter().find(|link| link.index == index);
    let inner = link.vlan?;
    let on = by_index(inner.on)?;
    match on.vlan {
        None => Some((on.index, Tags::of(&[inner.tag])?)),
        Some(outer) => {
            let base = by_index(outer.on)?;
            let tags = Tags::of(&[outer.tag, inner.tag])?;
            base.vlan.is_none().then_some((base.index, tags))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rlvs_network::Vlan;

    fn link(index: u32, name: &str, vlan: Option<(u32, u16)>) -> Link {
        Link {
            index,
            name: name.to_owned(),
            up: true,
            ethernet: true,
            kind: vlan.map(|_| "vlan".to_owned()),
            vlan: vlan.map(|(on, number)| Vlan {
                on,
                tag: (0x8100, number),
            }),
            ..Link::default()
        }
    }

    fn links() -> Vec<Link> {
        vec![
            link(2, "eth0", None),
            link(3, "eth0.10", Some((2, 10))),
            link(4, "eth0.10.20", Some((3, 20))),
            link(5, "eth0.10.20.30", Some((4, 30))),
            link(6, "eth1.7", Some((99, 7))),
        ]
    }

    fn known(native: bool, redirect: bool) -> Vec<VlanInterface> {
        let below = |_| Below { native, redirect };
        vlans(&links(), |name| name != "eth0.10", below)
    }

    #[test]
    fn tags_are_those_of_all_interfaces_down_to_the_last() {
        let tags: Vec<_> = known(true, false)
            .iter()
            .map(|vlan| (vlan.index, vlan.lower, vlan.tags))
            .collect();
        let one = Tags::of(&[(0x8100, 10)]).unwrap();
        let two = Tags::of(&[(0x8100, 10), (0x8100, 20)]).unwrap();
        // Not three tags, and not one whose lower interface is not here.
        assert_eq!(tags, [(3, 2, one), (4, 2, two)]);
    }

    #[test]
    fn frames_are_taken_where_xdp_sees_them_and_is_wanted() {
        let receives = |native| -> Vec<_> {
            let all = known(native, false);
            all.iter().map(|vlan| vlan.receives).collect()
        };
        assert_eq!(receives(true), [false, true]);
        assert_eq!(receives(false), [false, false]);
        assert!(known(true, true).iter().all(|vlan| vlan.redirect));
    }

    #[test]
    fn one_that_is_down_is_none() {
        let mut links = links();
        links.iter_mut().for_each(|link| link.up = false);
        let below = |_| Below {
            native: true,
            redirect: false,
        };
        assert_eq!(vlans(&links, |_| true, below), []);
    }
}
