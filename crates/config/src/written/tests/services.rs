//! Services: what is written in short and in long, and what is wrong with it.

use std::fs;
use std::path::Path;

use crate::written::{read, write};
use crate::{Failure, Reading};

fn parse(text: &str) -> Result<Reading, Failure> {
    read(Path::new("x.toml"), text.to_owned())
}

fn errors(text: &str) -> Vec<String> {
    let failure = parse(text).unwrap_err();
    let lines = failure.to_string();
    lines.lines().map(str::to_owned).collect()
}

const SHORT: &str = r#"
[[service]]
tcp = "192.0.2.1:80"
real = [{ address = "10.0.0.1" }, { address = "10.0.0.2:8080", weight = 2 }]
"#;

const LONG: &str = r#"
[timeouts]
tcp = 600

[check]
delay_loop = 6

[[service]]
group = "web"
tcp = ["192.0.2.1-3:80", "[2001:db8::1]:80"]
mark = [1, 2]
scheduler = "sh"
scheduler_flags = ["sh-port"]
persistent = 300
netmask = "255.255.255.0"
method = "tun"
quorum = 3
hysteresis = 1
quorum_up = "/bin/up 'a b'"
sorry_server = { address = "10.0.0.9", method = "gue:6080:csum", inhibit = true }
max_down = 50
check = [{ http = { path = "/health", status = [200, "300-302"] }, retry = 2 }, "ping"]
real = [
  { address = "10.0.0.1" },
  { address = "10.0.0.2", check = [], inhibit_on_failure = true },
  { address = "10.0.0.3", delay_loop = "2s", notify_down = { command = "/bin/down", user = "nobody" } },
]

[[service]]
udp = "192.0.2.1:53"
one_packet = true
method = "nat"
real = [{ address = "10.0.0.1:5353", check = { dns = { name = "example.org" }, fwmark = 7 } }]

[[service]]
mark_ipv6 = 5
real = [{ address = "2001:db8::5", upper_threshold = 10, lower_threshold = 5 }]

[alerts.mail]
to = ["root@example.org"]

[vrrp.defaults]
version = 3

[[vrrp.instance]]
name = "VI_1"
interface = "eth0"
virtual_router_id = 51
virtual_ipaddress = [{ address = "192.0.2.1/32" }]

[vrrp.instance.track]
interface = [{ name = "eth1", weight = -5 }]
"#;

#[test]
fn the_usual_case_is_short() {
    let site = parse(SHORT).unwrap().site;
    let server = &site.services[0];
    assert_eq!(server.services[0].scheduler, "wlc");
    let keys = server
        .real
        .iter()
        .map(|real| real.destination.key.to_string());
    assert_eq!(keys.collect::<Vec<_>>(), ["10.0.0.1:80", "10.0.0.2:8080"]);
}

#[test]
fn everything_is_settled() {
    let site = parse(LONG).unwrap().site;
    let web = &site.services[0];
    assert_eq!(web.services.len(), 6);
    let loops = web.real.iter().map(|real| {
        let checks = real.checks.iter();
        checks
            .map(|check| check.timing.delay_loop.as_secs())
            .collect()
    });
    assert_eq!(
        loops.collect::<Vec<Vec<_>>>(),
        [vec![6, 6], vec![], vec![2, 2]]
    );
    assert_eq!(web.real[0].checks[0].timing.retry, 2);
}

#[test]
fn what_is_written_is_read_again() {
    for text in [SHORT, LONG, ""] {
        let site = parse(text).unwrap().site;
        let written = write(&site);
        let again = parse(&written).map_err(|failure| failure.pictures() + &written);
        assert_eq!(again.unwrap().site, site, "{written}");
    }
}

#[test]
fn what_is_written_is_readable() {
    let written = write(&parse(SHORT).unwrap().site);
    let expected = r#"[[service]]
tcp = "192.0.2.1:80"
real = [
  "10.0.0.1",
  { address = "10.0.0.2:8080", weight = 2 },
]
"#;
    assert_eq!(written, expected);
}

