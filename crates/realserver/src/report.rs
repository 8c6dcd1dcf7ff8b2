//! Whether all is as it should be, setting by setting.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use rlvs_arrival::{Count, Told};
use serde::Serialize;

use rlvs_host::address::{Interface, whole};

use crate::Wanted;
use crate::plan::{is_right, required};
use crate::present::{LOOPBACK, Name, Present, Setting};
use crate::saved::Saved;

/// The state of a real server.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Report {
    /// All checks are right.
    pub right: bool,
    pub checks: Vec<Check>,
    /// What is not wrong in itself but may be in this network.
    pub hints: Vec<String>,
    /// What became of packets in tunnels, if any end here.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tunnels: BTreeMap<&'static str, u64>,
    /// What was heard of the clients of connections that directors opened, if anyone is told.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub clients: BTreeMap<&'static str, u64>,
}

/// What programs are seen to do.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The interfaces it is on, by index, and how.
    pub(crate) attached: BTreeMap<u32, &'static str>,
    pub(crate) counts: Vec<(Count, u64)>,
    /// Processes are told of clients.
    pub(crate) tells: bool,
    pub(crate) told: Vec<(Told, u64)>,
}

/// One setting.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Check {
    pub setting: String,
    pub present: String,
    pub wanted: String,
    pub right: bool,
    /// The commands that mend it, where it is wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mend: Vec<String>,
}

pub(crate) fn report(present: &Present, wanted: &Wanted, saved: &Saved, seen: &Seen) -> Report {
    let mut checks = vec![loopback(present)];
    let required = required(present, wanted);
    checks.extend(
        required
            .iter()
            .map(|(setting, value)| check(present, setting, *value)),
    );
    if wanted.vips.iter().any(IpAddr::is_ipv6) {
        checks.push(ipv6(present));
    }
    // Last, as in `up`: who mends from top to bottom never answers for a VIP in between.
    checks.extend(wanted.vips.iter().map(|vip| place(present, *vip)));
    checks.extend(attachments(present, saved, seen));
    checks.extend(teller(saved, seen));
    Report {
        right: checks.iter().all(|check| check.right),
        checks,
        hints: hints(present, wanted),
        tunnels: named(&seen.counts, Count::name),
        clients: named(&seen.told, Told::name),
    }
}

fn named<T: Copy>(
    counts: &[(T, u64)],
    name: impl Fn(T) -> &'static str,
) -> BTreeMap<&'static str, u64> {
    let named = counts.iter().map(|(count, value)| (name(*count), *value));
    named.collect()
}

impl fmt::Display for Report {
    /// A table, the commands that mend what is wrong, and the hints.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = |check: &Check| (check.setting.len(), check.present.len());
        let (first, second) = self.checks.iter().map(columns).fold((7, 7), |wide, next| {
            (wide.0.max(next.0), wide.1.max(next.1))
        });
        writeln!(
            f,
            "       {:first$}  {:second$}  WANTED",
            "SETTING", "PRESENT"
        )?;
        for Check {
            setting,
            present,
            wanted,
            right,
            ..
        } in &self.checks
        {
            let verdict = if *right { "ok" } else { "WRONG" };
            writeln!(
                f,
                "{verdict:5}  {setting:first$}  {present:second$}  {wanted}"
            )?;
        }
        for (check, command) in self.commands() {
            writeln!(f, "to mend {}: {command}", check.setting)?;
        }
        self.hints
            .iter()
            .try_for_each(|hint| writeln!(f, "hint: {hint}"))?;
        self.tunnel_counts().try_for_each(|(name, value)| {
            writeln!(f, "packets in tunnels, {}: {value}", name.replace('_', " "))
        })?;
        self.client_counts()
            .try_for_each(|(name, value)| writeln!(f, "connections, client {name}: {value}"))
    }
}

impl Report {
    /// In the order of the packet path; those that are 0 say nothing, but the first.
    fn tunnel_counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        telling(&self.tunnels, Count::ALL.iter().map(|count| count.name()))
    }

    fn client_counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        telling(&self.clients, Told::ALL.iter().map(|told| told.name()))
    }

    fn commands(&self) -> impl Iterator<Item = (&Check, &String)> {
        self.checks
            .iter()
            .flat_map(|check| check.mend.iter().map(move |command| (check, command)))
    }
}

