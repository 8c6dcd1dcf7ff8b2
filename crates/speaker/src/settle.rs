//! What the configuration says, with all defaults: keepalived's.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rlvs_check::spec::Script;
use rlvs_config::Site;
use rlvs_config::model::VirtualServer;
use rlvs_config::model::vrrp::{self, Garp, Track, Vrrp, Watched};
use rlvs_vrrp::packet::Key;
use rlvs_vrrp::spec::{Announcements, Authentication, Family, OldChecksum, Peer, To, Tracked};
use rlvs_vrrp::{GroupSpec, Spec, Version};

use crate::plan::{
    Again, Delay, Group, Init, Instance, Pace, Place, Placement, Plan, Subject, Watch,
    WatchedScript, setting,
};
use interfaces::Interfaces;

mod interfaces;
mod signing;
mod statics;
mod strict;
mod unacted;

/// keepalived's hop limit for peers.
const UNICAST_TTL: u8 = 255;
/// keepalived's default_interface.
const INTERFACE: &str = "eth0";
/// Of interface_up_down_delays, in seconds.
const LONGEST_DELAY: f64 = 255.0;

/// What a configuration comes to.
#[derive(Debug, Default)]
pub struct Settled {
    pub plan: Plan,
    /// What cannot be, each with its place.
    pub problems: Vec<String>,
    /// What is not acted on, or otherwise than it may seem.
    pub notes: Vec<String>,
}

/// What VRRP is to do by a site.
pub fn settle(site: &Site) -> Settled {
    let mut settler = Settler {
        site,
        vrrp: &site.vrrp,
        settled: Settled::default(),
        used: Vec::new(),
    };
    settler.instances();
    settler.statics();
    settler.delays();
    settler.groups();
    settler.watches();
    settler.sync_daemon();
    settler.settled.plan.paces = paces(&site.vrrp);
    settler.settled.plan.logs_unknown = site.vrrp.defaults.log_unknown_vrids;
    unacted::notes(site, &mut settler.settled.notes);
    settler.settled
}

/// What a virtual server goes by where it is tracked.
pub fn name_of(server: &VirtualServer) -> Option<String> {
    let first = || server.keys().next().map(ToString::to_string);
    server.group.clone().or_else(first)
}

struct Settler<'s> {
    site: &'s Site,
    vrrp: &'s Vrrp,
    settled: Settled,
    /// What is watched by someone.
    used: Vec<Subject>,
}