#[test]
fn all_errors_are_told_at_once() {
    let text = r#"
conections = 5
services = 0
[[service]]
tcp = "192.0.2.1"
schedular = "rr"
check = "tpc"
real = [{ adress = "10.0.0.1" }, { address = "10.0.0.x", wieght = 2 }]
"#;
    let expected = [
        "x.toml:2:1: conections: unknown field `conections`; did you mean `connections`?",
        "x.toml:3:12: services: invalid value: integer `0`, expected a number from 1 to 65536",
        "x.toml:6:1: service[0].schedular: unknown field `schedular`; did you mean `scheduler`?",
    ];
    let errors = errors(text);
    assert_eq!(errors[..3], expected);
    assert_eq!(errors.len(), 7, "{errors:#?}");
}

#[test]
fn nonsense_is_found_with_its_place() {
    for (text, expected) in NONSENSE {
        assert_eq!(
            errors(&format!("[[service]]\n{text}")),
            [*expected],
            "{text}"
        );
    }
}

const NONSENSE: &[(&str, &str)] = &[
    (
        "scheduler = 'rr'",
        "x.toml:1:1: service[0]: a service needs `tcp`, `udp` or `sctp` with an address, or a `mark`",
    ),
    (
        "tcp = '192.0.2.1:80'\nscheduler = 'wlcc'",
        "x.toml:3:13: there is no scheduler `wlcc' (for TCP 192.0.2.1:80): use dh, fo, lblc, lblcr, \
         lc, mh, none, nq, ovf, rr, sed, sh, twos, wlc, wrr; did you mean `wlc`?",
    ),
    (
        "tcp = '192.0.2.1:80'\nreal = [{ address = '10.0.0.1', weight = 2147483648 }]",
        "x.toml:3:42: the weight of 10.0.0.1:80 is 2147483648: it must be 0 to 2147483647",
    ),
    (
        "tcp = '192.0.2.1:80'\nreal = [{ address = '10.0.0.1' }, { address = '10.0.0.1' }]",
        "x.toml:3:47: the real server 10.0.0.1:80 is there twice; its weight says how much it can do",
    ),
    (
        "tcp = '192.0.2.1:80'\nreal = [{ address = '10.0.0.1', upper_threshold = 5, lower_threshold = 9 }]",
        "x.toml:3:72: the lower threshold of 10.0.0.1:80 is 9: it must be 0 to its upper one, which is 5",
    ),
    (
        "tcp = '192.0.2.1:80'\nreal = [{ address = '2001:db8::1' }]",
        "x.toml:3:21: [2001:db8::1]:80 and TCP 192.0.2.1:80 differ in IP version: only a tunnel (-i) can bridge that",
    ),
    (
        "tcp = '192.0.2.1:80'\n[[service]]\ntcp = '192.0.2.1:80'",
        "x.toml:4:7: the virtual service TCP 192.0.2.1:80 is there twice; put its real servers into one service",
    ),
    (
        "tcp = '192.0.2.1'",
        "x.toml:2:7: TCP 192.0.2.1:0: port 0 stands for all ports and needs persistence (-p)",
    ),
    (
        "tcp = '192.0.2.1:80'\nnetmask = '255.255.255.0'",
        "x.toml:3:11: service[0].netmask: this needs `persistent`",
    ),
    (
        "tcp = '192.0.2.1:80'\ncheck = {}",
        "x.toml:3:9: service[0].check: a check needs a kind: `tcp = true`, `http = \"/\"` or another",
    ),
];

#[test]
fn other_files_are_included() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::create_dir(at("d")).unwrap();
    fs::write(at("d/a.toml"), SHORT).unwrap();
    fs::write(at("d/b.toml"), "[check]\nretry = 9\n[[service]]\nmark = 3\nreal = [{ address = '10.0.0.1', check = 'tcp' }]").unwrap();
    let text = "include = ['d/*.toml']\n[check]\ndelay_loop = 7".to_owned();
    let site = read(&at("x.toml"), text).unwrap().site;
    assert_eq!(site.services.len(), 2);
    let timing = &site.services[1].real[0].checks[0].timing;
    assert_eq!((timing.retry, timing.delay_loop.as_secs()), (9, 7));

    fs::write(at("d/c.toml"), "services = 5\n").unwrap();
    let text = "include = ['d/c.toml', 'none.toml']".to_owned();
    let failure = read(&at("x.toml"), text).unwrap_err();
    let lines = failure.to_string();
    assert!(
        lines.contains("d/c.toml:1:1: services: unknown field `services`"),
        "{lines}"
    );
    assert!(
        lines.contains("x.toml:1:24: include[1]: no file is found for `none.toml`"),
        "{lines}"
    );
}

