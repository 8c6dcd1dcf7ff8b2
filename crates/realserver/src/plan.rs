//! What is to be done, decided over what is there.

use std::collections::BTreeSet;
use std::net::IpAddr;

use rlvs_host::address::whole;

use crate::present::{LOOPBACK, Name, Present, Setting};
use crate::saved::Saved;
use crate::{Error, Wanted};

/// Steps, and what is to be saved before the first and after the last of them.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Plan {
    pub(crate) before: Saved,
    pub(crate) steps: Vec<Step>,
    pub(crate) after: Saved,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    Set(Setting, u32),
    Add(IpAddr),
    Remove(IpAddr),
}

/// Brings the VIPs up. Settings come first: a VIP on `lo` before them would be answered for.
pub(crate) fn up(present: &Present, saved: Saved, wanted: &Wanted) -> Result<Plan, Error> {
    check(present, wanted)?;
    let mut before = saved;
    let mut steps = Vec::new();
    for (setting, value) in required(present, wanted) {
        let found = present.setting(&setting.interface, setting.name);
        if !is_right(&setting, found) {
            before.previous.entry(setting.clone()).or_insert(found);
            steps.push(Step::Set(setting, value));
        }
    }
    before.vips.extend(&wanted.vips);
    take(&mut before, wanted);
    if before.takes_anything() && before.directors.is_empty() {
        return Err(Error::NoDirector);
    }
    let missing = wanted
        .vips
        .iter()
        .filter(|vip| present.place(**vip).is_none());
    steps.extend(missing.copied().map(Step::Add));
    Ok(Plan {
        after: before.clone(),
        before,
        steps,
    })
}

/// What is said now holds; what is not said stays.
fn take(saved: &mut Saved, wanted: &Wanted) {
    if let Some(tunnels) = &wanted.tunnels {
        saved.tunnels = Some(tunnels.clone());
    }
    saved.client_address |= wanted.client_address;
    if let Some(directors) = &wanted.directors {
        saved.directors = directors.clone();
    }
    if wanted.interface.is_some() {
        saved.interface.clone_from(&wanted.interface);
    }
}

/// Takes the VIPs down: those given, or all that are saved. With the last IPv4 one the settings
/// become what they were, except where someone else changed them meanwhile.
pub(crate) fn down(present: &Present, saved: Saved, wanted: &Wanted) -> Plan {
    let vips = if wanted.vips.is_empty() {
        &saved.vips
    } else {
        &wanted.vips
    };
    let on_loopback = |vip: &&IpAddr| {
        let place = present.place(**vip);
        place.is_some_and(|(found, prefix)| found.name == LOOPBACK && prefix == whole(**vip))
    };
    let mut steps: Vec<_> = vips
        .iter()
        .filter(on_loopback)
        .copied()
        .map(Step::Remove)
        .collect();
    let left: BTreeSet<_> = saved.vips.difference(vips).copied().collect();
    let mut after = if left.is_empty() {
        Saved::default()
    } else {
        saved.clone()
    };
    after.vips = left;
    after.previous.clone_from(&saved.previous);
    if !after.vips.iter().any(IpAddr::is_ipv4) {
        steps.extend(restored(present, &saved));
        after.previous.clear();
    }
    Plan {
        before: saved,
        steps,
        after,
    }
}

/// The settings that IPv4 VIPs need, with their values.
pub(crate) fn required(present: &Present, wanted: &Wanted) -> Vec<(Setting, u32)> {
    if !wanted.vips.iter().any(IpAddr::is_ipv4) {
        return Vec::new();
    }
    let mut settings = Vec::new();
    for name in [Name::ArpIgnore, Name::ArpAnnounce] {
        for place in ["all", LOOPBACK] {
            settings.push((Setting::new(place, name), value(name)));
        }
    }
    for segment in present.segments(wanted.interface.as_deref()) {
        let setting = Setting::new(&segment.name, Name::ArpIgnore);
        if !is_right(&setting, present.setting(&segment.name, Name::ArpIgnore)) {
            settings.push((setting, value(Name::ArpIgnore)));
        }
    }
    settings
}

/// Whether a setting does what it should. 2 is a stricter form of `arp_ignore=1`. On an interface
/// facing the director the larger of its own and the value of `all` counts: there, 3 and the
/// reserved values above would undo it.
pub(crate) fn is_right(setting: &Setting, found: u32) -> bool {
    let everywhere = matches!(setting.interface.as_str(), "all" | LOOPBACK);
    match (setting.name, everywhere) {
        (Name::ArpIgnore, true) => matches!(found, 1 | 2),
        (Name::ArpIgnore, false) => !(3..=7).contains(&found),
        (Name::ArpAnnounce, _) => found == 2,
        (Name::RpFilter, _) => true,
    }
}

fn value(name: Name) -> u32 {
    match name {
        Name::ArpAnnounce => 2,
        Name::ArpIgnore | Name::RpFilter => 1,
    }
}

