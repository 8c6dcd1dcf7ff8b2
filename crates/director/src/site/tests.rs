//! What a site makes of the services there are.

use std::collections::HashSet;
use std::path::Path;

use rlvs_check::machine::Wanted;
use rlvs_config::{Site, written};
use rlvs_control::{Change, Destination, DestinationKey, ServiceKey, Transaction};

use super::changes::{by_checks, changes};
use super::target::{Target, all_up, targets};
use crate::desired::Desired;

const SITE: &str = r#"
[[service]]
tcp = "192.0.2.1:80"
scheduler = "rr"
sorry_server = "10.0.0.9:80"

[[service.real]]
address = "10.0.0.1:80"
weight = 1

[[service.real]]
address = "10.0.0.2:80"
weight = 2

[[service]]
udp = "192.0.2.1:53"

[[service.real]]
address = "10.0.0.1"
method = "dr"
"#;

fn site(text: &str) -> Site {
    match written::read(Path::new("site.toml"), text.to_owned()) {
        Ok(reading) => reading.site,
        Err(failure) => panic!("{}", failure.pictures()),
    }
}

fn all(site: &Site) -> Vec<Target> {
    let servers = site.services.iter();
    servers
        .flat_map(|server| targets(server, &all_up(server)))
        .collect()
}

fn owned(site: &Site) -> HashSet<ServiceKey> {
    super::keys(site).collect()
}

fn make(desired: &mut Desired, changes: Vec<Change>) {
    let transaction = Transaction::from(changes);
    desired.apply(&transaction, 0, &mut |_, _| {}).unwrap();
}

/// A director that does the services of this text.
fn done(text: &str) -> (Desired, Site) {
    let (mut desired, site) = (Desired::default(), site(text));
    let changes = changes(&desired, &HashSet::new(), &all(&site));
    make(&mut desired, changes);
    (desired, site)
}

fn first(site: &Site) -> ServiceKey {
    site.services[0].services[0].key
}

fn key(last: u8) -> DestinationKey {
    DestinationKey {
        address: [10, 0, 0, last].into(),
        port: 80,
    }
}

fn weights(desired: &Desired, service: &ServiceKey) -> Vec<(u8, u32)> {
    let service = desired.service(service).unwrap();
    let destinations = service.destinations().map(|it: &Destination| {
        let octets = match it.key.address {
            std::net::IpAddr::V4(address) => address.octets(),
            std::net::IpAddr::V6(_) => panic!("none is there"),
        };
        (octets[3], it.weight)
    });
    let mut all: Vec<_> = destinations.collect();
    all.sort_unstable();
    all
}

#[test]
fn what_is_as_it_should_be_is_not_touched() {
    let (desired, site) = done(SITE);
    assert_eq!(desired.services().len(), 2);
    assert_eq!(changes(&desired, &owned(&site), &all(&site)), []);
}

#[test]
fn a_change_in_the_file_is_one_change() {
    let (desired, before) = done(SITE);
    let after = site(&SITE.replace("weight = 2", "weight = 5"));
    let made = changes(&desired, &owned(&before), &all(&after));
    assert!(
        matches!(&made[..], [Change::EditDestination { destination, .. }]
            if destination.key == key(2) && destination.weight == 5),
        "{made:?}"
    );
    let scheduler = site(&SITE.replace("\"rr\"", "\"wlc\""));
    let made = changes(&desired, &owned(&before), &all(&scheduler));
    assert!(matches!(&made[..], [Change::EditService(_)]), "{made:?}");
}

#[test]
fn services_made_by_hand_stay_and_the_files_go_with_it() {
    let (mut desired, before) = done(SITE);
    let by_hand = site("[[service]]\ntcp = \"192.0.2.7:25\"\n");
    make(
        &mut desired,
        changes(&Desired::default(), &HashSet::new(), &all(&by_hand)),
    );
    let empty = site("");
    let made = changes(&desired, &owned(&before), &all(&empty));
    assert_eq!(made.len(), 2);
    make(&mut desired, made);
    let left: Vec<_> = desired.services().map(|it| it.service().key).collect();
    assert_eq!(left, [first(&by_hand)]);
}

#[test]
fn a_drained_destination_goes_on_to_be_drained() {
    let (mut desired, site_before) = done(SITE);
    let service = first(&site_before);
    make(
        &mut desired,
        vec![Change::Drain {
            service,
            destination: key(2),
            deadline: None,
            keep_clients: false,
        }],
    );
    // Its weight is what it gets back: nothing is to be done.
    assert_eq!(
        changes(&desired, &owned(&site_before), &all(&site_before)),
        []
    );
    // The file has it no more: its connections end in peace.
    let text = SITE.replace(
        "[[service.real]]\naddress = \"10.0.0.2:80\"\nweight = 2\n",
        "",
    );
    assert_eq!(
        changes(&desired, &owned(&site_before), &all(&site(&text))),
        []
    );
}

