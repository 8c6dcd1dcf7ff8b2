//! Full NAT: local addresses stand for clients, and real servers' answers find back to them.

use std::collections::BTreeSet;

use rlvs_control::model::ForwardingMethod;

use super::vip;
use crate::facts::{Facts, Running, Service};
use crate::finding::Finding;

const NONE: &str = "full-nat";
const LOCAL: &str = "local-address";

/// Without one, packets of the service are dropped.
pub(super) fn has_local_addresses(_: &Facts, running: &Running) -> Vec<Finding> {
    let services = running.services.iter().filter(|it| is_full_nat(it));
    services.map(has_one).collect()
}

/// Real servers and routers ask for them on the segment.
pub(super) fn local_addresses(facts: &Facts, running: &Running) -> Vec<Finding> {
    let services = running.services.iter();
    let all: BTreeSet<_> = services.flat_map(|it| &it.local_addresses).collect();
    let of = |address: &_| vip::local(LOCAL, facts, running, *address);
    all.into_iter().map(of).collect()
}

fn has_one(service: &Service) -> Finding {
    let (key, count) = (service.key, service.local_addresses.len());
    let finding = match count {
        0 => Finding::error(NONE, "it has no local address")
            .means("its connections to full NAT destinations are dropped")
            .mend(format!(
                "ipvsadm --add-laddr {} --laddr ADDRESS",
                key.words()
            )),
        1 => Finding::ok(NONE, "a local address stands for clients"),
        _ => Finding::ok(NONE, format!("{count} local addresses stand for clients")),
    };
    finding.about(key)
}

fn is_full_nat(service: &Service) -> bool {
    let mut destinations = service.destinations.iter();
    destinations.any(|it| it.method == ForwardingMethod::FullNat)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Severity::{Error, Ok, Warning};
    use crate::check::sample::{address, facts, running};

    #[test]
    fn a_service_has_local_addresses() {
        let mut running = running(ForwardingMethod::FullNat);
        let finding = &has_local_addresses(&facts(), &running)[0];
        assert_eq!(finding.severity, Error);
        assert_eq!(
            finding.mend,
            ["ipvsadm --add-laddr -t 10.0.0.100:80 --laddr ADDRESS"]
        );
        running.services[0].local_addresses = vec![address("10.0.0.200")];
        let finding = &has_local_addresses(&facts(), &running)[0];
        assert_eq!(finding.severity, Ok);
    }

    #[test]
    fn other_methods_need_none() {
        let running = running(ForwardingMethod::Masquerade);
        assert!(has_local_addresses(&facts(), &running).is_empty());
        assert!(local_addresses(&facts(), &running).is_empty());
    }

    #[test]
    fn a_local_address_is_on_an_interface() {
        let mut facts = facts();
        let mut running = running(ForwardingMethod::FullNat);
        let local = address("10.0.0.200");
        running.services[0].local_addresses = vec![local];
        let finding = &local_addresses(&facts, &running)[0];
        assert_eq!(finding.severity, Warning);
        assert_eq!(finding.mend, ["ip address add 10.0.0.200/32 dev eth0"]);
        facts.interfaces[1].addresses.push((local, 32));
        assert_eq!(local_addresses(&facts, &running)[0].severity, Ok);
    }
}
