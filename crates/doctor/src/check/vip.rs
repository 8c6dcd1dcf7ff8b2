//! Virtual addresses: that somebody answers for them, and that they are no real server's.

use std::collections::BTreeSet;
use std::net::IpAddr;

use rlvs_control::model::{ForwardingMethod, ServiceKey};

use crate::facts::{Destination, Facts, Interface, Running};
use crate::finding::Finding;

const LOCAL: &str = "vip-local";
const SAME: &str = "vip-is-real-server";

/// Routers and clients ask for the address on the segment.
pub(super) fn is_local(facts: &Facts, running: &Running) -> Vec<Finding> {
    let of = |vip: IpAddr| local(LOCAL, facts, running, vip);
    addresses(running).into_iter().map(of).collect()
}

/// No service leads to its own address again.
pub(super) fn is_no_real_server(facts: &Facts, running: &Running) -> Vec<Finding> {
    let vips = addresses(running);
    let mut findings = Vec::new();
    for (service, destination) in running.destinations() {
        let address = destination.key.address;
        if !vips.contains(&address) || is_this_host(facts, destination) {
            continue;
        }
        let finding = Finding::error(
            SAME,
            format!("its real server {} is a VIP", destination.key),
        )
        .about(service.key)
        .means("its packets come back to the director, and go round");
        let words = service.key.words();
        findings.push(finding.mend(format!("ipvsadm -d {words} -r {}", destination.key)));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(SAME, "no real server has a virtual address"));
    }
    findings
}

/// What reaches it goes to the stack, as with IPVS, and not out again.
fn is_this_host(facts: &Facts, destination: &Destination) -> bool {
    let mut loopback = facts.interfaces.iter().filter(|it| it.loopback);
    destination.method == ForwardingMethod::Local
        || loopback.any(|loopback| destination.next_hop.as_ref() == Ok(&loopback.name))
}

/// All of them.
pub(super) fn addresses(running: &Running) -> BTreeSet<IpAddr> {
    let services = running.services.iter();
    services
        .filter_map(|service| address(&service.key))
        .collect()
}

/// None for a service by firewall mark.
pub(super) fn address(key: &ServiceKey) -> Option<IpAddr> {
    match key {
        ServiceKey::Address { address, .. } => Some(*address),
        ServiceKey::Mark { .. } => None,
    }
}

/// The interfaces that have it.
pub(super) fn places(facts: &Facts, vip: IpAddr) -> impl Iterator<Item = (&Interface, u8)> {
    facts.interfaces.iter().flat_map(move |interface| {
        let same = interface.addresses.iter().filter(move |(it, _)| *it == vip);
        same.map(move |(_, length)| (interface, *length))
    })
}

/// The stack answers for its own addresses on the segment.
pub(super) fn local(
    id: &'static str,
    facts: &Facts,
    running: &Running,
    address: IpAddr,
) -> Finding {
    let mut names = Vec::new();
    let mut answers = false;
    for (interface, _) in places(facts, address) {
        names.push(interface.name.as_str());
        // Linux answers neighbour solicitations for the asked interface's addresses alone.
        answers |= address.is_ipv4() || !interface.loopback;
    }
    if answers {
        return Finding::ok(id, format!("on {}", names.join(", "))).about(address);
    }
    let finding = match names.is_empty() {
        true => Finding::warning(id, "on no interface"),
        false => Finding::warning(id, "only on lo, for which IPv6 does not answer"),
    };
    let finding = finding
        .about(address)
        .means("nobody answers for it on the segment; fine only where a router sends it here");
    let length = if address.is_ipv4() { "32" } else { "128" };
    let mut served = facts
        .segments()
        .filter(|interface| !running.detached.contains_key(&interface.name));
    match served.next() {
        Some(interface) => finding.mend(format!(
            "ip address add {address}/{length} dev {}",
            interface.name
        )),
        None => finding,
    }
}

#[cfg(test)]
mod tests {
    use rlvs_control::Protocol;

    use super::*;
    use crate::Severity::{Error, Ok, Warning};
    use crate::check::sample::{self, facts, running};

    #[test]
    fn a_vip_is_on_an_interface() {
        let mut facts = facts();
        let running = running(ForwardingMethod::Route);
        assert_eq!(is_local(&facts, &running)[0].severity, Ok);
        facts.interfaces[1].addresses.clear();
        let finding = &is_local(&facts, &running)[0];
        assert_eq!(finding.severity, Warning);
        assert_eq!(finding.mend, ["ip address add 10.0.0.100/32 dev eth0"]);
    }

    #[test]
    fn an_ipv6_vip_is_not_on_lo() {
        let mut facts = facts();
        let vip = sample::address("fd00::100");
        let mut running = running(ForwardingMethod::Route);
        running.services[0].key = ServiceKey::Address {
            protocol: Protocol::Tcp,
            address: vip,
            port: 80,
        };
        facts.interfaces[0].addresses.push((vip, 128));
        let finding = &is_local(&facts, &running)[0];
        assert_eq!(finding.severity, Warning);
        assert_eq!(finding.mend, ["ip address add fd00::100/128 dev eth0"]);
        facts.interfaces[1].addresses.push((vip, 64));
        assert_eq!(is_local(&facts, &running)[0].severity, Ok);
    }

    #[test]
    fn a_vip_is_no_real_server() {
        let mut running = running(ForwardingMethod::Route);
        assert_eq!(is_no_real_server(&facts(), &running)[0].severity, Ok);
        running.services[0].destinations[0].key.address = sample::address("10.0.0.100");
        let finding = &is_no_real_server(&facts(), &running)[0];
        assert_eq!(finding.severity, Error);
        assert_eq!(
            finding.mend,
            ["ipvsadm -d -t 10.0.0.100:80 -r 10.0.0.100:80"]
        );
        running.services[0].destinations[0].next_hop = Result::Ok("lo".into());
        assert_eq!(is_no_real_server(&facts(), &running)[0].severity, Ok);
    }
}
