//! Whether this machine answers ARP for its virtual addresses: one that was a real server before
//! may have been told not to.

use std::net::IpAddr;

use rlvs_control::model::Family;

use super::vip;
use crate::facts::{Facts, Interface, Running};
use crate::finding::Finding;
use crate::sysctl;

const ID: &str = "arp-ignore";

pub(super) fn check(facts: &Facts, running: &Running) -> Vec<Finding> {
    let vips = vip::addresses(running).into_iter();
    // One that is nowhere has a finding of its own.
    let local = vips.filter(|vip| vip.is_ipv4() && vip::places(facts, *vip).next().is_some());
    local.map(|vip| one(facts, vip).about(vip)).collect()
}

fn one(facts: &Facts, vip: IpAddr) -> Finding {
    if facts
        .segments()
        .any(|segment| is_answered(facts, segment, vip))
    {
        return Finding::ok(ID, "ARP questions for it are answered");
    }
    let finding = Finding::error(ID, "ARP questions for it are not answered")
        .means("clients do not find it: arp_ignore is for real servers, not for a director");
    commands(facts).fold(finding, Finding::mend)
}

/// The kernel's rule, arp_ignore() in net/ipv4/arp.c.
fn is_answered(facts: &Facts, segment: &Interface, vip: IpAddr) -> bool {
    let own = vip::places(facts, vip).find(|(place, _)| place.index == segment.index);
    match facts.sysctls.greater(&segment.name, "arp_ignore") {
        1 => own.is_some(),
        // The asker has to be in the address's own network: in a /32 there is no one else.
        2 => own.is_some_and(|(_, length)| length < 32),
        8 => false,
        _ => true,
    }
}

fn commands(facts: &Facts) -> impl Iterator<Item = String> {
    let names = facts.segments().map(|segment| segment.name.as_str());
    let paths = ["all"]
        .into_iter()
        .chain(names)
        .map(|place| sysctl::path(Family::Ipv4, place, "arp_ignore"));
    paths
        .filter(|path| facts.sysctls.get(path) > Some(0))
        .map(|path| sysctl::command(&path, 0))
}

#[cfg(test)]
mod tests {
    use rlvs_control::ForwardingMethod;

    use super::*;
    use crate::Severity::{Error, Ok};
    use crate::check::sample;

    fn severity(arp_ignore: u32, place: usize, length: u8) -> crate::Severity {
        let mut facts = sample::facts();
        facts.interfaces[1].addresses.clear();
        facts.interfaces[place].addresses = vec![(sample::address("10.0.0.100"), length)];
        facts
            .sysctls
            .set("net/ipv4/conf/all/arp_ignore", arp_ignore);
        let findings = check(&facts, &sample::running(ForwardingMethod::Route));
        let finding = &findings[0];
        if finding.severity == Error {
            assert_eq!(finding.mend, ["sysctl -w net.ipv4.conf.all.arp_ignore=0"]);
        }
        finding.severity
    }

    #[test]
    fn as_the_kernel_does() {
        const LO: usize = 0;
        const ETH0: usize = 1;
        assert_eq!(severity(0, LO, 32), Ok);
        assert_eq!(severity(1, LO, 32), Error);
        assert_eq!(severity(1, ETH0, 32), Ok);
        assert_eq!(severity(2, ETH0, 32), Error);
        assert_eq!(severity(2, ETH0, 24), Ok);
        assert_eq!(severity(8, ETH0, 24), Error);
    }
}