impl Settler<'_> {
    fn problem(&mut self, of: &str, what: impl core::fmt::Display) {
        self.settled.problems.push(format!("{of}: {what}"));
    }

    fn note(&mut self, of: &str, what: impl core::fmt::Display) {
        self.settled.notes.push(format!("{of}: {what}"));
    }

    fn instances(&mut self) {
        for written in &self.vrrp.instance {
            let of = format!("vrrp_instance {}", written.name);
            let Some(instance) = self.instance(written, &of) else {
                continue;
            };
            if let Err(wrong) = instance.spec.check() {
                self.problem(&of, wrong);
                continue;
            }
            self.compare(&instance, &of);
            self.settled.plan.instances.push(instance);
        }
    }

    /// With those before it.
    fn compare(&mut self, instance: &Instance, of: &str) {
        let others = &self.settled.plan.instances;
        if others.iter().any(|it| it.name == instance.name) {
            return self.problem(of, "the name is another instance's, too: give it its own");
        }
        let is_same = |it: &&Instance| {
            let router = |it: &Instance| (it.spec.virtual_router, it.spec.family);
            it.interface == instance.interface && router(it) == router(instance)
        };
        if let Some(other) = others.iter().find(is_same) {
            let (router, name) = (instance.spec.virtual_router, other.name.clone());
            let what = format!("{name} is virtual router {router} of the same interface, too");
            return self.problem(of, format!("{what}: give it its own virtual_router_id"));
        }
        for place in &instance.placement.addresses {
            let address = place.setting.address;
            if self.site.addresses.iter().any(|it| it.ip() == address) {
                let what = "is one of the machine's own addresses, too, which stay: name it once";
                return self.problem(of, format!("{address} {what}"));
            }
        }
    }

    fn instance(&mut self, it: &vrrp::Instance, of: &str) -> Option<Instance> {
        let defaults = &self.vrrp.defaults;
        // By a VRF's device peers are heard on all interfaces that belong to it.
        let by_peers = !it.unicast_peer.is_empty();
        let vrf = it.vrf.as_ref().filter(|_| by_peers);
        let Some(interface) = it.interface.as_ref().or(vrf).cloned() else {
            self.problem(of, "it has no interface: name the one it speaks on");
            return None;
        };
        let Some(router) = it.virtual_router_id else {
            self.problem(
                of,
                "it has no virtual_router_id: give it the others' number",
            );
            return None;
        };
        let family = family(it);
        let (listed, others): (Vec<_>, Vec<_>) = it
            .virtual_ipaddress
            .iter()
            .partition(|address| Family::of(address.ip()) == family);
        if !others.is_empty() {
            self.note(
                of,
                "addresses of the other IP version come and go with it, and are not advertised",
            );
        }
        let mut spec = Spec::new(router, listed.iter().map(|it| it.ip()).collect());
        spec.family = family;
        spec.version = match (it.version.or(defaults.version), family) {
            (Some(3), _) | (_, Family::V6) => Version::V3,
            _ => Version::V2,
        };
        spec.priority = it.priority.unwrap_or(spec.priority);
        spec.begins_as_master = it.state.as_deref() == Some("MASTER");
        spec.interval = it.advert_int.map_or(spec.interval, seconds);
        spec.to = self.to(it, family);
        spec.authentication = self.authentication(it, spec.version, of);
        spec.old_unicast_checksum = match it.old_unicast_checksum.as_deref() {
            Some("never") => OldChecksum::Never,
            Some(_) => OldChecksum::On,
            None => OldChecksum::Auto,
        };
        let strict = it.strict_mode.unwrap_or(defaults.strict);
        spec.accept = it.accept.unwrap_or(!strict);
        let down_timer = it.down_timer_adverts.or(defaults.down_timer_adverts);
        spec.down_timer_adverts = down_timer.unwrap_or(spec.down_timer_adverts);
        let or = |own: Option<bool>, all: bool| own.unwrap_or(all);
        spec.lower_prio_no_advert = or(it.lower_prio_no_advert, defaults.lower_prio_no_advert);
        spec.higher_prio_send_advert =
            or(it.higher_prio_send_advert, defaults.higher_prio_send_advert);
        spec.skip_check_adv_addr = or(it.skip_check_adv_addr, defaults.skip_check_adv_addr);
        spec.startup_delay = defaults.startup_delay.map_or(Duration::ZERO, seconds);
        spec.announcements = announcements(&it.garp, defaults);
        if let Some(hmac) = &it.auth_hmac {
            match signing::signing(hmac, spec.interval) {
                Ok(signing) => spec.signing = Some(signing),
                Err(problem) => self.problem(of, problem),
            }
        }
        if strict && !self.strict(it, &mut spec, of) {
            return None;
        }
        self.preemption(it, &mut spec, of);
        if strict {
            spec.preempt_delay = Duration::ZERO;
        }
        spec.track_primary = !it.dont_track_primary;
        let (mut tracked, track) = self.track(&it.track, of);
        spec.track = track;
        for subject in self.statics_of(&it.name) {
            tracked.push(subject);
            spec.track.push(Tracked::default());
        }
        let mut interfaces = match Interfaces::new(it, &spec, &interface, defaults) {
            Ok(interfaces) => interfaces,
            Err(problem) => {
                self.problem(of, problem);
                return None;
            }
        };
        if let Some(vmac) = interfaces.vmac.as_mut().filter(|_| strict) {
            let xmit_base = it.vmac.as_ref().is_some_and(|it| it.xmit_base);
            if xmit_base && matches!(spec.to, To::Group(_)) {
                vmac.sends = true;
                self.note(of, strict::XMIT_BASE);
            }
        }
        // Who speaks in a VRF, on none of its interfaces, has addresses where keepalived has them.
        let usual = match it.interface {
            Some(_) => interface.clone(),
            None => defaults.interface.clone().unwrap_or(INTERFACE.to_owned()),
        };
        let placement = placement(it, &spec, &usual, &interfaces, defaults);
        Some(Instance {
            name: it.name.clone(),
            source: it.unicast_src_ip.or(it.mcast_src_ip),
            track_source: it.track_src_ip,
            tracked,
            promotes: match it.promote_secondaries {
                true => parents(it, &usual, &placement),
                false => Vec::new(),
            },
            placement: Arc::new(placement),
            vmac: interfaces.vmac,
            address_vmacs: interfaces.address_vmacs,
            ipvlan: interfaces.ipvlan,
            interface,
            spec,
        })
    }

    /// Whether it can be so.
    fn strict(&mut self, it: &vrrp::Instance, spec: &mut Spec, of: &str) -> bool {
        let mut notes = Vec::new();
        let outcome = strict::apply(it, spec, &mut notes);
        for note in notes {
            self.note(of, note);
        }
        match outcome {
            Ok(()) => true,
            Err(problem) => {
                self.problem(of, problem);
                false
            }
        }
    }

    /// What of the machine's own an instance watches.
    fn statics_of(&self, instance: &str) -> Vec<Subject> {
        let groups = self.vrrp.track_group.iter();
        let its = groups.filter(|it| it.group.iter().any(|name| name == instance));
        let mut subjects = Vec::new();
        for written in its {
            let group = statics::group(self.site, &written.name);
            if !group.addresses.is_empty() {
                subjects.push(Subject::StaticAddresses(group.name.clone()));
            }
            if !group.routes.is_empty() || !group.rules.is_empty() {
                subjects.push(Subject::StaticRoutes(group.name));
            }
        }
        subjects
    }

    /// Routes, rules and addresses that are there whoever is master.
    fn statics(&mut self) {
        let vrrp = self.vrrp;
        let plan = &mut self.settled.plan;
        plan.statics = Arc::new(statics::placement(vrrp));
        plan.static_groups = vrrp
            .track_group
            .iter()
            .map(|it| statics::group(self.site, &it.name))
            .collect();
        for group in &vrrp.track_group {
            let of = format!("track_group {}", group.name);
            let is_known = |name: &&String| vrrp.instance.iter().any(|it| it.name == **name);
            if let Some(name) = group.group.iter().find(|name| !is_known(name)) {
                self.problem(&of, format!("there is no vrrp_instance {name}"));
            }
        }
        for name in statics::names(self.site) {
            if vrrp.track_group.iter().all(|it| it.name != name) {
                let what = "no instances watch it: there is no such track_group";
                self.note(&format!("track_group {name}"), what);
            }
        }
    }

    /// Changes of interfaces that count only if they last.
    fn delays(&mut self) {
        let vrrp = self.vrrp;
        for written in &vrrp.interface_delay {
            let of = format!("interface_up_down_delays, {}", written.interface);
            let allowed = 0.0..=LONGEST_DELAY;
            let up = written.up.unwrap_or(written.down);
            if !allowed.contains(&written.down) || !allowed.contains(&up) {
                self.problem(&of, format!("a delay is 0 to {LONGEST_DELAY} seconds"));
                continue;
            }
            let delay = Delay {
                interface: written.interface.clone(),
                down: seconds(written.down),
                up: seconds(up),
            };
            self.compare_delay(&delay, &of);
            self.settled.plan.delays.push(delay);
        }
    }

    /// With how long backups wait.
    fn compare_delay(&mut self, delay: &Delay, of: &str) {
        let instances = self.settled.plan.instances.iter();
        let late = |it: &&Instance| {
            let times = u32::from(it.spec.down_timer_adverts).saturating_sub(1);
            it.interface == delay.interface && delay.down >= it.spec.interval * times
        };
        if let Some(name) = instances.clone().find(late).map(|it| it.name.clone()) {
            let what = "another router takes over before this one says that it cannot be master";
            self.note(
                of,
                format!("it is as long as backups of {name} wait: {what}"),
            );
        }
    }

    /// As keepalived has it, a router that is to begin as master takes over at once.
    fn preemption(&mut self, it: &vrrp::Instance, spec: &mut Spec, of: &str) {
        spec.preempt = it.preempt.unwrap_or(true);
        spec.preempt_delay = it.preempt_delay.map_or(Duration::ZERO, seconds);
        if spec.begins_as_master && (!spec.preempt || !spec.preempt_delay.is_zero()) {
            spec.preempt = true;
            spec.preempt_delay = Duration::ZERO;
            let what = "has no meaning with state MASTER: set state BACKUP";
            self.note(of, format!("nopreempt or preempt_delay {what}"));
        }
    }

    fn to(&self, it: &vrrp::Instance, family: Family) -> To {
        let defaults = &self.vrrp.defaults;
        if it.unicast_peer.is_empty() && !it.unicast_fault_no_peer {
            let usual = match family {
                Family::V4 => defaults.mcast_group4.map(IpAddr::V4),
                Family::V6 => defaults.mcast_group6.map(IpAddr::V6),
            };
            return match it.mcast_dst_ip.or(usual) {
                Some(group) => To::Group(group),
                None => standard_group(family),
            };
        }
        let peer = |peer: &vrrp::Peer| Peer {
            address: peer.address,
            min_ttl: peer.min_ttl.unwrap_or(0),
            max_ttl: peer.max_ttl.unwrap_or(u8::MAX),
        };
        To::Peers {
            peers: it.unicast_peer.iter().map(peer).collect(),
            hop_limit: it.unicast_ttl.unwrap_or(UNICAST_TTL),
            // Nobody else changes what is forwarded.
            check_source: true,
        }
    }

    fn authentication(
        &mut self,
        it: &vrrp::Instance,
        version: Version,
        of: &str,
    ) -> Authentication {
        let Some(written) = &it.authentication else {
            return Authentication::None;
        };
        let Some(pass) = &written.pass else {
            self.note(of, "authentication without auth_pass is none");
            return Authentication::None;
        };
        if version == Version::V3 {
            self.note(of, "version 3 has no authentication: it speaks without");
            return Authentication::None;
        }
        match written.kind.as_deref() {
            Some("AH") => Authentication::Header(Key::new(pass)),
            _ => Authentication::Password(Key::new(pass)),
        }
    }

    /// What is tracked, and what it counts.
    fn track(&mut self, track: &Track, of: &str) -> (Vec<Subject>, Vec<Tracked>) {
        let vrrp = self.vrrp;
        let mut all = Vec::new();
        for one in &track.interface {
            let subject = Subject::Interface(one.name.clone());
            all.push((subject, counts(one, (0, false))));
        }
        for one in &track.script {
            let known = vrrp.script.iter().find(|it| it.name == one.name);
            let usual = known.map(|it| (it.weight, it.reverse));
            self.known(of, one, Subject::Script, usual, &mut all);
        }
        for one in &track.file {
            let known = vrrp.track_file.iter().find(|it| it.name == one.name);
            let usual = known.map(|it| (it.weight, it.reverse));
            self.known(of, one, Subject::File, usual, &mut all);
        }
        for one in &track.process {
            let known = vrrp.track_process.iter().find(|it| it.name == one.name);
            let usual = known.map(|it| (it.weight, it.reverse));
            self.known(of, one, Subject::Process, usual, &mut all);
        }
        for one in &track.service {
            let mut names = self.site.services.iter().filter_map(name_of);
            let usual = names.any(|it| it == one.name).then_some((0, false));
            self.known(of, one, Subject::Service, usual, &mut all);
        }
        self.used.extend(all.iter().map(|(it, _)| it.clone()));
        all.into_iter().unzip()
    }

    fn known(
        &mut self,
        of: &str,
        one: &Watched,
        subject: fn(String) -> Subject,
        usual: Option<(i32, bool)>,
        all: &mut Vec<(Subject, Tracked)>,
    ) {
        let subject = subject(one.name.clone());
        match usual {
            Some(usual) => all.push((subject, counts(one, usual))),
            None => self.problem(of, format!("it tracks {subject}, which there is not")),
        }
    }

    fn groups(&mut self) {
        let mut grouped: HashMap<&str, &str> = HashMap::new();
        for group in &self.vrrp.sync_group {
            let of = format!("vrrp_sync_group {}", group.name);
            let instances = &self.settled.plan.instances;
            let is_known = |name: &&String| instances.iter().any(|it| it.name == **name);
            if let Some(name) = group.group.iter().find(|name| !is_known(name)) {
                self.problem(&of, format!("there is no vrrp_instance {name}"));
                continue;
            }
            for name in &group.group {
                if let Some(other) = grouped.insert(name, &group.name) {
                    let what = format!("{name} is in the group {other} already");
                    self.problem(&of, format!("{what}: it goes with one only"));
                }
            }
            if group.group.is_empty() {
                self.note(&of, "it has no instances");
                continue;
            }
            let (tracked, track) = self.track(&group.track, &of);
            self.settled.plan.groups.push(Group {
                name: group.name.clone(),
                members: group.group.clone(),
                spec: GroupSpec {
                    track,
                    tracking_weight: group.tracking_weight,
                },
                tracked,
            });
        }
    }

    /// What it follows has to be there.
    fn sync_daemon(&mut self) {
        let written = self.vrrp.defaults.sync_daemon.as_ref();
        let Some(name) = written.and_then(|it| it.instance.as_ref()) else {
            return;
        };
        if self.vrrp.instance.iter().all(|it| it.name != *name) {
            let what = format!("there is no vrrp_instance {name}: name the one that it follows");
            self.problem("lvs_sync_daemon", what);
        }
    }

    /// Only what someone tracks is watched.
    fn watches(&mut self) {
        let vrrp = self.vrrp;
        let scripts = vrrp.script.iter().map(|it| Watch::Script(script(it)));
        let files = vrrp.track_file.iter().map(|it| Watch::File {
            name: it.name.clone(),
            path: it.file.clone(),
            init: it.init.map(|number| Init {
                number,
                overwrite: it.overwrite,
            }),
        });
        let processes = vrrp.track_process.iter().cloned().map(Watch::Process);
        let all = scripts.chain(files).chain(processes);
        let used = &self.used;
        let watches = all.filter(|it| used.contains(&it.subject())).collect();
        self.settled.plan.watches = watches;
    }
}