fn restored(present: &Present, saved: &Saved) -> Vec<Step> {
    let is_ours = |setting: &Setting| {
        present
            .settings
            .get(setting)
            .is_some_and(|found| *found == value(setting.name))
    };
    let previous = saved
        .previous
        .iter()
        .filter(|(setting, _)| is_ours(setting));
    previous
        .map(|(setting, value)| Step::Set(setting.clone(), *value))
        .collect()
}

fn check(present: &Present, wanted: &Wanted) -> Result<(), Error> {
    if wanted.vips.is_empty() {
        return Err(Error::NoVip);
    }
    check_interface(present, wanted)?;
    let loopback = present.interface(LOOPBACK);
    if !loopback.is_some_and(|loopback| loopback.up) {
        return Err(Error::LoopbackDown);
    }
    if present.ipv6_off && wanted.vips.iter().any(IpAddr::is_ipv6) {
        return Err(Error::NoIpv6);
    }
    wanted
        .vips
        .iter()
        .try_for_each(|vip| check_vip(present, *vip))
}

/// The interface named must be there.
pub(crate) fn check_interface(present: &Present, wanted: &Wanted) -> Result<(), Error> {
    match &wanted.interface {
        Some(name) if present.interface(name).is_none() => {
            Err(Error::NoSuchInterface(name.clone()))
        }
        _ => Ok(()),
    }
}

fn check_vip(present: &Present, vip: IpAddr) -> Result<(), Error> {
    if vip.is_unspecified() || vip.is_multicast() || vip.is_loopback() || is_link_local(vip) {
        return Err(Error::NotUnicast(vip));
    }
    match present.place(vip) {
        Some((found, prefix)) if found.name != LOOPBACK => Err(Error::OnAnotherInterface {
            vip,
            interface: found.name.clone(),
            prefix,
        }),
        Some((_, prefix)) if prefix != whole(vip) => Err(Error::WiderPrefix { vip, prefix }),
        _ => Ok(()),
    }
}

