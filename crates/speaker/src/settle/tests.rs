use std::path::Path;

use rlvs_vrrp::packet::Key;
use rlvs_vrrp::spec::{Authentication, To};
use rlvs_vrrp::{Spec, Version};

use super::*;
use crate::plan::Vmac;

fn settled(text: &str) -> Settled {
    let reading = rlvs_config::written::read(Path::new("site.toml"), text.to_owned());
    let site = reading
        .unwrap_or_else(|it| panic!("{}", it.pictures()))
        .site;
    settle(&site)
}

const ONE: &str = r#"
[[vrrp.instance]]
name = "VI_1"
interface = "eth0"
virtual_router_id = 51
virtual_ipaddress = [{ address = "192.0.2.100/24" }, { address = "2001:db8::100/64" }]
"#;

#[test]
fn what_is_not_said_is_keepaliveds() {
    let settled = settled(ONE);
    assert_eq!(settled.problems, [""; 0]);
    let [instance] = &settled.plan.instances[..] else {
        panic!("one instance");
    };
    let spec = Spec::new(51, vec!["192.0.2.100".parse().unwrap()]);
    assert_eq!(instance.spec, spec);
    // What is not advertised comes and goes with it all the same.
    let places = &instance.placement.addresses;
    let places: Vec<_> = places.iter().map(ToString::to_string).collect();
    assert_eq!(places, ["192.0.2.100/24", "2001:db8::100/64"]);
    assert_eq!(settled.notes.len(), 1, "{:?}", settled.notes);
}

#[test]
fn what_is_said_holds_and_defaults_hold_for_the_rest() {
    let settled = settled(
        r#"
[vrrp.defaults]
version = 3
startup_delay = 0.5
min_garp = true
garp = { master_refresh = 60 }
garp_interval = 0.01

[[vrrp.script]]
name = "ok"
script = "/bin/ok"
weight = -20
interval = 0.25

[[vrrp.garp_group]]
interfaces = ["eth1"]
garp_interval = 0.5

[[vrrp.instance]]
name = "VI_1"
interface = "eth0"
virtual_router_id = 51
priority = 150
advert_int = 0.01
unicast_src_ip = "192.0.2.1"
unicast_peer = [{ address = "192.0.2.2", max_ttl = 64 }]
accept = false
preempt = false
virtual_ipaddress = [{ address = "192.0.2.100/32", interface = "eth1" }]
track = { script = [{ name = "ok" }], interface = [{ name = "eth1", weight = 5 }] }
garp = { master_repeat = 2 }
"#,
    );
    assert_eq!(settled.problems, [""; 0]);
    let instance = &settled.plan.instances[0];
    let spec = &instance.spec;
    assert_eq!((spec.version, spec.priority), (Version::V3, 150));
    assert_eq!(spec.interval, Duration::from_millis(10));
    assert!(!spec.preempt && !spec.accept);
    assert_eq!(spec.startup_delay, Duration::from_millis(500));
    let To::Peers {
        peers,
        check_source,
        ..
    } = &spec.to
    else {
        panic!("peers");
    };
    assert!(*check_source, "nobody else is heard");
    assert_eq!((peers[0].min_ttl, peers[0].max_ttl), (0, 64));
    let subjects = [
        Subject::Interface("eth1".into()),
        Subject::Script("ok".into()),
    ];
    assert_eq!(instance.tracked, subjects);
    let weights: Vec<_> = spec.track.iter().map(|it| it.weight).collect();
    assert_eq!(weights, [5, -20]);
    let announcements = &spec.announcements;
    assert_eq!(announcements.master_delay, Duration::ZERO);
    assert_eq!(announcements.master_repeat, 2);
    assert_eq!(announcements.master_refresh, Duration::from_secs(60));
    assert_eq!(instance.placement.addresses[0].interface, "eth1");
    let paces = settled
        .plan
        .paces
        .iter()
        .map(|it| (it.interfaces.len(), it.garp.as_millis()));
    assert_eq!(paces.collect::<Vec<_>>(), [(1, 500), (0, 10)]);
    let Watch::Script(script) = &settled.plan.watches[0] else {
        panic!("a script");
    };
    assert_eq!(
        (script.timeout, script.rise),
        (Duration::from_millis(250), 1)
    );
}

#[test]
fn authentication_is_version_2s() {
    let with = |words: &str| {
        let settled = settled(&format!("{ONE}{words}"));
        (
            settled.plan.instances[0].spec.authentication,
            settled.notes.len(),
        )
    };
    let key = Key::new("sesame");
    let pass = "authentication = { type = \"PASS\", pass = \"sesame\" }\n";
    let ah = "authentication = { type = \"AH\", pass = \"sesame\" }\n";
    assert_eq!(with(pass), (Authentication::Password(key), 1));
    assert_eq!(with(ah), (Authentication::Header(key), 1));
    assert_eq!(
        with(&format!("version = 3\n{pass}")),
        (Authentication::None, 2)
    );
}

