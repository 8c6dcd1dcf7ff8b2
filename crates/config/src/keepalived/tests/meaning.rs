//! What keepalived says of words and values that are not right (`keepalived -t` of 2.2.7), in
//! rlvs's words. It goes on without them, and so does rlvs.

use std::path::Path;

use proptest::prelude::*;

use super::super::{Options, read};
use crate::model::vrrp::Instance;
use crate::model::vrrp::auth_hmac::{AntiReplay, HmacMode};

/// What is said of a file that can be used.
fn said(text: &str) -> Vec<String> {
    let reading = read(Path::new("x"), text.to_owned(), &Options::default());
    let reading = reading.unwrap_or_else(|failure| panic!("{failure}"));
    let problems = reading.warnings.iter();
    problems
        .map(|problem| problem.line(&reading.sources))
        .collect()
}

/// In a virtual server that is right otherwise.
fn said_of(line: &str) -> Vec<String> {
    let server =
        "virtual_server 192.0.2.1 80 {\n protocol TCP\n LINE\n real_server 10.0.0.1 80 {\n }\n}";
    said(&server.replace("LINE", line))
}

#[test]
fn values_that_are_not_right_are_told() {
    for (line, expected) in [
        (
            "lvs_schd rr",
            "x:3:2: lvs_schd: unknown keyword; it is left out; did you mean `lvs_sched`?",
        ),
        (
            "colour { red }",
            "x:3:2: colour: unknown keyword; it is left out with its block",
        ),
        (
            "delay_loop abc",
            "x:3:13: delay_loop: `abc` is no time in seconds",
        ),
        ("delay_loop", "x:3:2: delay_loop: its value is missing"),
        (
            "protocol X",
            "x:3:11: protocol: `X` is none of TCP, UDP, SCTP",
        ),
        (
            "quorum 0",
            "x:3:9: quorum: `0` is no number from 1 to 2147483647",
        ),
        (
            "alpha maybe",
            "x:3:8: alpha: `maybe` is not on, off, true, false, yes or no",
        ),
        (
            "lvs_method TUN type gre remcsum",
            "x:3:2: lvs_method: gre tunnels have no remote checksum",
        ),
        (
            "lvs_method TUN type gue",
            "x:3:2: lvs_method: gue tunnels need a port: port 6080",
        ),
        ("ops", "x:1:1: `ops` is for UDP only, and is left out"),
        (
            "quorum 5",
            "x:1:1: the quorum 5 is more than all weights, and becomes 1",
        ),
        (
            "hysteresis 5",
            "x:1:1: the hysteresis 5 is not below the quorum, and becomes 0",
        ),
        (
            "quorum 1 alpha",
            "x:3:11: quorum: `alpha` has to be on a line of its own",
        ),
        (
            "snmp_name x",
            "x:3:2: snmp_name: not acted on: there is no SNMP agent",
        ),
        (
            "alpha { x }",
            "x:3:8: alpha: it has no block, which is left out",
        ),
        (
            "real_server 10.0.0.2 80",
            "x:3:2: real_server: its block `{ ... }` is missing",
        ),
        (
            "real_server 10.0.0.1 80 { }",
            "x:4:2: this real server is there twice; the second is left out",
        ),
        (
            "real_server 2001:db8::1 80 { }",
            "x:3:2: it is of another IP version than the virtual server, and left out",
        ),
        (
            "real_server 10.0.0.2 80 { weight x }",
            "x:3:35: weight: `x` is no number from 0 to 2147483647",
        ),
        (
            "real_server 10.0.0.2 80 { TCP_CHECK { connect_port 99999 } }",
            "x:3:53: connect_port: `99999` is no number from 1 to 65535",
        ),
        (
            "real_server 10.0.0.2 80 { BFD_CHECK { name b } }",
            "x:3:28: BFD is not spoken yet; the check is left out",
        ),
    ] {
        let mut lines = said_of(line);
        // The wrong value leaves what it was.
        lines.retain(|line| !line.contains("it is UDP"));
        assert_eq!(lines, [expected], "{line}");
    }
}

#[test]
fn what_does_not_go_together_is_settled_as_in_keepalived() {
    for (text, expected) in [
        (
            "virtual_server 192.0.2.1 80 {\n real_server 10.0.0.1 80 { }\n}",
            "x:1:1: no `protocol` is named: as in keepalived, it is UDP",
        ),
        (
            "virtual_server 192.0.2.1 {\n protocol TCP\n real_server 10.0.0.1 { }\n}",
            "x:1:1: all ports need persistence, which is set to 360 seconds",
        ),
        (
            "virtual_server fwmark 1 {\n}",
            "x:1:1: it has no real servers, and is left out",
        ),
        (
            "virtual_server group g {\n}",
            "x:1:1: there is no virtual_server_group `g`; it is left out",
        ),
        (
            "$A=1\nfoo $B\n",
            "x:2:1: foo: unknown keyword; it is left out",
        ),
    ] {
        assert_eq!(said(text), [expected], "{text}");
    }
}