fn is_link_local(vip: IpAddr) -> bool {
    match vip {
        IpAddr::V4(vip) => vip.is_broadcast(),
        IpAddr::V6(vip) => vip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arrival::{Kind, Tunnels};
    use rlvs_host::address::Interface;

    fn vip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn wanted(vips: &[&str]) -> Wanted {
        Wanted {
            vips: vips.iter().map(|text| vip(text)).collect(),
            ..Wanted::default()
        }
    }

    fn present() -> Present {
        let interface = |index, name: &str, address: &str, prefix| Interface {
            index,
            name: name.into(),
            up: true,
            running: true,
            ethernet: name != "lo",
            mac: None,
            addresses: vec![(vip(address), prefix)],
            tentative: Vec::new(),
        };
        let interfaces = vec![
            interface(1, "lo", "127.0.0.1", 8),
            interface(2, "eth0", "192.0.2.11", 24),
        ];
        Present {
            interfaces,
            ..Present::default()
        }
    }

    fn set(place: &str, name: Name, value: u32) -> Step {
        Step::Set(Setting::new(place, name), value)
    }

    /// What `present` is after `steps`.
    fn after(mut present: Present, steps: &[Step]) -> Present {
        for step in steps {
            let addresses = &mut present.interfaces[0].addresses;
            match step {
                Step::Set(setting, value) => {
                    present.settings.insert(setting.clone(), *value);
                }
                Step::Add(vip) => addresses.push((*vip, whole(*vip))),
                Step::Remove(vip) => addresses.retain(|(address, _)| address != vip),
            }
        }
        present
    }

    #[test]
    fn the_first_vip_brings_settings_first() {
        let plan = up(&present(), Saved::default(), &wanted(&["192.0.2.100"])).unwrap();
        let steps = [
            set("all", Name::ArpIgnore, 1),
            set("lo", Name::ArpIgnore, 1),
            set("all", Name::ArpAnnounce, 2),
            set("lo", Name::ArpAnnounce, 2),
            Step::Add(vip("192.0.2.100")),
        ];
        assert_eq!(plan.steps, steps);
        assert_eq!(plan.before.previous.len(), 4);
        assert!(plan.before.vips.contains(&vip("192.0.2.100")));
        assert_eq!(plan.before, plan.after);
    }

    #[test]
    fn twice_up_does_nothing_and_keeps_what_was_saved() {
        let first = up(&present(), Saved::default(), &wanted(&["192.0.2.100"])).unwrap();
        let present = after(present(), &first.steps);
        let second = up(&present, first.after.clone(), &wanted(&["192.0.2.100"])).unwrap();
        assert_eq!(second.steps, []);
        assert_eq!(second.after, first.after);
    }

    #[test]
    fn settings_are_restored_with_the_last_ipv4_vip() {
        let all = wanted(&["192.0.2.100", "192.0.2.101", "2001:db8::100"]);
        let first = up(&present(), Saved::default(), &all).unwrap();
        let present = after(present(), &first.steps);
        let one = down(&present, first.after, &wanted(&["192.0.2.100"]));
        assert_eq!(one.steps, [Step::Remove(vip("192.0.2.100"))]);
        let present = after(present, &one.steps);
        let two = down(&present, one.after, &wanted(&["192.0.2.101"]));
        assert_eq!(two.steps[0], Step::Remove(vip("192.0.2.101")));
        assert!(two.steps.contains(&set("all", Name::ArpIgnore, 0)));
        assert_eq!(two.steps.len(), 5);
        assert_eq!(
            two.after,
            Saved {
                vips: [vip("2001:db8::100")].into(),
                ..Saved::default()
            }
        );
    }

    #[test]
    fn down_of_all_after_a_crash_restores_what_was_changed_by_then() {
        let first = up(&present(), Saved::default(), &wanted(&["192.0.2.100"])).unwrap();
        let present = after(present(), &first.steps[..2]);
        let plan = down(&present, first.before, &Wanted::default());
        let steps = [
            set("all", Name::ArpIgnore, 0),
            set("lo", Name::ArpIgnore, 0),
        ];
        assert_eq!(plan.steps, steps);
        assert_eq!(plan.after, Saved::default());
    }

    #[test]
    fn what_someone_else_changed_meanwhile_is_not_restored() {
        let first = up(&present(), Saved::default(), &wanted(&["192.0.2.100"])).unwrap();
        let mut present = after(present(), &first.steps);
        present
            .settings
            .insert(Setting::new("all", Name::ArpIgnore), 2);
        let plan = down(&present, first.after, &Wanted::default());
        assert!(!plan.steps.contains(&set("all", Name::ArpIgnore, 0)));
        assert!(plan.steps.contains(&set("lo", Name::ArpIgnore, 0)));
    }

    #[test]
    fn ipv6_needs_only_the_address() {
        let plan = up(&present(), Saved::default(), &wanted(&["2001:db8::100"])).unwrap();
        assert_eq!(plan.steps, [Step::Add(vip("2001:db8::100"))]);
    }

    #[test]
    fn an_interface_that_would_answer_again_is_set() {
        let mut present = present();
        present
            .settings
            .insert(Setting::new("eth0", Name::ArpIgnore), 3);
        let plan = up(&present, Saved::default(), &wanted(&["192.0.2.100"])).unwrap();
        assert!(plan.steps.contains(&set("eth0", Name::ArpIgnore, 1)));
        present
            .settings
            .insert(Setting::new("eth0", Name::ArpIgnore), 8);
        let plan = up(&present, Saved::default(), &wanted(&["192.0.2.100"])).unwrap();
        assert!(!plan.steps.contains(&set("eth0", Name::ArpIgnore, 1)));
    }

    #[test]
    fn tunnels_stay_until_the_last_vip_goes() {
        let mut first = wanted(&["192.0.2.100", "2001:db8::100"]);
        first.tunnels = Some(Tunnels::new([Kind::Ipip], 6080));
        let refused = up(&present(), Saved::default(), &first).unwrap_err();
        assert!(refused.to_string().contains("--from"), "{refused}");
        first.directors = Some("192.0.2.1".parse().unwrap());
        let plan = up(&present(), Saved::default(), &first).unwrap();
        let again = up(&present(), plan.after.clone(), &wanted(&["192.0.2.101"])).unwrap();
        assert_eq!(again.after.tunnels, first.tunnels);
        assert_eq!(Some(&again.after.directors), first.directors.as_ref());
        let most = wanted(&["192.0.2.100", "192.0.2.101"]);
        let most = down(&present(), again.after, &most);
        assert_eq!(most.after.tunnels, first.tunnels);
        let all = down(&present(), most.after, &Wanted::default());
        assert_eq!(all.after, Saved::default());
    }

    #[test]
    fn what_cannot_be_is_refused_with_a_command() {
        let refused = |present: &Present, wanted: &Wanted| {
            up(present, Saved::default(), wanted)
                .unwrap_err()
                .to_string()
        };
        let error = refused(&present(), &wanted(&["192.0.2.11"]));
        assert!(
            error.contains("ip address del 192.0.2.11/24 dev eth0"),
            "{error}"
        );
        let mut wide = present();
        wide.interfaces[0].addresses.push((vip("192.0.2.100"), 24));
        let error = refused(&wide, &wanted(&["192.0.2.100"]));
        assert!(
            error.contains("ip address del 192.0.2.100/24 dev lo"),
            "{error}"
        );
        for wrong in ["127.0.0.2", "224.0.0.1", "0.0.0.0", "fe80::1", "::1"] {
            assert!(refused(&present(), &wanted(&[wrong])).contains("cannot be"));
        }
        let mut named = wanted(&["192.0.2.100"]);
        named.interface = Some("eth7".into());
        assert!(refused(&present(), &named).contains("no interface eth7"));
        let mut without = present();
        without.ipv6_off = true;
        assert!(refused(&without, &wanted(&["2001:db8::1"])).contains("disable_ipv6=0"));
        without.interfaces[0].up = false;
        assert!(refused(&without, &wanted(&["192.0.2.100"])).contains("ip link set lo up"));
    }
}