#[test]
fn errors_are_pictures() {
    let text =
        "services = 0\n\n[[service]]\ntcp = '192.0.2.1:80'\nreal = [{ adress = '10.0.0.1' }]\n";
    let expected = r"  × x.toml:1:12: services: invalid value: integer `0`, expected a number from 1 to 65536
   ╭─[x.toml:1:12]
 1 │ services = 0
   ·            ─
 2 │ 
   ╰────

  × x.toml:5:11: service[0].real[0].adress: unknown field `adress`
   ╭─[x.toml:5:11]
 4 │ tcp = '192.0.2.1:80'
 5 │ real = [{ adress = '10.0.0.1' }]
   ·           ──────
   ╰────
  help: did you mean `address`?

";
    assert_eq!(parse(text).unwrap_err().pictures(), expected);
}

#[test]
fn mail_is_inherited_and_its_addresses_are_looked_at() {
    let text = format!("[alerts.mail]\nto = [\"ops@example.org\"]\n{SHORT}")
        .replace("tcp =", "smtp_alert = true\ntcp =")
        .replace("weight = 2", "smtp_alert = false");
    let site = parse(&text).unwrap().site;
    let [server] = &site.services[..] else {
        panic!("one service");
    };
    let real: Vec<bool> = server.real.iter().map(|real| real.smtp_alert).collect();
    assert!(server.smtp_alert && real == [true, false]);
    let [error] = &errors(&text.replace("ops@", "ops at "))[..] else {
        panic!("one error");
    };
    assert!(
        error.contains("`ops at example.org` is no mail address"),
        "{error}"
    );
}

#[test]
fn what_checks_have_alike_is_written_once() {
    let text = r#"
[[service]]
tcp = "192.0.2.1:80"
real = [
  { address = "10.0.0.1", check = { tcp = true, delay_loop = 6, retry = 2, connect_timeout = 3 } },
  { address = "10.0.0.2", check = [{ http = "/", delay_loop = 6, retry = 2, connect_timeout = 3 }, { file = { path = "/w" } }] },
]

[[service]]
tcp = "192.0.2.2:80"
check = { tcp = true, delay_loop = 6 }
real = ["10.0.0.1", { address = "10.0.0.2", weight = 2 }]
"#;
    let site = parse(text).unwrap().site;
    let written = write(&site);
    assert_eq!(
        written,
        r#"[check]
delay_loop = "6s"

[[service]]
tcp = "192.0.2.1:80"
real = [
  { address = "10.0.0.1", check = "tcp" },
  { address = "10.0.0.2", check = ["http", { file = { path = "/w", weight = 1, reverse = false } }] },
]
connect_timeout = "3s"
retry = 2

[[service]]
tcp = "192.0.2.2:80"
check = "tcp"
real = [
  "10.0.0.1",
  { address = "10.0.0.2", weight = 2 },
]
"#
    );
    assert_eq!(parse(&written).unwrap().site, site);
}

#[test]
fn a_real_server_may_be_an_address() {
    let short = SHORT.replace("{ address = \"10.0.0.1\" }", "\"10.0.0.1\"");
    assert_eq!(parse(&short).unwrap().site, parse(SHORT).unwrap().site);
    let [error] = &errors(&short.replace("\"10.0.0.1\"", "\"10.0.0.300\""))[..] else {
        panic!("one error");
    };
    assert!(
        error.starts_with("x.toml:4:9: service[0].real[0]: "),
        "{error}"
    );
}
