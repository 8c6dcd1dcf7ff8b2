//! What Prometheus is told is in its format: `promtool check metrics` wants the same.

use std::collections::HashSet;

use rlvs_control::model::{Destination, Tunnel};
use rlvs_control::{Change, DestinationKey, Director, ForwardingMethod};

use crate::support::{Fake, ask, service};

#[test]
fn every_metric_is_described_and_together() {
    let fake = Fake::start();
    let add = |host: u8| Change::AddDestination {
        service: service(80).key,
        destination: Destination {
            key: DestinationKey {
                address: [192, 0, 2, host].into(),
                port: 80,
            },
            method: ForwardingMethod::Tunnel(Tunnel::Ipip),
            weight: 5,
            upper_threshold: 0,
            lower_threshold: 0,
        },
    };
    let changes = vec![Change::AddService(service(80)), add(2), add(3)];
    fake.client().apply(&changes.into()).unwrap();
    let (status, text) = ask(fake.name(), "GET", "/metrics", "");
    assert_eq!(status, 200);
    for line in [
        "rlvs_service_destinations{service=\"TCP 192.0.2.1:80\"} 2",
        "rlvs_destination_weight{service=\"TCP 192.0.2.1:80\",destination=\"192.0.2.3:80\"} 5",
        "rlvs_real_server_up{service=\"TCP 192.0.2.1:80\",destination=\"192.0.2.3:80\"} 1",
        "rlvs_checks_failing{kind=\"http\"} 1",
        "rlvs_dropped_packets_total{reason=\"no-next-hop\"} 7",
        "rlvs_sweep_seconds 0.25",
        "rlvs_vrrp_state{instance=\"VI_1\",state=\"master\"} 1",
        "rlvs_vrrp_state{instance=\"VI_1\",state=\"fault\"} 0",
        "rlvs_vrrp_refused_total{instance=\"VI_1\",reason=\"password\"} 3",
        "rlvs_table_entries{family=\"ipv4\"} 5",
        "rlvs_build_info{version=\"0.1.0\"} 1",
    ] {
        assert!(text.lines().any(|it| it == line), "{line}\n{text}");
    }
    check(&text);
}

/// Help and type come first, once; names say what counts; no series is there twice.
fn check(text: &str) {
    let (mut families, mut series) = (HashSet::new(), HashSet::new());
    let (mut helped, mut family) = (String::new(), String::new());
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').unwrap();
            assert!(help.len() > 10, "{line}");
            assert!(families.insert(name.to_owned()), "{name} is there twice");
            helped = name.to_owned();
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert_eq!(name, helped);
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            name.clone_into(&mut family);
        } else {
            let (of, value) = line.rsplit_once(' ').unwrap();
            let name = of.split('{').next().unwrap();
            assert_eq!(name, family, "{line}");
            let is_plain = |it: char| it.is_ascii_lowercase() || it == '_';
            assert!(name.chars().all(is_plain), "{line}");
            assert!(value.parse::<f64>().unwrap() >= 0.0, "{line}");
            assert!(series.insert(of.to_owned()), "{of} is there twice");
        }
    }
    assert!(families.len() > 40, "{}", families.len());
}