/// Peers decide, then what the addresses are.
fn family(it: &vrrp::Instance) -> Family {
    let peer = it.unicast_peer.first().map(|peer| peer.address);
    let configured = it.unicast_src_ip.or(it.mcast_src_ip).or(it.mcast_dst_ip);
    let first = it.virtual_ipaddress.first().map(|it| it.ip());
    let decides = peer.or(configured).or(first);
    match decides {
        Some(address) => Family::of(address),
        None if it.native_ipv6 => Family::V6,
        None => Family::V4,
    }
}

fn standard_group(family: Family) -> To {
    let any: IpAddr = match family {
        Family::V4 => [0; 4].into(),
        Family::V6 => [0u16; 8].into(),
    };
    Spec::new(1, vec![any]).to
}

fn counts(one: &Watched, (weight, reverse): (i32, bool)) -> Tracked {
    Tracked {
        weight: one.weight.unwrap_or(weight),
        reverse: one.reverse.unwrap_or(reverse),
    }
}

fn announcements(own: &Garp, defaults: &vrrp::Defaults) -> Announcements {
    let usual = match defaults.min_garp {
        true => Announcements::min(),
        false => Announcements::default(),
    };
    let all = &defaults.garp;
    let time = |seconds: u32| Duration::from_secs(seconds.into());
    Announcements {
        master_delay: own
            .master_delay
            .or(all.master_delay)
            .map_or(usual.master_delay, time),
        master_repeat: own
            .master_repeat
            .or(all.master_repeat)
            .unwrap_or(usual.master_repeat),
        lower_prio_delay: own.lower_prio_delay.or(all.lower_prio_delay).map(time),
        lower_prio_repeat: own.lower_prio_repeat.or(all.lower_prio_repeat),
        master_refresh: own
            .master_refresh
            .or(all.master_refresh)
            .map_or(usual.master_refresh, time),
        master_refresh_repeat: own
            .master_refresh_repeat
            .or(all.master_refresh_repeat)
            .unwrap_or(usual.master_refresh_repeat),
    }
}

