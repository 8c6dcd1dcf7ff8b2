//! A file with most of what there is.

use std::path::Path;

use super::read;
use crate::names::NoNames;
use crate::{Reading, written};

const FILE: &str = r#"# Global Directives
checktimeout=3
checkinterval = 7
failurecount = 3
fallback=127.0.0.1:8080
emailalert="admin@example.org, root@example.org"
logfile="/var/log/ldirectord.log"
quiescent=yes

virtual=192.0.2.6:80
        real=10.0.0.2->10.0.0.4:80 gate 5
        real=10.0.0.5:80 ipip 2 "index.html", "Test Page" l:5 u:10
        service=http
        scheduler=wlc
        persistent=600
        netmask=255.255.255.0
        virtualhost=www.example.org
        request="health.html"
        receive="up"

virtual=1
        real=10.0.0.2 gate
        checktype=connect
        quiescent=no
        colour=red

virtual6=[2001:db8::6]:53
        real6=[2001:db8::7]:53 masq
        checktype=external
        checkcommand="/bin/check"
"#;

fn reading() -> Reading {
    let reading = read(Path::new("l.cf"), FILE.to_owned(), &NoNames);
    reading.unwrap_or_else(|failure| panic!("{failure}"))
}

#[test]
fn it_is_read() {
    let reading = reading();
    let lines = reading.warnings.iter().map(|it| it.line(&reading.sources));
    assert_eq!(
        lines.collect::<Vec<_>>(),
        [
            "l.cf:7:1: logfile: not acted on: logs go to the journal",
            "l.cf:25:9: colour: unknown keyword; it is left out",
        ]
    );
    let [web, mark, names] = &reading.site.services[..] else {
        panic!("{:#?}", reading.site);
    };
    let reals = web.real.iter().map(|real| real.destination.key.to_string());
    assert_eq!(
        reals.collect::<Vec<_>>(),
        ["10.0.0.2:80", "10.0.0.3:80", "10.0.0.4:80", "10.0.0.5:80"]
    );
    assert_eq!(web.real[3].destination.upper_threshold, 10);
    assert_eq!(
        web.sorry_server.as_ref().unwrap().key.to_string(),
        "127.0.0.1:8080"
    );
    let timing = &web.real[0].checks[0].timing;
    assert_eq!((timing.retry, timing.delay_loop.as_secs()), (2, 7));
    let of = |real: usize| format!("{:?}", web.real[real].checks[0].kind);
    assert!(
        of(0).contains("/health.html") && of(3).contains("Test Page"),
        "{}",
        of(3)
    );
    assert!(web.real[0].inhibit_on_failure && !mark.real[0].inhibit_on_failure);
    assert_eq!(mark.services[0].key.to_string(), "FWM 1");
    assert_eq!(names.services[0].key.to_string(), "UDP [2001:db8::6]:53");
    let script = format!("{:?}", names.real[0].checks[0].kind);
    assert!(
        script.contains(r#"["/bin/check", "2001:db8::6", "53", "2001:db8::7", "53"]"#),
        "{script}"
    );
}

#[test]
fn rlvs_toml_can_say_the_same() {
    let site = reading().site;
    let text = written::write(&site);
    let again = written::read(Path::new("x.toml"), text.clone());
    assert_eq!(
        again
            .unwrap_or_else(|failure| panic!("{failure}\n{text}"))
            .site,
        site,
        "{text}"
    );
}
