//! Whether the kernel forwards packets, which masquerading needs: the way of replies to clients
//! is looked up as that of a forwarded packet. Those with firewall marks of services it forwards to
//! the director's device.

use std::collections::BTreeSet;

use rlvs_control::model::{Family, ForwardingMethod};

use crate::facts::{Director, DirectorFacts, Facts, Running};
use crate::finding::{Finding, Severity};
use crate::sysctl;

const ACCEPT_LOCAL: &str = "accept-local";

pub(super) fn check(facts: &Facts, known: &DirectorFacts) -> Vec<Finding> {
    let of_family = |(family, path, id)| one(facts, &known.director, family, path, id);
    let families = [
        (Family::Ipv4, "net/ipv4/ip_forward", "ip-forward"),
        (Family::Ipv6, "net/ipv6/conf/all/forwarding", "ipv6-forward"),
    ];
    families.into_iter().flat_map(of_family).collect()
}

/// A real server that takes the director for its gateway sends replies from the virtual address,
/// which is the director's own: the kernel takes that for a forgery.
pub(super) fn own_address(facts: &Facts, running: &Running) -> Vec<Finding> {
    if facts.sysctls.get("net/ipv4/ip_forward") != Some(1) {
        return vec![Finding::ok(
            ACCEPT_LOCAL,
            "no matter: this machine is no gateway",
        )];
    }
    let kept = running.destinations().filter(|(service, destination)| {
        service.key.family() == Family::Ipv4 && keeps_address(&destination.method)
    });
    let interfaces: BTreeSet<_> = kept
        .filter_map(|(_, it)| it.next_hop.as_ref().ok())
        .collect();
    let of_interface = |interface: &String| {
        if facts.sysctls.greater(interface, "accept_local") > 0 {
            return Finding::ok(ACCEPT_LOCAL, "on");
        }
        let path = sysctl::path(Family::Ipv4, interface, "accept_local");
        Finding::note(ACCEPT_LOCAL, "off, while this machine forwards packets")
            .means("needed only where real servers have this director as their gateway")
            .mend(sysctl::command(&path, 1))
    };
    interfaces
        .into_iter()
        .map(|interface| of_interface(interface).about(interface))
        .collect()
}

pub(super) fn answers_pass(method: &ForwardingMethod) -> bool {
    matches!(
        method,
        ForwardingMethod::Masquerade | ForwardingMethod::FullNat
    )
}

/// Real servers see the packet as the client sent it, and answer from the virtual address.
fn keeps_address(method: &ForwardingMethod) -> bool {
    matches!(
        method,
        ForwardingMethod::Route | ForwardingMethod::Tunnel(_)
    )
}

fn one(
    facts: &Facts,
    director: &Director,
    family: Family,
    path: &str,
    id: &'static str,
) -> Vec<Finding> {
    // A kernel without IPv6 has no services of it.
    let Some(value) = facts.sysctls.get(path) else {
        return Vec::new();
    };
    if value == 0 {
        return vec![verdict(director, family, id).or_mend(path)];
    }
    let off = facts.served(director).filter(|segment| {
        facts
            .sysctls
            .get(&sysctl::path(family, &segment.name, "forwarding"))
            == Some(0)
    });
    let mut findings: Vec<_> = off
        .map(|segment| {
            let path = sysctl::path(family, &segment.name, "forwarding");
            verdict(director, family, id)
                .about(&segment.name)
                .or_mend(&path)
        })
        .collect();
    if findings.is_empty() {
        findings.push(Finding::ok(
            id,
            format!("{} forwarding is on", name(family)),
        ));
    }
    findings
}

/// Of forwarding that is off.
fn verdict(director: &Director, family: Family, id: &'static str) -> Finding {
    let state = format!("{} forwarding is off", name(family));
    match director {
        Director::Running(running) if running.uses(family, answers_pass) => {
            Finding::error(id, state)
                .means("NAT services (-m) need it: replies do not reach clients")
        }
        Director::Running(running) if running.has_marks(family) => Finding::error(id, state)
            .means("services by firewall mark (-f) need it: their packets are not balanced"),
        Director::Running(_) => Finding::ok(id, format!("{state}, and no service needs it")),
        _ => Finding::note(id, state).means("needed for NAT (-m) and firewall marks (-f) only"),
    }
}

fn name(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "IPv4",
        Family::Ipv6 => "IPv6",
    }
}

impl Finding {
    fn or_mend(self, path: &str) -> Self {
        match self.severity {
            Severity::Ok => self,
            _ => self.mend(sysctl::command(path, 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Severity::{Error, Note};
    use crate::check::sample::{self, faults, machine, running, with};

    fn off() -> Facts {
        let mut facts = sample::facts();
        facts.sysctls.set("net/ipv4/ip_forward", 0);
        facts.sysctls.set("net/ipv6/conf/all/forwarding", 0);
        facts
    }

    #[test]
    fn masquerading_needs_it_for_its_family() {
        let findings = check(&off(), &with(running(ForwardingMethod::Masquerade)));
        assert_eq!(faults(&findings), [("ip-forward".to_owned(), Error)]);
        assert_eq!(findings[0].mend, ["sysctl -w net.ipv4.ip_forward=1"]);
    }

    #[test]
    fn others_do_not() {
        let known = with(running(ForwardingMethod::Route));
        assert_eq!(faults(&check(&off(), &known)), []);
    }

    #[test]
    fn without_a_director_it_is_noted() {
        let expected = ["ip-forward", "ipv6-forward"].map(|id| (id.to_owned(), Note));
        assert_eq!(faults(&check(&off(), &machine())), expected);
    }

    #[test]
    fn one_interface_may_be_the_exception() {
        let mut facts = sample::facts();
        facts.sysctls.set("net/ipv4/ip_forward", 1);
        facts.sysctls.set("net/ipv4/conf/eth0/forwarding", 0);
        let findings = check(&facts, &with(running(ForwardingMethod::Masquerade)));
        assert_eq!(faults(&findings), [("ip-forward eth0".to_owned(), Error)]);
        let command = "sysctl -w net.ipv4.conf.eth0.forwarding=1";
        assert_eq!(findings[0].mend, [command]);
    }

    #[test]
    fn a_gateway_meets_its_own_address() {
        let mut facts = off();
        let running = running(ForwardingMethod::Route);
        assert_eq!(faults(&own_address(&facts, &running)), []);
        facts.sysctls.set("net/ipv4/ip_forward", 1);
        let findings = own_address(&facts, &running);
        assert_eq!(faults(&findings), [("accept-local eth0".to_owned(), Note)]);
        facts.sysctls.set("net/ipv4/conf/all/accept_local", 1);
        assert_eq!(faults(&own_address(&facts, &running)), []);
    }
}