fn placement(
    it: &vrrp::Instance,
    spec: &Spec,
    interface: &str,
    interfaces: &Interfaces,
    defaults: &vrrp::Defaults,
) -> Placement {
    let place = |address: &rlvs_config::model::VirtualAddress| Place {
        interface: interfaces.place(address, interface),
        setting: setting(address),
    };
    let addresses: Vec<_> = all_addresses(it).map(place).collect();
    Placement {
        again: again(it, interfaces, defaults, &addresses),
        addresses,
        routes: it.virtual_routes.clone(),
        rules: it.virtual_rules.clone(),
        closed: !spec.accepts(),
    }
}

/// `garp_extra_if`: for switches to keep MAC addresses that nothing else is sent from.
fn again(
    it: &vrrp::Instance,
    interfaces: &Interfaces,
    defaults: &vrrp::Defaults,
    addresses: &[Place],
) -> Option<Again> {
    let (written, all) = match it.garp.extra_if {
        Some(_) => (it.garp.extra_if, it.garp.extra_if_all),
        None => (defaults.garp.extra_if, defaults.garp.extra_if_all),
    };
    let every = written.filter(|it| *it > 0)?;
    let of_vmacs = interfaces.address_vmacs.iter().map(|it| it.name.clone());
    let mut names: Vec<_> = match all {
        true => addresses.iter().map(|it| it.interface.clone()).collect(),
        false => of_vmacs.collect(),
    };
    names.sort();
    names.dedup();
    Some(Again {
        every: Duration::from_secs(every.into()),
        interfaces: names,
    })
}

