//! One file with most of what there is: what becomes of it, and that rlvs.toml can say the same.

use std::path::Path;

use rlvs_check::spec::{Kind, ServerName};
use rlvs_control::ForwardingMethod;
use rlvs_control::model::{GueChecksum, Tunnel};

use super::super::{Options, read};
use crate::{Reading, Severity, written};

fn site() -> Reading {
    let text = include_str!("site.conf").to_owned();
    let reading = read(Path::new("site.conf"), text, &Options::default());
    reading.unwrap_or_else(|failure| panic!("{failure}"))
}

#[test]
fn what_is_not_right_is_told() {
    let reading = site();
    let lines = reading.warnings.iter();
    let lines = lines.map(|problem| (problem.severity, problem.line(&reading.sources)));
    let expected = [
        (
            Severity::Note,
            "site.conf:21:4: process_names: not acted on: rlvs has no processes of its own for this",
        ),
        (
            Severity::Warning,
            "site.conf:65:7: it has no `url`; the check is left out",
        ),
    ];
    let expected = expected.map(|(severity, line)| (severity, line.to_owned()));
    assert_eq!(lines.collect::<Vec<_>>(), expected);
}

#[test]
fn services_are_as_they_are_written() {
    let site = site().site;
    let [web, names] = &site.services[..] else {
        panic!("{:#?}", site.services);
    };
    let service = &web.services[0];
    assert_eq!(service.key.to_string(), "TCP 192.0.2.1:80");
    assert_eq!(
        (service.scheduler.as_str(), service.scheduler_flags),
        ("sh", 2)
    );
    assert_eq!(service.persistence.unwrap().timeout, 50);
    let reals = web
        .real
        .iter()
        .map(|real| (real.destination.key.to_string(), real.destination.weight));
    let reals: Vec<_> = reals.collect();
    let expected = [
        "10.0.0.1:80",
        "10.0.0.2:80",
        "10.0.0.3:80",
        "10.0.0.9:80",
        "10.0.0.10:80",
    ];
    assert_eq!(
        reals,
        expected
            .map(String::from)
            .into_iter()
            .zip([3, 3, 3, 1, 1])
            .collect::<Vec<_>>()
    );
    assert_eq!((web.policy.quorum, web.policy.hysteresis), (4, 1));
    assert!(web.policy.omega && web.policy.ha_suspend && web.policy.sorry_server.unwrap().inhibit);
    assert_eq!(
        web.quorum_up.as_ref().unwrap().words,
        ["/usr/local/bin/quorum", "up", "a b"]
    );
    assert_eq!(
        web.quorum_up.as_ref().unwrap().user.as_deref(),
        Some("nobody")
    );
    assert_eq!(
        web.quorum_down.as_ref().unwrap().group.as_deref(),
        Some("wheel")
    );
    assert!(web.real[4].inhibit_on_failure && !web.real[0].inhibit_on_failure);

    let keys: Vec<_> = names.keys().map(ToString::to_string).collect();
    assert_eq!(
        keys,
        [
            "UDP 192.0.2.53:53",
            "UDP 192.0.2.60:53",
            "UDP 192.0.2.61:53",
            "UDP 192.0.2.62:53",
            "FWM 7"
        ]
    );
    let gue = Tunnel::Gue {
        port: 6080,
        checksum: GueChecksum::Full,
    };
    assert_eq!(
        names.real[0].destination.method,
        ForwardingMethod::Tunnel(gue)
    );
}

#[test]
fn checks_have_what_they_inherit() {
    let site = site().site;
    let page = &site.services[0].real[1].checks[0];
    let Kind::Http(http) = &page.kind else {
        panic!("{page:?}");
    };
    assert_eq!(http.virtual_host.as_deref(), Some("www.example.org"));
    assert_eq!(http.urls[0].regex.as_ref().unwrap().pattern, r"up|\d+ ok");
    assert_eq!(http.urls[0].status.len(), 2);
    assert_eq!(page.connect.port, Some(8080));
    let timing = &page.timing;
    assert_eq!(
        (
            timing.delay_loop.as_secs(),
            timing.retry,
            timing.delay_before_retry.as_secs()
        ),
        (6, 2, 3)
    );
    assert!(timing.alpha && timing.log_all_failures);

    let secure = &site.services[0].real[4].checks;
    let Kind::Http(https) = &secure[0].kind else {
        panic!("{secure:?}");
    };
    let tls = https.tls.as_ref().unwrap();
    assert_eq!(tls.server_name, ServerName::VirtualHost);
    assert_eq!(tls.ca.as_deref(), Some(Path::new("/etc/ssl/ca.pem")));
    let Kind::Script(script) = &secure[1].kind else {
        panic!("{secure:?}");
    };
    assert_eq!(script.command, ["/usr/local/bin/check", "two words"]);
    assert!(script.dynamic && script.secure);
    assert_eq!(
        (script.user.as_deref(), secure[1].timing.retry),
        (Some("nobody"), 0)
    );

    let kinds = site.services[1].real[0]
        .checks
        .iter()
        .map(|check| check.kind.name());
    assert_eq!(
        kinds.collect::<Vec<_>>(),
        ["dns", "udp", "file", "smtp", "smtp", "ping"]
    );
}

#[test]
fn vrrp_is_kept() {
    let vrrp = site().site.vrrp;
    let instance = &vrrp.instance[0];
    assert_eq!(
        (instance.virtual_router_id, instance.priority),
        (Some(51), Some(150))
    );
    assert_eq!(
        (instance.advert_int, instance.preempt),
        (Some(0.5), Some(false))
    );
    assert_eq!(instance.virtual_ipaddress.len(), 2);
    assert_eq!(
        instance.virtual_ipaddress[0].label.as_deref(),
        Some("eth0:1")
    );
    assert_eq!(instance.track.script[0].weight, Some(4));
    assert_eq!(
        instance.notify.any.as_ref().unwrap().group.as_deref(),
        Some("nogroup")
    );
    assert_eq!(
        instance.vmac.as_ref().unwrap().name.as_deref(),
        Some("vrrp51")
    );
    assert_eq!(
        vrrp.script[0].script.words,
        ["/usr/bin/killall", "-0", "nginx"]
    );
    assert_eq!(vrrp.track_process[0].process, ["nginx", "-g x"]);
    assert_eq!(vrrp.sync_group[0].track.interface[1].reverse, Some(true));
    assert_eq!(vrrp.defaults.garp.extra_if, Some(100));
    assert_eq!(vrrp.defaults.sync_daemon.as_ref().unwrap().port, Some(8850));
    let delay = &vrrp.interface_delay[0];
    assert_eq!(
        (&delay.interface[..], delay.down, delay.up),
        ("eth0", 1.5, Some(2.0))
    );
}

#[test]
fn the_same_can_be_said_in_rlvs_toml() {
    let site = site().site;
    let text = written::write(&site);
    let again = written::read(Path::new("x.toml"), text.clone());
    let again = again.unwrap_or_else(|failure| panic!("{}\n{text}", failure.pictures()));
    assert_eq!(again.site, site, "{text}");
}
