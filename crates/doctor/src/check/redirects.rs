//! ICMP redirects, where clients and masqueraded real servers are in one network.
//!
//! A kernel that forwards a packet out of the interface it came in by tells its sender of the
//! shorter way. A real server that heeds it sends its replies past the director, and clients get
//! them from an address they never asked.

use std::collections::BTreeSet;

use rlvs_control::model::Family;

use super::{forwarding, vip};
use crate::facts::{Facts, Running};
use crate::finding::Finding;
use crate::sysctl;

const ID: &str = "send-redirects";

pub(super) fn check(facts: &Facts, running: &Running) -> Vec<Finding> {
    let one = |interface: &str| verdict(facts, interface).about(interface);
    one_armed(facts, running).into_iter().map(one).collect()
}

/// The interfaces that have both a virtual address and a real server masqueraded for it.
fn one_armed<'a>(facts: &Facts, running: &'a Running) -> BTreeSet<&'a str> {
    let masqueraded = running
        .destinations()
        .filter(|(_, destination)| forwarding::answers_pass(&destination.method));
    let interfaces = masqueraded.filter_map(|(service, destination)| {
        let vip = vip::address(&service.key).filter(|vip| vip.is_ipv4())?;
        let interface = destination.next_hop.as_ref().ok()?;
        let mut places = vip::places(facts, vip);
        places
            .any(|(place, _)| place.name == *interface)
            .then_some(interface.as_str())
    });
    interfaces.collect()
}

fn verdict(facts: &Facts, interface: &str) -> Finding {
    let paths = ["all", interface].map(|it| sysctl::path(Family::Ipv4, it, "send_redirects"));
    let on: Vec<_> = paths
        .iter()
        .filter(|path| facts.sysctls.get(path) > Some(0))
        .collect();
    if on.is_empty() {
        return Finding::ok(ID, "off");
    }
    let finding = Finding::warning(ID, "on, with clients and NAT real servers in one network")
        .means("real servers learn a way round the director; their replies go by it and are lost");
    let commands = on.into_iter().map(|path| sysctl::command(path, 0));
    commands.fold(finding, Finding::mend)
}

#[cfg(test)]
mod tests {
    use rlvs_control::ForwardingMethod;

    use super::*;
    use crate::Severity::Warning;
    use crate::check::sample::{self, faults, running};

    #[test]
    fn both_places_must_be_off() {
        let mut facts = sample::facts();
        let running = running(ForwardingMethod::Masquerade);
        facts.sysctls.set("net/ipv4/conf/all/send_redirects", 1);
        facts.sysctls.set("net/ipv4/conf/eth0/send_redirects", 1);
        let findings = check(&facts, &running);
        assert_eq!(
            faults(&findings),
            [("send-redirects eth0".to_owned(), Warning)]
        );
        let commands = ["all", "eth0"]
            .map(|place| format!("sysctl -w net.ipv4.conf.{place}.send_redirects=0"));
        assert_eq!(findings[0].mend, commands);
    }

    #[test]
    fn two_networks_or_other_methods_do_not_care() {
        let mut facts = sample::facts();
        facts.sysctls.set("net/ipv4/conf/all/send_redirects", 1);
        let mut two = running(ForwardingMethod::Masquerade);
        two.services[0].destinations[0].next_hop = Ok("eth1".into());
        assert_eq!(check(&facts, &two), []);
        assert_eq!(check(&facts, &running(ForwardingMethod::Route)), []);
    }
}