/// Interfaces that addresses of IPv4 are on, or that those are on: only they take others along.
fn parents(it: &vrrp::Instance, interface: &str, placement: &Placement) -> Vec<String> {
    let written = all_addresses(it).zip(&placement.addresses);
    let of_v4 = written.filter(|(address, _)| address.ip().is_ipv4());
    let names = of_v4.flat_map(|(address, place)| {
        let parent = address.interface.clone().unwrap_or(interface.to_owned());
        [parent, place.interface.clone()]
    });
    let mut names: Vec<_> = names.collect();
    names.sort();
    names.dedup();
    names
}

fn all_addresses(it: &vrrp::Instance) -> impl Iterator<Item = &rlvs_config::model::VirtualAddress> {
    let addresses = it.virtual_ipaddress.iter();
    addresses.chain(&it.virtual_ipaddress_excluded)
}

fn script(it: &vrrp::Script) -> WatchedScript {
    let interval = it.interval.map_or(Duration::from_secs(1), seconds);
    WatchedScript {
        name: it.name.clone(),
        script: Script {
            user: it.script.user.clone(),
            group: it.script.group.clone(),
            ..Script::new(it.script.words.iter().cloned())
        },
        interval,
        timeout: it.timeout.map_or(interval, seconds),
        rise: it.rise.unwrap_or(1).max(1),
        fall: it.fall.unwrap_or(1).max(1),
        init_fail: it.init_fail,
    }
}

/// Groups of interfaces first, then all others.
fn paces(vrrp: &Vrrp) -> Vec<Pace> {
    let defaults = &vrrp.defaults;
    let time = |own: Option<f64>, all: Option<f64>| own.or(all).map_or(Duration::ZERO, seconds);
    let of = |garp, gna, interfaces: &[String]| Pace {
        interfaces: interfaces.to_vec(),
        garp: time(garp, defaults.garp_interval),
        gna: time(gna, defaults.gna_interval),
    };
    let groups = vrrp
        .garp_group
        .iter()
        .filter(|it| !it.interfaces.is_empty());
    let groups = groups.map(|it| of(it.garp_interval, it.gna_interval, &it.interfaces));
    groups.chain([of(None, None, &[])]).collect()
}

/// Whole nanoseconds of what was written in decimal: 0.01 is ten milliseconds.
fn seconds(number: f64) -> Duration {
    Duration::from_micros((number * 1e6).round() as u64)
}

#[cfg(test)]
mod tests;