#[test]
fn what_cannot_be_is_named() {
    let rows = [
        (ONE.replace("interface = \"eth0\"\n", ""), "no interface"),
        (
            ONE.replace("virtual_router_id = 51\n", ""),
            "no virtual_router_id",
        ),
        (format!("{ONE}{ONE}"), "the name is another"),
        (
            format!("{ONE}{}", ONE.replace("VI_1", "VI_2")),
            "VI_1 is virtual router 51 of the same interface",
        ),
        (format!("{ONE}advert_int = 0.5\n"), "whole seconds"),
        (
            format!("{ONE}track = {{ script = [{{ name = \"no\" }}] }}\n"),
            "it tracks script no",
        ),
        (
            format!("{ONE}track = {{ service = [{{ name = \"TCP 192.0.2.1:80\" }}] }}\n"),
            "it tracks service TCP 192.0.2.1:80",
        ),
        (
            format!("{ONE}[[vrrp.sync_group]]\nname = \"G\"\ngroup = [\"VI_9\"]\n"),
            "there is no vrrp_instance VI_9",
        ),
        (
            format!(
                "{ONE}[vrrp.defaults]\nsync_daemon = {{ interface = \"eth1\", instance = \"VI_8\" }}\n"
            ),
            "lvs_sync_daemon: there is no vrrp_instance VI_8",
        ),
        (
            format!("{ONE}[vrrp.defaults]\nready_within = -3.0\n"),
            "vrrp.defaults: ready_within = -3 is no time",
        ),
        (
            format!(
                "{ONE}[[vrrp.track_process]]\nname = \"P\"\nprocess = [\"p\"]\nfork_delay = nan\n"
            ),
            "vrrp_track_process P: fork_delay = NaN is no time",
        ),
        (
            format!("[[address]]\naddress = \"192.0.2.100/32\"\n{ONE}"),
            "192.0.2.100 is one of the machine's own",
        ),
    ];
    for (text, expected) in rows {
        let problems = settled(&text).problems;
        assert!(
            problems.len() == 1 && problems[0].contains(expected),
            "{expected}: {problems:?}"
        );
    }
}

#[test]
fn virtual_mac_addresses_have_interfaces() {
    let with = |words: &str| {
        let settled = settled(&format!("{ONE}vmac = {{ adverts = true{words} }}\n"));
        assert_eq!(settled.problems, [""; 0]);
        let instance = settled.plan.instances.into_iter().next().unwrap();
        let places = &instance.placement.addresses;
        let on = places[0].interface.clone();
        (instance.vmac.unwrap(), on)
    };
    let vmac = Vmac {
        name: "vrrp.51".into(),
        parent: "eth0".into(),
        mac: [0, 0, 0x5e, 0, 1, 51],
        v6: false,
        sends: true,
    };
    assert_eq!(with(""), (vmac.clone(), "vrrp.51".into()));
    let other = Vmac {
        name: "web".into(),
        mac: [2, 0, 0, 0, 0, 7],
        sends: false,
        ..vmac
    };
    let words = ", name = \"web\", mac = \"02:00:00:00:00:07\", xmit_base = true";
    assert_eq!(with(words), (other, "web".into()));
    let wrong = settled(&format!("{ONE}vmac = {{ adverts = true, mac = \"x\" }}\n"));
    assert_eq!(
        wrong.problems,
        ["vrrp_instance VI_1: `x` is no MAC address"]
    );
}

