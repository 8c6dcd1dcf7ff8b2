//! Which virtual services a virtual server is.

use rlvs_control::model::Family;
use rlvs_control::{ForwardingMethod, Protocol, ServiceKey};

use super::super::super::notes::Notes;
use super::super::Group;
use super::super::virtual_server::{KeyDraft, VirtualDraft};
use super::say;

/// All keys, in the order of the group; none if there is something wrong with them, which is said.
pub(super) fn keys(
    draft: &VirtualDraft,
    groups: &[Group],
    notes: &mut Notes,
) -> Option<Vec<ServiceKey>> {
    match &draft.key {
        KeyDraft::Address(address, port) => {
            let protocol = protocol(draft, notes);
            let (address, port) = (*address, *port);
            Some(vec![ServiceKey::Address {
                protocol,
                address,
                port,
            }])
        }
        KeyDraft::Mark(mark) => {
            let (family, mark) = (family(draft), *mark);
            Some(vec![ServiceKey::Mark { family, mark }])
        }
        KeyDraft::Group(name) => {
            let group = groups.iter().find(|group| group.name == *name);
            match group {
                Some(group) => of_group(draft, group, notes),
                None => {
                    let message =
                        format!("there is no virtual_server_group `{name}`; it is left out");
                    say(notes, draft.place, &message);
                    None
                }
            }
        }
    }
}

fn of_group(draft: &VirtualDraft, group: &Group, notes: &mut Notes) -> Option<Vec<ServiceKey>> {
    let mut keys = Vec::with_capacity(group.addresses.len() + group.marks.len());
    if !group.addresses.is_empty() {
        let protocol = protocol(draft, notes);
        keys.extend(
            group
                .addresses
                .iter()
                .map(|&(address, port)| ServiceKey::Address {
                    protocol,
                    address,
                    port,
                }),
        );
    }
    let usual = match group.addresses.first() {
        Some((address, _)) if address.is_ipv6() => Family::Ipv6,
        Some(_) => Family::Ipv4,
        None => family(draft),
    };
    keys.extend(group.marks.iter().map(|&(mark, family)| ServiceKey::Mark {
        family: family.unwrap_or(usual),
        mark,
    }));
    if keys.is_empty() {
        let message = format!("the group `{}` is empty; it is left out", group.name);
        say(notes, draft.place, &message);
        return None;
    }
    Some(keys)
}

/// keepalived takes UDP where none is named.
fn protocol(draft: &VirtualDraft, notes: &mut Notes) -> Protocol {
    draft.protocol.unwrap_or_else(|| {
        say(
            notes,
            draft.place,
            "no `protocol` is named: as in keepalived, it is UDP",
        );
        Protocol::Udp
    })
}

/// Of a mark: what is named, what the mask is for, or what real servers are.
fn family(draft: &VirtualDraft) -> Family {
    let tunnelled = |method: Option<ForwardingMethod>| {
        matches!(method.unwrap_or(draft.method), ForwardingMethod::Tunnel(_))
    };
    let real = draft.real.iter().find(|real| !tunnelled(real.method));
    let same = draft.real.first().filter(|first| {
        let version = first.address.is_ipv6();
        draft
            .real
            .iter()
            .all(|real| real.address.is_ipv6() == version)
    });
    let of_real = real.or(same).map(|real| match real.address.is_ipv6() {
        true => Family::Ipv6,
        false => Family::Ipv4,
    });
    let of_mask = match (draft.netmask, draft.prefix_length) {
        (Some(_), _) => Some(Family::Ipv4),
        (None, Some(_)) => Some(Family::Ipv6),
        (None, None) => None,
    };
    let named = draft.family.or(of_mask);
    named.or(of_real).unwrap_or(Family::Ipv4)
}
