//! What a person sees.

use rlvs_control::drain::Draining;
use rlvs_control::model::{DestinationKey, ForwardingMethod, Protocol, ServiceKey};
use rlvs_control::status::{NetworkNamespace, SlowStart, VrrpInstance, VrrpState};

use super::*;

#[test]
fn a_director_at_work() {
    let text = anstream::adapter::strip_str(&render(&at_work())).to_string();
    assert_eq!(text, AT_WORK);
}

#[test]
fn a_director_with_nothing_to_do() {
    let text = anstream::adapter::strip_str(&render(&idle())).to_string();
    assert_eq!(text, IDLE);
}

#[test]
fn instances_are_shown_with_what_is_in_their_way() {
    let mut status = idle();
    status.vrrp = vec![instance()];
    let text = anstream::adapter::strip_str(&render(&status)).to_string();
    assert!(text.contains(INSTANCE), "{text}");
}

fn instance() -> VrrpInstance {
    VrrpInstance {
        name: "VI_1".into(),
        group: Some("VG".into()),
        interface: "eth0".into(),
        version: 3,
        virtual_router_id: 51,
        state: VrrpState::Backup,
        since_seconds: 90,
        why: Some("it was started".into()),
        priority: 120,
        source: None,
        master: Some([192, 0, 2, 2].into()),
        master_priority: Some(100),
        held: Some("1 of 2 health checks have said nothing yet".into()),
        handed_over: true,
        addresses: vec!["192.0.2.100/32".into(), "2001:db8::1/128".into()],
        problems: vec!["there is no interface eth7".into()],
        transitions: 1,
        sent: 0,
        not_sent: 0,
        received: 9,
        refused: [("password".into(), 9)].into(),
    }
}

const INSTANCE: &str = "
VRRP
  VI_1 BACKUP for 1 min 30 s: it was started
    router 51 of eth0, version 3, priority 120, group VG
    master 192.0.2.2, priority 100
    NO MASTER, AND IT WAITS: 1 of 2 health checks have said nothing yet
    handed over: it takes over when no master is heard
    would have 192.0.2.100/32, 2001:db8::1/128
    there is no interface eth7
    9 advertisements refused: password
";

#[test]
fn only_what_is_wrong_is_red() {
    let text = render(&at_work());
    let red: Vec<_> = text.split("\u{1b}[31m").skip(1).map(first_words).collect();
    assert_eq!(
        red,
        [
            "NOT ATTACHED",
            "NOT BALANCED",
            "UNRESOLVED",
            "NO LOCAL ADDRESS",
            "12",
            "no-next-hop"
        ]
    );
}

fn first_words(text: &str) -> &str {
    text.split([':', '\u{1b}']).next().unwrap()
}

const AT_WORK: &str = "\
rlvs 0.1.0  process 4711, up 1 h 2 min, network namespace director (42), rules number 7

Over TCP
  127.0.0.1:7443  the API, by tokens, in the clear

Interfaces
   2:  eth0    native: the driver runs XDP
   3:  uplink  tc: the driver has no XDP
  14:  eth2    NOT ATTACHED: the interface is down

Firewall marks
  NOT BALANCED: the kernel does not forward
  IPv4  98: from all iif lvs0 goto 200
  IPv6  200: from all lookup local

Services
                         method   weight  active  inactive  next hop
  TCP 192.0.2.1:80 wlc
    198.51.100.2:80      Route       100       2         3  02:00:00:00:00:02 on eth0; draining for 50 s, removed in 4 min 10 s
    198.51.100.113:80    Route       100     113         3  UNRESOLVED: no route
    198.51.100.5:80      Masq         37       5         3  this host; of weight 100, which it has in 19 s
  TCP 192.0.2.1:443 wlc                                     NO DESTINATION
  TCP 192.0.2.1:90 wlc
    from 10.0.1.200                            7            a port was taken 3 times
    from 10.0.1.201                            0
    198.51.100.6:80      FullNat     100       6         3  02:00:00:00:00:02 on eth0
  TCP 192.0.2.1:91 wlc                                      NO LOCAL ADDRESS: `ipvsadm --add-laddr` adds one
    198.51.100.7:80      FullNat     100       7         3  02:00:00:00:00:02 on eth0

Connections
        entries     size    slots    memory  evicted  thinned  stateless
  IPv4   123456  1000000  1048576  91.6 MiB        7        0          0
  IPv6        0  1000000  1048576  91.6 MiB        0        0          0

Packets passed
  1000000  not-ours  not for a virtual service

Packets dropped
  12  no-next-hop  the destination's next hop is unknown
";

const IDLE: &str = "\
rlvs 0.1.0  process 4711, up 0 s, network namespace 42, rules number 7

Interfaces
  none is known: no packet is balanced

Services
  none: `ipvsadm -A` adds one

Connections
    entries  size  slots  memory  evicted  thinned  stateless

Packets passed
  none

Packets dropped
  none
";

