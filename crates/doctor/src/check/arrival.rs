//! What became of what directors sent to a real server: tunnels without a tunnel device, and the
//! client's address.

use rlvs_realserver::Report;

use crate::facts::{Facts, RealServerFacts};
use crate::finding::Finding;

/// Counters of packets in tunnels that should be 0, each with what it means.
const TUNNELS: [(&str, &str); 5] = [
    (
        "wrong_sender",
        "a director that --from does not name, or somebody who forges: rlvs realserver up --vip \
         ADDRESS --from DIRECTORS",
    ),
    (
        "fragment",
        "the path takes less than the director sends: its tunnels' MTU is to be lower, or the \
         network's higher",
    ),
    (
        "unsupported",
        "a tunnel with a key, a sequence number, or an option that is not understood",
    ),
    ("malformed", "something on the way damages packets"),
    ("failed", "the kernel could not take outer headers away"),
];

/// Offloads that make several packets of a tunnel one.
const MERGING: [&str; 2] = ["rx-udp-gro-forwarding", "rx-gro-list"];

/// Packets in tunnels that did not arrive.
pub(super) fn tunnels(_: &Facts, known: &RealServerFacts) -> Vec<Finding> {
    let Some(report) = ending(known) else {
        return Vec::new();
    };
    let findings = TUNNELS.map(|(name, meaning)| {
        let finding = match count(report, name) {
            0 => Finding::ok("tunnel-packets", "none"),
            number => Finding::note("tunnel-packets", number.to_string()).means(meaning),
        };
        finding.about(name.replace('_', " "))
    });
    findings.into()
}

/// Interfaces whose offloads hide tunnels.
pub(super) fn merging(facts: &Facts, known: &RealServerFacts) -> Vec<Finding> {
    if ending(known).is_none() {
        return Vec::new();
    }
    let of_interface = |feature: &'static str| {
        facts.segments().map(move |segment| {
            let finding = if segment.has(feature) {
                Finding::warning("tunnel-offload", format!("{feature} is on"))
                    .means("packets of GUE are made one, and do not leave their tunnel")
                    .mend(format!("ethtool -K {} {feature} off", segment.name))
            } else {
                Finding::ok("tunnel-offload", format!("{feature} is off"))
            };
            finding.about(&segment.name)
        })
    };
    MERGING.into_iter().flat_map(of_interface).collect()
}

/// Connections whose client is not known.
pub(super) fn clients(_: &Facts, known: &RealServerFacts) -> Vec<Finding> {
    let Some(report) = &known.report else {
        return Vec::new();
    };
    let told = |name| report.clients.get(name).copied();
    let (Some(untold), Some(disbelieved)) = (told("untold"), told("disbelieved")) else {
        return Vec::new();
    };
    let of = |number: u64, about: &str, meaning: &str| {
        let finding = match number {
            0 => Finding::ok("client-address", "no connection"),
            number => {
                Finding::note("client-address", format!("{number} connections")).means(meaning)
            }
        };
        finding.about(about)
    };
    vec![
        of(
            untold,
            "untold",
            "the director does not tell whose they are, or a firewall on the way \
            takes TCP options away",
        ),
        of(
            disbelieved,
            "disbelieved",
            "peers that --from does not name say whose they are: a \
            director's local addresses, or somebody who forges",
        ),
    ]
}

/// The report of a real server that tunnels end at.
fn ending(known: &RealServerFacts) -> Option<&Report> {
    let report = known.report.as_ref();
    report.filter(|report| !report.tunnels.is_empty())
}

fn count(report: &Report, name: &str) -> u64 {
    report.tunnels.get(name).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Severity::{Note, Warning};
    use crate::check::sample::{facts, faults};

    fn known(tunnels: &[(&'static str, u64)], clients: &[(&'static str, u64)]) -> RealServerFacts {
        let report = Report {
            right: true,
            checks: Vec::new(),
            hints: Vec::new(),
            tunnels: tunnels.iter().copied().collect(),
            clients: clients.iter().copied().collect(),
        };
        RealServerFacts {
            report: Some(report),
            ..RealServerFacts::default()
        }
    }

    #[test]
    fn packets_that_did_not_arrive_are_told_of() {
        let counts = [("decapsulated", 7), ("wrong_sender", 2), ("fragment", 1)];
        let findings = tunnels(&facts(), &known(&counts, &[]));
        let expected = ["wrong sender", "fragment"];
        let expected = expected.map(|name| (format!("tunnel-packets {name}"), Note));
        assert_eq!(faults(&findings), expected);
        assert_eq!(tunnels(&facts(), &known(&[], &[])), []);
    }

    #[test]
    fn offloads_that_hide_tunnels_are_found_where_tunnels_end() {
        let mut facts = facts();
        facts.interfaces[1]
            .features
            .active
            .insert("rx-gro-list".into());
        let findings = merging(&facts, &known(&[("decapsulated", 0)], &[]));
        assert_eq!(
            faults(&findings),
            [("tunnel-offload eth0".to_owned(), Warning)]
        );
        assert_eq!(merging(&facts, &known(&[], &[])), []);
    }

    #[test]
    fn clients_that_are_not_known_are_told_of() {
        let counts = [("known", 9), ("untold", 1), ("disbelieved", 0)];
        let findings = clients(&facts(), &known(&[], &counts));
        assert_eq!(
            faults(&findings),
            [("client-address untold".to_owned(), Note)]
        );
        assert_eq!(clients(&facts(), &known(&[], &[])), []);
    }
}
