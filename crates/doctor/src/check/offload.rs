//! What a device does for the stack that is bad for a director.

use rlvs_network::features;

use crate::facts::{Director, DirectorFacts, Facts, Interface};
use crate::finding::{Finding, Severity};

/// By the kernel's name and the one that ethtool takes.
struct Offload {
    id: &'static str,
    feature: &'static str,
    option: &'static str,
    name: &'static str,
    meaning: &'static str,
    severity: Severity,
    /// Drivers turn it off themselves when they take a program, as most do.
    tolerated: bool,
}

const LRO: Offload = Offload {
    id: "lro",
    feature: features::LRO,
    option: "lro",
    name: "large receive offload",
    meaning: "packets arrive joined and cannot be forwarded: a director does not attach then",
    severity: Severity::Warning,
    tolerated: false,
};

const HARDWARE_GRO: Offload = Offload {
    id: "gro-hw",
    feature: features::HARDWARE_GRO,
    option: "rx-gro-hw",
    name: "receive offload in hardware",
    meaning: "the card joins packets before XDP sees them; some drivers refuse XDP",
    severity: Severity::Warning,
    tolerated: true,
};

const VLAN: Offload = Offload {
    id: "rx-vlan",
    feature: features::VLAN_STRIPPING,
    option: "rxvlan",
    name: "the card takes VLAN tags off",
    meaning: "XDP would not know what is in VLANs, so the program is in traffic control, at a \
              higher cost",
    severity: Severity::Note,
    tolerated: false,
};

pub(super) fn check(facts: &Facts, known: &DirectorFacts) -> Vec<Finding> {
    let runs = matches!(known.director, Director::Running(_));
    let of_interface = |interface: &Interface| {
        let vlan = has_vlans(facts, interface);
        [(LRO, true), (HARDWARE_GRO, true), (VLAN, vlan)].map(|(offload, matters)| {
            let finding = match matters && interface.has(offload.feature) {
                true => offload.fault(interface, runs),
                false => Finding::ok(offload.id, format!("{} does no harm", offload.option)),
            };
            finding.about(&interface.name)
        })
    };
    facts
        .served(&known.director)
        .flat_map(of_interface)
        .collect()
}

fn has_vlans(facts: &Facts, interface: &Interface) -> bool {
    let mut upper = facts
        .interfaces
        .iter()
        .filter(|other| !other.link_elsewhere && other.link == Some(interface.index));
    upper.any(|other| other.is("vlan"))
}

impl Offload {
    fn fault(&self, interface: &Interface, runs: bool) -> Finding {
        let severity = self.severity(interface, runs);
        let finding = Finding::warning(self.id, format!("{} is on", self.option)).rated(severity);
        if severity == Severity::Ok {
            return finding;
        }
        let finding = finding.means(format!("{}: {}", self.name, self.meaning));
        if interface.features.fixed.contains(self.feature) {
            return Finding {
                finding: format!("{} is on, and the driver keeps it on", self.option),
                ..finding
            };
        }
        finding.mend(format!("ethtool -K {} {} off", interface.name, self.option))
    }

    fn severity(&self, interface: &Interface, runs: bool) -> Severity {
        match interface.mode() {
            _ if !self.tolerated => self.severity,
            Some(_) => Severity::Ok,
            // It may be what the director's program was refused for.
            None if runs => self.severity,
            None => Severity::Note,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Severity::{Note, Warning};
    use crate::check::sample::{card, facts, faults, machine, running, with, xdp};
    use crate::facts::XdpMode;
    use rlvs_control::ForwardingMethod;

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
        assert_eq!(faults(&findings), [("gro-hw eth0".to_owned(), Note)]);
        assert!(findings[1].mend.is_empty());
    }

    #[test]
    fn gro_in_hardware_matters_until_the_program_is_there() {
        let mut facts = facts();
        facts.interfaces[1].features.active = ["rx-gro-hw".to_owned()].into();
        let known = with(running(ForwardingMethod::Route));
        let findings = check(&facts, &known);
        assert_eq!(faults(&findings), [("gro-hw eth0".to_owned(), Warning)]);
        facts.interfaces[1].xdp = vec![xdp(XdpMode::Native, true)];
        assert_eq!(faults(&check(&facts, &known)), []);
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
        assert_eq!(faults(&findings), [("rx-vlan eth0".to_owned(), Note)]);
    }
}
