//! What a device does for the stack that is bad for a director.

use crate::facts::{DirectorFacts, Facts, Interface};
use crate::finding::Finding;

/// By the kernel's name and the one that ethtool takes.
struct Offload {
    id: &'static str,
    feature: &'static str,
    option: &'static str,
    name: &'static str,
    meaning: &'static str,
}

const LRO: Offload = Offload {
    id: "lro",
    feature: "rx-lro",
    option: "lro",
    name: "large receive offload",
    meaning: "packets arrive glued together and cannot be forwarded; drivers refuse XDP with it",
};

const HARDWARE_GRO: Offload = Offload {
    id: "gro-hw",
    feature: "rx-gro-hw",
    option: "rx-gro-hw",
    name: "receive offload in hardware",
    meaning: "the card glues packets together before XDP sees them; drivers refuse XDP with it",
};

const VLAN: Offload = Offload {
    id: "rx-vlan",
    feature: "rx-vlan-hw-parse",
    option: "rxvlan",
    name: "VLAN tags are taken off by the card, and there are VLANs on it",
    meaning: "XDP sees their packets without tags, as those of the network without VLAN",
};

pub(super) fn check(facts: &Facts, _: &DirectorFacts) -> Vec<Finding> {
    let of_interface = |interface: &Interface| {
        let vlan = has_vlans(facts, interface);
        [
            LRO.check(interface, true),
            HARDWARE_GRO.check(interface, true),
            VLAN.check(interface, vlan),
        ]
    };
    facts.segments().flat_map(of_interface).collect()
}

fn has_vlans(facts: &Facts, interface: &Interface) -> bool {
    let mut upper = facts
        .interfaces
        .iter()
        .filter(|other| !other.link_elsewhere && other.link == Some(interface.index));
    upper.any(|other| other.is("vlan"))
}

impl Offload {
    fn check(&self, interface: &Interface, matters: bool) -> Finding {
        let on = interface.has(self.feature);
        if !on || !matters {
            let state = if on {
                "on, which does no harm here"
            } else {
                "off"
            };
            return Finding::ok(self.id, format!("{} is {state}", self.option))
                .about(&interface.name);
        }
        let finding = Finding::warning(self.id, format!("{} is on", self.option))
            .about(&interface.name)
            .means(format!("{}: {}", self.name, self.meaning));
        if interface.features.fixed.contains(self.feature) {
            return Finding {
                finding: format!("{} is on, and the driver keeps it on", self.option),
                ..finding
            };
        }
        finding.mend(format!("ethtool -K {} {} off", interface.name, self.option))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Severity::Warning;
    use crate::check::sample::{card, facts, faults, machine};

    #[test]
    fn lro_is_bad_and_can_be_turned_off() {
        let mut facts = facts();
        assert_eq!(faults(&check(&facts, &machine())), []);
        facts.interfaces[1].features.active = ["rx-lro".to_owned()].into();
        let findings = check(&facts, &machine());
        assert_eq!(faults(&findings), [("lro eth0".to_owned(), Warning)]);
        assert_eq!(findings[0].mend, ["ethtool -K eth0 lro off"]);
    }

    #[test]
    fn what_is_fixed_has_no_command() {
        let mut facts = facts();
        facts.interfaces[1].features.active = ["rx-gro-hw".to_owned()].into();
        facts.interfaces[1].features.fixed = ["rx-gro-hw".to_owned()].into();
        let findings = check(&facts, &machine());
        assert_eq!(faults(&findings), [("gro-hw eth0".to_owned(), Warning)]);
        assert!(findings[1].mend.is_empty());
    }

    #[test]
    fn tags_matter_where_there_are_vlans() {
        let mut facts = facts();
        facts.interfaces[1].features.active = ["rx-vlan-hw-parse".to_owned()].into();
        assert_eq!(faults(&check(&facts, &machine())), []);
        let mut vlan = card(3, "eth0.10");
        vlan.kind = Some("vlan".into());
        vlan.link = Some(2);
        facts.interfaces.push(vlan);
        let findings = check(&facts, &machine());
        assert_eq!(faults(&findings), [("rx-vlan eth0".to_owned(), Warning)]);
    }
}