#[test]
fn checks_take_out_and_bring_back() {
    let (mut desired, site) = done(SITE);
    let (server, service) = (&site.services[0], first(&site));
    let up = all_up(server);
    let second_down = Wanted {
        servers: vec![Some(1), None],
        sorry_server: None,
    };
    let sorry = Wanted {
        servers: vec![None, None],
        sorry_server: Some(1),
    };
    let turn = |desired: &mut Desired, before: &Wanted, after: &Wanted| {
        let made = by_checks(desired, server, before, after);
        make(desired, made);
        weights(desired, &service)
    };
    assert_eq!(turn(&mut desired, &up, &second_down), [(1, 1)]);
    assert_eq!(turn(&mut desired, &second_down, &sorry), [(9, 1)]);
    assert_eq!(turn(&mut desired, &sorry, &up), [(1, 1), (2, 2)]);
    // By `inhibit_on_failure`.
    let inhibited = Wanted {
        servers: vec![Some(1), Some(0)],
        sorry_server: None,
    };
    assert_eq!(turn(&mut desired, &up, &inhibited), [(1, 1), (2, 0)]);
    assert_eq!(turn(&mut desired, &inhibited, &up), [(1, 1), (2, 2)]);
}

#[test]
fn checks_do_not_bring_back_what_an_operator_took_out() {
    let (mut desired, site) = done(SITE);
    let (server, service) = (&site.services[0], first(&site));
    make(
        &mut desired,
        vec![Change::DeleteDestination {
            service,
            destination: key(2),
        }],
    );
    let up = all_up(server);
    let heavier = Wanted {
        servers: vec![Some(3), Some(7)],
        sorry_server: None,
    };
    let made = by_checks(&desired, server, &up, &heavier);
    make(&mut desired, made);
    assert_eq!(weights(&desired, &service), [(1, 3)]);
    make(&mut desired, vec![Change::DeleteService(service)]);
    assert_eq!(by_checks(&desired, server, &heavier, &up), []);
}

#[test]
fn the_sorry_server_may_be_a_real_server() {
    let text = SITE.replace("10.0.0.9:80", "10.0.0.2:80");
    let Ok(reading) = written::read(Path::new("site.toml"), text) else {
        return;
    };
    let site = reading.site;
    let mut desired = Desired::default();
    make(
        &mut desired,
        changes(&Desired::default(), &HashSet::new(), &all(&site)),
    );
    let (server, service) = (&site.services[0], first(&site));
    let up = all_up(server);
    let sorry = Wanted {
        servers: vec![None, None],
        sorry_server: Some(1),
    };
    let made = by_checks(&desired, server, &up, &sorry);
    make(&mut desired, made);
    assert_eq!(weights(&desired, &service), [(2, 1)]);
    let made = by_checks(&desired, server, &sorry, &up);
    make(&mut desired, made);
    assert_eq!(weights(&desired, &service), [(1, 1), (2, 2)]);
}

/// Why a site with one check by way of the virtual address is refused.
fn refused(service: &str, check: &str, real: &str) -> String {
    let text = format!(
        "[[service]]\n{service}\nscheduler = \"rr\"\n\
         check = {{ {check}, via = \"vip\" }}\nreal = [{{ {real} }}]\n"
    );
    super::health::refused(&site(&text).services).unwrap_or_default()
}

#[test]
fn checks_by_way_of_the_virtual_address_are_refused_where_they_cannot_go() {
    let (vip, tcp) = ("tcp = \"192.0.2.1:80\"", "tcp = true");
    let by = |method: &str| format!("address = \"10.0.0.1\", method = \"{method}\"");
    for method in ["dr", "tun", "gue:6080", "nat"] {
        assert_eq!(refused(vip, tcp, &by(method)), "");
    }
    assert!(refused(vip, "ping = true", &by("dr")).contains("opens no connection"));
    let mark = |method| refused("mark = 7", tcp, &by(method));
    assert!(mark("dr").starts_with("check tcp of 10.0.0.1:0: "));
    assert!(mark("dr").contains("a firewall mark has none"));
    // By NAT it is a direct check.
    assert_eq!(mark("nat"), "");
    let all_ports = "tcp = \"192.0.2.1:0\"\npersistent = 60";
    assert!(refused(all_ports, tcp, &by("dr")).contains("connect_port"));
    assert_eq!(
        refused(all_ports, "tcp = true, connect_port = 80", &by("dr")),
        ""
    );
    let six = "address = \"2001:db8::1\", method = \"tun\"";
    assert!(refused(vip, tcp, six).contains("different IP versions"));
    // Several addresses: the first counts.
    let group = "tcp = [\"192.0.2.1:80\", \"192.0.2.2:80\"]\nmark = 7";
    assert_eq!(refused(group, tcp, &by("dr")), "");
}