impl Check {
    fn new(setting: impl Into<String>, present: impl Into<String>, wanted: &str) -> Self {
        let (setting, present) = (setting.into(), present.into());
        let right = present == wanted;
        Self {
            setting,
            present,
            wanted: wanted.into(),
            right,
            mend: Vec::new(),
        }
    }

    fn or_mend(mut self, commands: impl IntoIterator<Item = String>) -> Self {
        if !self.right {
            self.mend.extend(commands);
        }
        self
    }
}

fn telling(
    counts: &BTreeMap<&'static str, u64>,
    names: impl Iterator<Item = &'static str>,
) -> impl Iterator<Item = (&'static str, u64)> {
    let known = names.filter_map(|name| Some((name, *counts.get(name)?)));
    known
        .enumerate()
        .filter(|(number, (_, value))| *number == 0 || *value > 0)
        .map(|(_, count)| count)
}

/// Processes are told of clients.
fn teller(saved: &Saved, seen: &Seen) -> Option<Check> {
    let wanted = format!("told from {}", saved.directors);
    let found = if seen.tells {
        wanted.as_str()
    } else {
        "not told"
    };
    let check = Check::new("client address", found, &wanted).or_mend([mend(saved)]);
    saved.client_address.then_some(check)
}

/// The tunnels that end here, on each interface that packets may come in by.
fn attachments(present: &Present, saved: &Saved, seen: &Seen) -> Vec<Check> {
    let Some(tunnels) = &saved.tunnels else {
        return Vec::new();
    };
    let wanted = format!("{tunnels} from {}", saved.directors);
    let interfaces = present.tunnelled(saved.interface.as_deref());
    let check = |interface: &Interface| {
        let attached = seen.attached.get(&interface.index);
        let found = attached.map_or("none", |_| &wanted);
        Check::new(format!("tunnels {}", interface.name), found, &wanted).or_mend([mend(saved)])
    };
    interfaces.map(check).collect()
}

/// `up` for any of those that are up puts all else right as well.
fn mend(saved: &Saved) -> String {
    let vip = saved.vips.first();
    let vip = vip.map_or("ADDRESS".into(), IpAddr::to_string);
    format!("rlvs realserver up --vip {vip}")
}

fn loopback(present: &Present) -> Check {
    let up = present
        .interface(LOOPBACK)
        .is_some_and(|loopback| loopback.up);
    let found = if up { "up" } else { "down" };
    Check::new("link lo", found, "up").or_mend(["ip link set lo up".into()])
}

fn ipv6(present: &Present) -> Check {
    let found = if present.ipv6_off { "1" } else { "0" };
    let setting = "net.ipv6.conf.lo.disable_ipv6";
    Check::new(setting, found, "0").or_mend([format!("sysctl -w {setting}=0")])
}

fn place(present: &Present, vip: IpAddr) -> Check {
    let wanted = format!("{LOOPBACK}/{}", whole(vip));
    let found = present.place(vip);
    let shown = found.map(|(interface, prefix)| format!("{}/{prefix}", interface.name));
    let remove = found
        .map(|(interface, prefix)| format!("ip address del {vip}/{prefix} dev {}", interface.name));
    let add = format!("ip address add {vip}/{} dev {LOOPBACK}", whole(vip));
    let check = Check::new(
        format!("address {vip}"),
        shown.unwrap_or("none".into()),
        &wanted,
    );
    check.or_mend(remove.into_iter().chain([add]))
}

fn check(present: &Present, setting: &Setting, value: u32) -> Check {
    let found = present.setting(&setting.interface, setting.name);
    let mut check = Check::new(setting.to_string(), found.to_string(), &value.to_string());
    check.right = is_right(setting, found);
    check.or_mend([setting.command(value)])
}

