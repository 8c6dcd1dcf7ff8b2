//! Whether frames for each real server have somewhere to go.

use rlvs_control::model::ForwardingMethod;

use crate::facts::{Facts, Running};
use crate::finding::Finding;

const ID: &str = "next-hop";

pub(super) fn next_hop(_: &Facts, running: &Running) -> Vec<Finding> {
    let remote = running
        .destinations()
        .filter(|(_, destination)| destination.method != ForwardingMethod::Local);
    remote
        .map(|(service, destination)| {
            let finding = match &destination.next_hop {
                Ok(interface) => Finding::ok(ID, format!("known, on {interface}")),
                Err(reason) => Finding::error(ID, format!("unknown: {reason}")).means(format!(
                    "packets for it are dropped; `ip route get {0}` and `ping {0}` show why",
                    destination.key.address
                )),
            };
            finding.about(format!("{} -> {}", service.key, destination.key))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Severity;
    use crate::check::sample;

    #[test]
    fn an_unknown_next_hop_is_named_with_its_service() {
        let mut running = sample::running(ForwardingMethod::Route);
        let finding = &next_hop(&sample::facts(), &running)[0];
        assert_eq!(finding.severity, Severity::Ok);
        running.services[0].destinations[0].next_hop = Err("no route".into());
        let finding = &next_hop(&sample::facts(), &running)[0];
        assert_eq!(finding.severity, Severity::Error);
        let subject = finding.subject.as_deref();
        assert_eq!(subject, Some("TCP 10.0.0.100:80 -> 10.0.0.11:80"));
    }
}
