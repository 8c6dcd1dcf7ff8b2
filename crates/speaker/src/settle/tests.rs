use std::path::Path;

use rlvs_vrrp::packet::Key;

use super::*;

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
fn what_is_not_acted_on_is_named() {
    let text = format!(
        "{ONE}ipvlan = []\naccept = false\n\
         track = {{ bfd = [{{ name = \"far\" }}] }}\n\
         [vrrp]\nstatic_routes = [\"default via 192.0.2.1\"]\n"
    );
    let text = text.replace("[vrrp]\n", "");
    let (instance, routes) = text.split_once("static_routes").unwrap();
    let notes = settled(&format!("[vrrp]\nstatic_routes{routes}{instance}"))
        .notes
        .join("\n");
    for words in ["use_ipvlan", "no_accept", "track_bfd", "static_routes"] {
        assert!(notes.contains(words), "{words}: {notes}");
    }
}