#[test]
fn addresses_elsewhere_have_virtual_mac_addresses_where_that_is_wanted() {
    let text = r#"
[vrrp.defaults]
vmac_prefix = "v"
vmac_addr_prefix = "a"

[[vrrp.instance]]
name = "VI_1"
interface = "eth0"
virtual_router_id = 51
vmac = { adverts = true, addresses = true }
garp = { extra_if = 60 }
promote_secondaries = true
virtual_ipaddress = [{ address = "192.0.2.100/24" }, { address = "192.0.3.100/24", interface = "eth1" }]
virtual_ipaddress_excluded = [
    { address = "2001:db8::100/64" }, { address = "2001:db8::101/64" },
    { address = "192.0.3.101/24", interface = "eth1" },
]
"#;
    let one = settled(text).plan.instances.remove(0);
    let names = |it: &[Vmac]| {
        let names = it.iter().map(|it| format!("{} on {}", it.name, it.parent));
        names.collect::<Vec<_>>()
    };
    assert_eq!(one.vmac.map(|it| it.name).as_deref(), Some("v.51"));
    let others = ["a.51.1 on eth1", "a6.51.2 on eth0"];
    assert_eq!(names(&one.address_vmacs), others);
    assert_eq!(one.address_vmacs[1].mac, [0, 0, 0x5e, 0, 2, 51]);
    let placement = &one.placement;
    let on = placement.addresses.iter().map(|it| it.interface.as_str());
    let on: Vec<_> = on.collect();
    assert_eq!(on, ["v.51", "a.51.1", "a6.51.2", "a6.51.2", "a.51.1"]);
    let again = placement.again.as_ref().unwrap();
    assert_eq!(again.every, Duration::from_secs(60));
    assert_eq!(again.interfaces, ["a.51.1", "a6.51.2"]);
    assert_eq!(one.promotes, ["a.51.1", "eth0", "eth1", "v.51"]);
    // By the address alone, without a virtual MAC address of the instance.
    let text = text.replace("vmac = { adverts = true, addresses = true }\n", "");
    let flagged = text.replace(
        "\"192.0.3.101/24\"",
        "\"192.0.3.101/24\", flags = [\"use_vmac\"]",
    );
    let one = settled(&flagged).plan.instances.remove(0);
    assert_eq!(one.vmac, None);
    assert_eq!(names(&one.address_vmacs), ["a.51.1 on eth1"]);
    assert!(settled(&text).plan.instances[0].address_vmacs.is_empty());
    let long = flagged.replace("\"a\"", "\"a_long_prefix\"");
    assert!(settled(&long).problems[0].contains("no name of an interface"));
}

#[test]
fn an_interface_of_its_own_may_have_the_mac_address_of_the_one_below() {
    let with = |words: &str| settled(&format!("{ONE}ipvlan = {{ {words} }}\n"));
    let one = with("address = \"192.0.2.9/24\", mode = \"private\"");
    assert_eq!(one.problems, [""; 0]);
    let instance = &one.plan.instances[0];
    let ipvlan = instance.ipvlan.as_ref().unwrap();
    assert_eq!((&ipvlan.name[..], &ipvlan.parent[..]), ("ipvl.51", "eth0"));
    assert_eq!(instance.placement.addresses[0].interface, "ipvl.51");
    for (words, wrong) in [
        ("", "needs an address to send from"),
        ("address = \"2001:db8::9/64\"", "is of the other family"),
        (
            "address = \"192.0.2.9/24\", mode = \"x\"",
            "none of bridge, private, vepa",
        ),
    ] {
        let problems = with(words).problems;
        assert!(problems[0].contains(wrong), "{problems:?}");
    }
}

#[test]
fn strict_is_what_rfcs_have() {
    let strict = |words: &str| settled(&format!("{ONE}strict_mode = true\n{words}"));
    let plain = strict("");
    let spec = &plain.plan.instances[0].spec;
    assert!(!spec.accept && spec.lower_prio_no_advert);
    assert!(plain.plan.instances[0].placement.closed);
    assert_eq!(spec.announcements.lower_prio_repeat, Some(0));
    let silent = plain.notes.len();
    let owner = strict("priority = 255\nstate = \"MASTER\"\n");
    assert!(!owner.plan.instances[0].placement.closed, "it is its own");
    assert_eq!(owner.notes.len(), silent);
    for words in [
        "state = \"MASTER\"\n",
        "priority = 255\n",
        "preempt_delay = 5\n",
        "accept = true\n",
        "garp = { master_refresh = 60 }\n",
        "lower_prio_no_advert = false\n",
        "higher_prio_send_advert = true\n",
        "vmac = { adverts = true, xmit_base = true }\n",
        "authentication = { type = \"PASS\", pass = \"x\" }\n",
        "unicast_peer = [{ address = \"192.0.2.7\" }]\n",
    ] {
        let settled = strict(words);
        assert_eq!(settled.problems, [""; 0], "{words}");
        assert_eq!(
            settled.notes.len(),
            silent + 1,
            "{words}{:?}",
            settled.notes
        );
        let instance = &settled.plan.instances[0];
        assert!(!instance.spec.accept && instance.spec.preempt_delay.is_zero());
        let owner = instance.spec.priority == 255;
        assert_eq!(instance.spec.begins_as_master, owner, "{words}");
    }
    let accepting = strict("version = 3\naccept = true\n");
    assert!(accepting.plan.instances[0].spec.accept);
    let none = strict("").plan.instances[0].spec.addresses.len();
    assert_eq!(none, 1);
    let empty = ONE.lines().filter(|line| !line.starts_with("virtual_ip"));
    let empty: String = empty.map(|line| format!("{line}\n")).collect();
    let far = ONE.replace("{ address = \"192.0.2.100/24\" }, ", "");
    for (text, wrong) in [(empty, "no address"), (far, "of the link")] {
        let problems = settled(&format!("{text}strict_mode = true\n")).problems;
        assert!(problems[0].contains(wrong), "{problems:?}");
    }
}

