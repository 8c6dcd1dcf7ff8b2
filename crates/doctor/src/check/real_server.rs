//! A real server's own settings, as `rlvs realserver` knows them.

use rlvs_realserver::Check;

use crate::facts::{Facts, RealServerFacts};
use crate::finding::Finding;

pub(super) fn settings(_: &Facts, known: &RealServerFacts) -> Vec<Finding> {
    match &known.report {
        Some(report) => report.checks.iter().map(finding).collect(),
        None => vec![
            Finding::error(
                "vip",
                "no virtual address was brought up here, and none is named",
            )
            .means("look again with --vip ADDRESS, or make this host a real server for it")
            .mend("rlvs realserver up --vip ADDRESS"),
        ],
    }
}

fn finding(check: &Check) -> Finding {
    let (id, meaning) = kind(&check.setting);
    let Check {
        setting,
        present,
        wanted,
        right,
        mend,
    } = check;
    if *right {
        return Finding::ok(id, present).about(setting);
    }
    let finding = Finding::error(id, format!("is {present}, should be {wanted}"));
    let finding = finding.about(setting).means(meaning);
    mend.iter().fold(finding, Finding::mend)
}

/// What a setting is called here, and what comes of it where it is wrong.
fn kind(setting: &str) -> (&'static str, &'static str) {
    if setting.starts_with("tunnels ") {
        return (
            "tunnel-end",
            "what the director sends through tunnels by this interface is not taken",
        );
    }
    let last = setting.rsplit(['.', ' ']).next().unwrap_or_default();
    match last {
        // "client address"
        "address" => (
            "client-address",
            "servers see the director's address in place of the client's",
        ),
        "arp_ignore" => (
            "arp-ignore",
            "this host answers ARP for the VIP: clients may reach it past the director",
        ),
        "arp_announce" => (
            "arp-announce",
            "this host names the VIP in its own ARP questions: others learn its MAC address for it",
        ),
        "disable_ipv6" => ("ipv6", "the IPv6 VIP cannot be on lo"),
        "lo" => (
            "loopback",
            "no address on lo is local: packets to the VIP are dropped",
        ),
        _ => (
            "vip-local",
            "packets to the VIP are not taken, or this host answers for it on its segment",
        ),
    }
}

#[cfg(test)]
mod tests {
    use rlvs_realserver::Report;

    use super::*;
    use crate::Severity::Error;
    use crate::check::sample::{facts, faults};

    fn check(setting: &str, right: bool) -> Check {
        Check {
            setting: setting.into(),
            present: "0".into(),
            wanted: "1".into(),
            right,
            mend: vec!["mend".into()],
        }
    }

    #[test]
    fn what_is_wrong_is_an_error_with_its_command() {
        let report = Report {
            right: false,
            checks: vec![
                check("net.ipv4.conf.all.arp_announce", true),
                check("net.ipv4.conf.all.arp_ignore", false),
                check("address 10.0.0.100", false),
                check("link lo", false),
                check("tunnels eth0.5", false),
                check("client address", false),
            ],
            hints: Vec::new(),
            tunnels: Default::default(),
            clients: Default::default(),
        };
        let known = RealServerFacts {
            report: Some(report),
            ..RealServerFacts::default()
        };
        let findings = settings(&facts(), &known);
        let expected = [
            "arp-ignore net.ipv4.conf.all.arp_ignore",
            "vip-local address 10.0.0.100",
            "loopback link lo",
            "tunnel-end tunnels eth0.5",
            "client-address client address",
        ];
        assert_eq!(faults(&findings), expected.map(|it| (it.to_owned(), Error)));
        assert_eq!(findings[1].mend, ["mend"]);
    }

    #[test]
    fn without_a_vip_there_is_nothing_to_look_at() {
        let findings = settings(&facts(), &RealServerFacts::default());
        assert_eq!(faults(&findings), [("vip".to_owned(), Error)]);
    }
}
