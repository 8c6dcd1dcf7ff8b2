//! The checks: functions of the facts, each of one subject.

mod arp;
mod arrival;
mod attachment;
mod conflict;
mod daemon;
mod destination;
mod driver;
mod forwarding;
mod full_nat;
mod kernel;
mod mtu;
mod offload;
mod real_server;
mod redirects;
mod reverse_path;
#[cfg(test)]
mod sample;
mod veth;
mod vip;

use crate::facts::{Director, DirectorFacts, Facts, RealServerFacts, Running, Side};
use crate::finding::Finding;

type Check<T> = fn(&Facts, &T) -> Vec<Finding>;

/// Of every director's machine.
const DIRECTOR: [Check<DirectorFacts>; 10] = [
    kernel::check,
    daemon::check,
    conflict::ip_vs,
    conflict::xdp,
    driver::check,
    offload::check,
    veth::check,
    mtu::jumbo,
    forwarding::check,
    reverse_path::director,
];

/// Where a daemon runs and says what it serves.
const RUNNING: [Check<Running>; 10] = [
    attachment::check,
    vip::is_local,
    vip::is_no_real_server,
    arp::check,
    destination::next_hop,
    mtu::tunnel,
    redirects::check,
    forwarding::own_address,
    full_nat::has_local_addresses,
    full_nat::local_addresses,
];

/// Of a real server.
const REAL_SERVER: [Check<RealServerFacts>; 6] = [
    real_server::settings,
    reverse_path::real_server,
    mtu::segments,
    arrival::tunnels,
    arrival::merging,
    arrival::clients,
];

/// Does all checks that the facts are made for; the worst findings first.
pub fn examine(facts: &Facts) -> Vec<Finding> {
    let mut findings = match &facts.side {
        Side::Director(known) => {
            let mut findings = all(&DIRECTOR, facts, known);
            if let Director::Running(running) = &known.director {
                findings.extend(all(&RUNNING, facts, running));
            }
            findings
        }
        Side::RealServer(known) => all(&REAL_SERVER, facts, known),
    };
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

fn all<T>(checks: &[Check<T>], facts: &Facts, known: &T) -> Vec<Finding> {
    checks
        .iter()
        .flat_map(|check| check(facts, known))
        .collect()
}