fn at_work() -> Status {
    let name = Some("director".to_owned());
    let idle = idle();
    Status {
        number: 7,
        listening: vec![Listener {
            address: ([127, 0, 0, 1], 7443).into(),
            what: Answers::Api,
        }],
        daemon: Daemon {
            uptime_seconds: 3_725,
            network_namespace: NetworkNamespace { cookie: 42, name },
            ..idle.daemon
        },
        interfaces: vec![
            interface("eth0", 2, Attachment::Native, "the driver runs XDP"),
            interface("uplink", 3, Attachment::Tc, "the driver has no XDP"),
            interface("eth2", 14, Attachment::Detached, "the interface is down"),
        ],
        synchronisation: None,
        site: None,
        vrrp: vec![],
        marks: Some(MarkPath {
            device: "lvs0".to_owned(),
            rules: vec![
                rule(Family::Ipv4, "98: from all iif lvs0 goto 200"),
                rule(Family::Ipv6, "200: from all lookup local"),
            ],
            problem: Some("the kernel does not forward".to_owned()),
        }),
        services: vec![
            service(
                80,
                vec![
                    DestinationState {
                        draining: Some(Draining {
                            seconds: 50,
                            seconds_left: Some(250),
                            keeps_clients: false,
                            weight: 100,
                        }),
                        ..destination(2, resolved())
                    },
                    destination(113, unresolved("no route")),
                    DestinationState {
                        method: ForwardingMethod::Masquerade,
                        slow_start: Some(SlowStart {
                            percent: 37,
                            seconds_left: 19,
                        }),
                        ..destination(5, NextHop::Local)
                    },
                ],
            ),
            service(443, vec![]),
            ServiceState {
                local_addresses: vec![local_address(200, 7, 3), local_address(201, 0, 0)],
                ..service(90, vec![by_full_nat(6)])
            },
            service(91, vec![by_full_nat(7)]),
        ],
        connections: vec![table(Family::Ipv4, 123_456, 7), table(Family::Ipv6, 0, 0)],
        passed: vec![counter("not-ours", "not for a virtual service", 1_000_000)],
        dropped: vec![
            counter("truncated", "shorter than its headers say", 0),
            counter("no-next-hop", "the destination's next hop is unknown", 12),
        ],
    }
}

fn idle() -> Status {
    let network_namespace = NetworkNamespace {
        cookie: 42,
        name: None,
    };
    let version = "0.1.0".to_owned();
    Status {
        number: 7,
        listening: Vec::new(),
        daemon: Daemon {
            version,
            pid: 4711,
            uptime_seconds: 0,
            network_namespace,
        },
        interfaces: vec![],
        marks: None,
        synchronisation: None,
        site: None,
        vrrp: vec![],
        services: vec![],
        connections: vec![],
        passed: vec![],
        dropped: vec![],
    }
}

fn rule(family: Family, rule: &str) -> MarkRule {
    let rule = rule.to_owned();
    MarkRule { family, rule }
}

fn interface(name: &str, index: u32, attachment: Attachment, reason: &str) -> Interface {
    Interface {
        name: name.to_owned(),
        index,
        attachment,
        reason: reason.to_owned(),
    }
}

fn service(port: u16, destinations: Vec<DestinationState>) -> ServiceState {
    let address = [192, 0, 2, 1].into();
    let key = ServiceKey::Address {
        protocol: Protocol::Tcp,
        address,
        port,
    };
    ServiceState {
        key,
        scheduler: "wlc".to_owned(),
        from_file: false,
        destinations,
        local_addresses: vec![],
    }
}

fn destination(host: u8, next_hop: NextHop) -> DestinationState {
    DestinationState {
        key: DestinationKey {
            address: [198, 51, 100, host].into(),
            port: 80,
        },
        method: ForwardingMethod::Route,
        weight: 100,
        active_connections: u32::from(host),
        inactive_connections: 3,
        next_hop,
        draining: None,
        slow_start: None,
        path_mtu: Some(1500),
    }
}

fn by_full_nat(host: u8) -> DestinationState {
    DestinationState {
        method: ForwardingMethod::FullNat,
        ..destination(host, resolved())
    }
}

fn local_address(host: u8, connections: u64, conflicts: u64) -> LocalAddress {
    LocalAddress {
        address: [10, 0, 1, host].into(),
        connections,
        conflicts,
    }
}

fn resolved() -> NextHop {
    NextHop::Resolved {
        interface: "eth0".to_owned(),
        mac: "02:00:00:00:00:02".to_owned(),
    }
}

fn unresolved(reason: &str) -> NextHop {
    NextHop::Unresolved {
        reason: reason.to_owned(),
    }
}

fn table(family: Family, entries: u64, evicted: u64) -> ConnectionTable {
    let (size, slots, bytes, stateless) = (1_000_000, 1_048_576, 96_000_000, 0);
    ConnectionTable {
        family,
        entries,
        size,
        slots,
        bytes,
        evicted,
        thinned: 0,
        stateless,
    }
}

fn counter(reason: &str, meaning: &str, packets: u64) -> Counter {
    Counter {
        reason: reason.to_owned(),
        meaning: meaning.to_owned(),
        packets,
    }
}
