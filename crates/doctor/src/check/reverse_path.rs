//! Reverse-path filtering: strict, it drops what comes in by another interface than replies to
//! its sender would leave by. The greater value of `all` and the interface counts: 1 is strict, 2
//! is loose.

use rlvs_control::model::Family;

use crate::facts::{DirectorFacts, Facts, Interface, RealServerFacts};
use crate::finding::{Finding, Severity};
use crate::sysctl;

const ID: &str = "rp-filter";
const STRICT: u32 = 1;
const LOOSE: u32 = 2;
const ALL: &str = "all";
/// Kinds of devices that unpack IPv4 packets.
const TUNNELS: [&str; 5] = ["ipip", "sit", "gre", "ip6tnl", "ip6gre"];

/// ARP questions are filtered as well, so clients beyond another interface find no VIP.
pub(super) fn director(facts: &Facts, _: &DirectorFacts) -> Vec<Finding> {
    let meaning = "clients' packets and ARP questions are dropped where replies leave elsewhere";
    segments(facts, Severity::Warning, meaning)
}

/// What comes out of a tunnel is from a client, to whom the way never is the tunnel.
pub(super) fn real_server(facts: &Facts, _: &RealServerFacts) -> Vec<Finding> {
    let meaning = "requests are dropped where the reply to the client leaves by another interface";
    let mut findings = segments(facts, Severity::Note, meaning);
    let meaning = "all requests that come out of the tunnel are dropped";
    let tunnels = tunnels(facts).map(|tunnel| one(facts, tunnel, Severity::Error, meaning));
    findings.extend(tunnels);
    findings
}

pub(super) fn tunnels(facts: &Facts) -> impl Iterator<Item = &Interface> {
    facts.interfaces.iter().filter(|interface| {
        let kind = interface.kind.as_deref();
        interface.up && kind.is_some_and(|kind| TUNNELS.contains(&kind))
    })
}

/// With one interface there is no other way.
fn segments(facts: &Facts, severity: Severity, meaning: &str) -> Vec<Finding> {
    let count = facts.segments().count();
    let severity = if count > 1 { severity } else { Severity::Ok };
    let all = facts.sysctls.of(Family::Ipv4, ALL, "rp_filter") == STRICT;
    let strict = facts.segments().filter(|segment| is_strict(facts, segment));
    if all && strict.count() > 1 {
        return vec![verdict(ALL, severity, meaning)];
    }
    facts
        .segments()
        .map(|segment| one(facts, segment, severity, meaning))
        .collect()
}

fn one(facts: &Facts, interface: &Interface, severity: Severity, meaning: &str) -> Finding {
    if is_strict(facts, interface) {
        verdict(&interface.name, severity, meaning)
    } else {
        Finding::ok(ID, "not strict").about(&interface.name)
    }
}

fn is_strict(facts: &Facts, interface: &Interface) -> bool {
    facts.sysctls.greater(&interface.name, "rp_filter") == STRICT
}

/// Of a place where it is strict.
fn verdict(place: &str, severity: Severity, meaning: &str) -> Finding {
    let path = sysctl::path(Family::Ipv4, place, "rp_filter");
    let finding = match severity {
        Severity::Ok => Finding::ok(ID, "strict, which one interface alone does not mind"),
        _ => Finding::error(ID, "reverse-path filtering is strict")
            .rated(severity)
            .means(meaning)
            .mend(sysctl::command(&path, LOOSE)),
    };
    finding.about(place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::sample::{card, facts, faults, machine};

    #[test]
    fn strict_matters_with_two_interfaces() {
        let mut facts = facts();
        facts.sysctls.set("net/ipv4/conf/all/rp_filter", 1);
        assert_eq!(faults(&director(&facts, &machine())), []);
        facts.interfaces.push(card(3, "eth1"));
        facts.sysctls.set("net/ipv4/conf/eth1/rp_filter", 2);
        let findings = director(&facts, &machine());
        assert_eq!(
            faults(&findings),
            [("rp-filter eth0".to_owned(), Severity::Warning)]
        );
        assert_eq!(
            findings[0].mend,
            ["sysctl -w net.ipv4.conf.eth0.rp_filter=2"]
        );
    }

    #[test]
    fn where_all_are_strict_one_command_is_enough() {
        let mut facts = facts();
        facts.sysctls.set("net/ipv4/conf/all/rp_filter", 1);
        facts.interfaces.push(card(3, "eth1"));
        let findings = director(&facts, &machine());
        assert_eq!(
            faults(&findings),
            [("rp-filter all".to_owned(), Severity::Warning)]
        );
        assert_eq!(
            findings[0].mend,
            ["sysctl -w net.ipv4.conf.all.rp_filter=2"]
        );
    }

    #[test]
    fn a_tunnel_on_a_real_server_must_not_be_strict() {
        let mut facts = facts();
        facts.interfaces.push(Interface {
            ethernet: false,
            kind: Some("ipip".into()),
            ..card(3, "tunl0")
        });
        let known = RealServerFacts::default();
        assert_eq!(faults(&real_server(&facts, &known)), []);
        facts.sysctls.set("net/ipv4/conf/tunl0/rp_filter", 1);
        let findings = real_server(&facts, &known);
        assert_eq!(
            faults(&findings),
            [("rp-filter tunl0".to_owned(), Severity::Error)]
        );
    }
}