/// Strict reverse-path filtering matters where replies leave by another interface than requests
/// come in by; with only one interface they cannot.
fn hints(present: &Present, wanted: &Wanted) -> Vec<String> {
    let several = present.segments(None).filter(|segment| segment.up).count() > 1;
    if !several || !wanted.vips.iter().any(IpAddr::is_ipv4) {
        return Vec::new();
    }
    let all = present.setting("all", Name::RpFilter);
    let strict = present
        .segments(wanted.interface.as_deref())
        .filter(|segment| {
            segment.up && all.max(present.setting(&segment.name, Name::RpFilter)) == 1
        });
    strict.map(|segment| strict_hint(&segment.name)).collect()
}

fn strict_hint(interface: &str) -> String {
    let command = Setting::new(interface, Name::RpFilter).command(2);
    format!(
        "rp_filter is strict on {interface}: requests that come in there are dropped where the \
         reply to the client leaves by another interface; if that is so: {command}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn present(vip: Option<(&str, &str, u8)>, arp_ignore: u32) -> Present {
        let mut interfaces = vec![
            interface(1, "lo"),
            interface(2, "eth0"),
            interface(3, "eth1"),
        ];
        if let Some((place, address, prefix)) = vip {
            let found = interfaces
                .iter_mut()
                .find(|interface| interface.name == place)
                .unwrap();
            found.addresses.push((address.parse().unwrap(), prefix));
        }
        let mut settings = std::collections::BTreeMap::new();
        for place in ["all", "lo"] {
            settings.insert(Setting::new(place, Name::ArpIgnore), arp_ignore);
            settings.insert(Setting::new(place, Name::ArpAnnounce), 2);
        }
        Present {
            interfaces,
            settings,
            ipv6_off: false,
        }
    }

    fn interface(index: u32, name: &str) -> Interface {
        Interface {
            index,
            name: name.into(),
            up: true,
            running: true,
            ethernet: name != "lo",
            mac: None,
            addresses: Vec::new(),
            tentative: Vec::new(),
        }
    }

    fn wanted() -> Wanted {
        Wanted {
            vips: ["192.0.2.100".parse().unwrap()].into(),
            ..Wanted::default()
        }
    }

    fn plain(present: &Present) -> Report {
        report(present, &wanted(), &Saved::default(), &Seen::default())
    }

    #[test]
    fn all_right() {
        let report = plain(&present(Some(("lo", "192.0.2.100", 32)), 1));
        assert!(report.right, "{report}");
        assert!(report.hints.is_empty());
        assert!(!report.to_string().contains("WRONG"));
    }

    #[test]
    fn each_wrong_setting_is_named_with_its_command() {
        let report = plain(&present(None, 0));
        assert!(!report.right);
        let text = report.to_string();
        assert!(text.contains("WRONG  address 192.0.2.100"), "{text}");
        assert!(
            text.contains(": ip address add 192.0.2.100/32 dev lo"),
            "{text}"
        );
        assert!(
            text.contains("WRONG  net.ipv4.conf.all.arp_ignore"),
            "{text}"
        );
        assert!(
            text.contains(": sysctl -w net.ipv4.conf.all.arp_ignore=1"),
            "{text}"
        );
        assert!(
            text.contains("ok     net.ipv4.conf.all.arp_announce"),
            "{text}"
        );
    }

    #[test]
    fn a_vip_also_on_the_segment_is_wrong() {
        let mut present = present(Some(("lo", "192.0.2.100", 32)), 1);
        present.interfaces[1]
            .addresses
            .push(("192.0.2.100".parse().unwrap(), 24));
        let text = plain(&present).to_string();
        assert!(
            text.contains("ip address del 192.0.2.100/24 dev eth0"),
            "{text}"
        );
    }

    #[test]
    fn strict_reverse_path_filtering_is_hinted_at() {
        let mut present = present(Some(("lo", "192.0.2.100", 32)), 1);
        present
            .settings
            .insert(Setting::new("eth1", Name::RpFilter), 1);
        let report = plain(&present);
        assert!(report.right);
        assert_eq!(report.hints.len(), 1);
        assert!(report.hints[0].contains("net.ipv4.conf.eth1.rp_filter=2"));
    }
}