#[test]
fn services_that_are_there_twice_are_refused() {
    let server =
        "virtual_server 192.0.2.1 80 {\n protocol TCP\n real_server 10.0.0.1 80 {\n }\n}\n";
    let failure = read(Path::new("x"), server.repeat(2), &Options::default()).unwrap_err();
    assert_eq!(
        failure.to_string(),
        "x:6:1: the virtual service TCP 192.0.2.1:80 is there twice; put its real servers into one service"
    );
}

proptest! {
    /// Words of the manual in any order.
    #[test]
    fn any_words_are_read(words in prop::collection::vec(prop::sample::select(WORDS), 0..60)) {
        let text = words.join(" ").replace("NL", "\n");
        let _ = read(Path::new("x"), text, &Options::default());
    }
}

const WORDS: &[&str] = &[
    "virtual_server",
    "192.0.2.1",
    "80",
    "{",
    "}",
    "NL",
    "NL",
    "{ NL",
    "} NL",
    "real_server",
    "weight",
    "1",
    "fwmark",
    "group",
    "HTTP_GET",
    "url",
    "path",
    "/",
    "TCP_CHECK",
    "lvs_method",
    "TUN",
    "type",
    "gue",
    "port",
    "global_defs",
    "lvs_timeouts",
    "tcp",
    "vrrp_instance",
    "V",
    "virtual_ipaddress",
    "track_interface",
    "x",
    "persistence_timeout",
    "quorum",
    "5",
    "protocol",
    "UDP",
    "UDP_CHECK",
    "payload",
    "ff",
    "\"a b\"",
    "dev",
    "sorry_server",
    "virtual_server_group",
    "1-3",
    "2001:db8::1",
    "unicast_peer",
    "use_vmac",
    "authentication",
    "auth_pass",
    "ää-ööööö",
    "include_check",
    "lvs_sync_daemon",
    "SSL",
    "vrrp_script",
    "notify_up",
];

#[test]
fn what_becomes_of_forwarding_at_the_end_is_kept() {
    let text = "global_defs {\n lvs_flush_on_stop\n}";
    let reading = read(Path::new("x"), text.to_owned(), &Options::default());
    let stop = reading.unwrap().site.settings.stop;
    assert_eq!(stop.forwarding, crate::settings::AtStop::Remove);
}

#[test]
fn mail_goes_to_addresses() {
    assert_eq!(
        said("global_defs {\n notification_email {\n  ops@example.org\n  ops\n }\n}"),
        ["x:4:3: notification_email: `ops` is no mail address: Missing separator character '@'."]
    );
}

/// An instance with these lines, and what is said of them.
fn instance(lines: &str) -> (Instance, Vec<String>) {
    let text = format!("vrrp_instance VI {{\n{lines}\n}}\n");
    let reading = read(Path::new("x"), text.clone(), &Options::default());
    let reading = reading.unwrap_or_else(|failure| panic!("{failure}"));
    (reading.site.vrrp.instance[0].clone(), said(&text))
}

#[test]
fn keys_are_read() {
    let (it, said) = instance(
        "auth_hmac {\nkey 1 hex:00ff\nkey 2 file:/etc/key\nactive_key 2\nanti_replay monotonic\n\
         time_window 7\nmode receive-only\n}",
    );
    assert_eq!(said, [""; 0]);
    let hmac = it.auth_hmac.unwrap();
    let keys = hmac.key.iter().map(|key| (key.id, key.secret.as_str()));
    let keys: Vec<_> = keys.collect();
    assert_eq!(keys, [(1, "hex:00ff"), (2, "file:/etc/key")]);
    assert_eq!((hmac.active_key, hmac.time_window), (Some(2), Some(7)));
    assert_eq!(hmac.anti_replay, Some(AntiReplay::Monotonic));
    assert_eq!(hmac.mode, Some(HmacMode::ReceiveOnly));
    let (_, said) = instance("auth_hmac {\nkey 0 x\nkey 3\nmode loud\ntime_window 301\n}");
    assert_eq!(
        said,
        [
            "x:3:5: key: `0` is no number from 1 to 255",
            "x:4:1: key: its secret is missing",
            "x:5:6: mode: `loud` is none of enforce, permissive, receive-only",
            "x:6:13: time_window: `301` is no number from 1 to 300",
        ]
    );
}

#[test]
fn words_of_use_ipvlan_come_in_any_order() {
    let (it, said) = instance("use_ipvlan vepa 192.0.2.7/24 ipv0");
    assert_eq!(said, [""; 0]);
    let ipvlan = it.ipvlan.unwrap();
    assert_eq!(ipvlan.name.as_deref(), Some("ipv0"));
    assert_eq!(ipvlan.address, "192.0.2.7/24".parse().ok());
    assert_eq!(ipvlan.mode.as_deref(), Some("vepa"));
}