#[test]
fn signing_is_settled() {
    let secret = "0123456789abcdef0123456789abcdef";
    let with = |words: &str| {
        let key = format!("key = [{{ id = 3, secret = \"{secret}\" }}]");
        settled(&format!(
            "{ONE}version = 3\nauth_hmac = {{ {key}{words} }}\n"
        ))
    };
    let one = with("");
    assert_eq!(one.problems, [""; 0]);
    assert!(!one.plan.instances[0].spec.checksum_as_v2);
    let as_v2 = settled(&format!("{ONE}version = 3\nv3_checksum_as_v2 = true\n"));
    assert!(as_v2.plan.instances[0].spec.checksum_as_v2);
    let signing = one.plan.instances[0].spec.signing.clone().unwrap();
    assert_eq!((signing.active, signing.keys[0].bytes.len()), (3, 32));
    for (words, wrong) in [
        (", active_key = 4", "there is no key 4"),
        (", time_window = 0", "1 to 300"),
    ] {
        let settled = with(words);
        let problems = settled.problems;
        assert!(problems[0].contains(wrong), "{problems:?}");
        assert!(settled.plan.instances.is_empty(), "it says nothing at all");
    }
}

#[test]
fn what_is_the_machines_own_is_watched() {
    let text = format!(
        r#"
[vrrp]
static_routes = ["198.51.100.0/24 via 192.0.2.9 track_group near", "203.0.113.0/24 via 192.0.2.9"]
static_rules = ["from 198.51.100.0/24 table 7 track_group other"]
interface_delay = [{{ interface = "eth0", down = 0.5, up = 2.0 }}]

[[address]]
address = "192.0.2.200/32"
interface = "eth0"
track_group = "near"

[[vrrp.track_group]]
name = "near"
group = ["VI_1"]
{ONE}advert_int = 1
"#
    );
    let one = settled(&text);
    assert_eq!(one.problems, [""; 0]);
    let instance = &one.plan.instances[0];
    let subjects = [
        Subject::StaticAddresses("near".into()),
        Subject::StaticRoutes("near".into()),
    ];
    assert_eq!(instance.tracked, subjects);
    assert_eq!(instance.spec.track, [Tracked::default(); 2]);
    assert_eq!(one.plan.statics.routes.len(), 2);
    assert_eq!(one.plan.static_groups[0].routes.len(), 1);
    let delay = &one.plan.delays[0];
    assert_eq!(delay.down, Duration::from_millis(500));
    assert_eq!(delay.up, Duration::from_secs(2));
    let notes = one.notes.join("\n");
    assert!(notes.contains("track_group other: no instances"), "{notes}");
    let late = settled(&text.replace("down = 0.5", "down = 2.0"));
    let notes = late.notes.join("\n");
    assert!(notes.contains("as long as backups of VI_1 wait"), "{notes}");
    for (from, to, wrong) in [
        (
            "group = [\"VI_1\"]",
            "group = [\"VI_9\"]",
            "no vrrp_instance VI_9",
        ),
        ("down = 0.5", "down = 256.0", "0 to 255 seconds"),
    ] {
        let problems = settled(&text.replace(from, to)).problems;
        assert!(problems[0].contains(wrong), "{problems:?}");
    }
}

#[test]
fn peers_may_be_spoken_to_in_a_vrf() {
    let text = ONE.replace("interface = \"eth0\"", "vrf = \"blue\"");
    let one = settled(&format!(
        "{text}unicast_peer = [{{ address = \"192.0.2.7\" }}]\n"
    ));
    assert_eq!(one.problems, [""; 0]);
    let instance = &one.plan.instances[0];
    assert_eq!(instance.interface, "blue");
    assert_eq!(instance.placement.addresses[0].interface, "eth0");
    assert!(settled(&text).problems[0].contains("no interface"));
}

#[test]
fn what_is_not_acted_on_is_named() {
    let text = format!(
        "[vrrp]\nlinkbeat_interfaces = [\"eth0\"]\n\
         {ONE}vrf = \"blue\"\nlinkbeat_use_polling = true\n\
         track = {{ bfd = [{{ name = \"far\" }}] }}\n"
    );
    let notes = settled(&text).notes.join("\n");
    let words = [
        "vrf",
        "linkbeat_interfaces",
        "linkbeat_use_polling",
        "track_bfd",
    ];
    for words in words {
        assert!(notes.contains(words), "{words}: {notes}");
    }
}
