//! Made-up facts for tests.

use rlvs_control::model::{DestinationKey, ForwardingMethod, Protocol, ServiceKey};

use crate::facts::{
    Destination, Director, DirectorFacts, Facts, Interface, Kernel, Running, Service, Side, Xdp,
    XdpMode,
};
use crate::finding::{Finding, Severity};

/// `eth0` with an address and a VIP, and `lo`.
pub(super) fn facts() -> Facts {
    let loopback = Interface {
        index: 1,
        name: "lo".into(),
        up: true,
        loopback: true,
        mtu: 65_536,
        addresses: vec![(address("127.0.0.1"), 8)],
        ..Interface::default()
    };
    let mut eth0 = card(2, "eth0");
    eth0.addresses = vec![(address("10.0.0.5"), 24), (address("10.0.0.100"), 32)];
    Facts {
        interfaces: vec![loopback, eth0],
        ..Facts::default()
    }
}

/// A network card that is up.
pub(super) fn card(index: u32, name: &str) -> Interface {
    Interface {
        index,
        name: name.into(),
        up: true,
        ethernet: true,
        mtu: 1500,
        driver: Some("ixgbe".into()),
        ..Interface::default()
    }
}

pub(super) fn xdp(mode: XdpMode, ours: bool) -> Xdp {
    Xdp {
        mode,
        program: 7,
        name: Some(if ours { "rlvs_xdp" } else { "other" }.into()),
        link: None,
        ours,
    }
}

/// A director with one service at 10.0.0.100:80 and one destination, 10.0.0.11:80.
pub(super) fn running(method: ForwardingMethod) -> Running {
    Running {
        in_tc: [].into(),
        detached: [("lo".to_owned(), "the loopback interface".to_owned())].into(),
        services: vec![Service {
            key: ServiceKey::Address {
                protocol: Protocol::Tcp,
                address: address("10.0.0.100"),
                port: 80,
            },
            destinations: vec![Destination {
                key: DestinationKey {
                    address: address("10.0.0.11"),
                    port: 80,
                },
                method,
                next_hop: Ok("eth0".into()),
                path_mtu: Some(1500),
            }],
            local_addresses: vec![],
        }],
    }
}

pub(super) fn with(running: Running) -> DirectorFacts {
    DirectorFacts {
        director: Director::Running(running),
        ..machine()
    }
}

/// A machine that may be a director and is none.
pub(super) fn machine() -> DirectorFacts {
    DirectorFacts {
        kernel: Kernel {
            release: "6.1.0-28-amd64".into(),
            bpf: None,
            bpffs: true,
            btf: true,
        },
        ..DirectorFacts::default()
    }
}

pub(super) fn address(text: &str) -> std::net::IpAddr {
    text.parse().unwrap()
}

/// The findings that are not ok, as `id subject`, with their severity.
pub(super) fn faults(findings: &[Finding]) -> Vec<(String, Severity)> {
    let faults = findings.iter().filter(|it| it.severity > Severity::Ok);
    faults
        .map(|it| {
            let subject = it.subject.iter().map(|subject| format!(" {subject}"));
            (it.id.to_owned() + &subject.collect::<String>(), it.severity)
        })
        .collect()
}

#[test]
fn a_healthy_director_has_no_faults() {
    let mut facts = facts();
    facts.interfaces[1].xdp = vec![xdp(XdpMode::Native, true)];
    facts.side = Side::Director(Box::new(with(running(ForwardingMethod::Route))));
    assert_eq!(faults(&crate::examine(&facts)), []);
}

#[test]
fn the_worst_comes_first() {
    let mut facts = facts();
    let mut machine = machine();
    machine.kernel.btf = false;
    facts.side = Side::Director(Box::new(machine));
    let severities: Vec<_> = crate::examine(&facts)
        .iter()
        .map(|it| it.severity)
        .collect();
    assert_eq!(severities[0], Severity::Error);
    assert!(severities.is_sorted_by(|a, b| a >= b));
}
