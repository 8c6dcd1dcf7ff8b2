//! Others that want the same packets.

use crate::facts::{Director, DirectorFacts, Facts, Interface, Xdp, XdpMode};
use crate::finding::{Finding, Severity};

const IP_VS: &str = "ip-vs";
const XDP: &str = "foreign-xdp";

/// The kernel's own IPVS.
pub(super) fn ip_vs(_: &Facts, known: &DirectorFacts) -> Vec<Finding> {
    let Some(ip_vs) = known.ip_vs.as_ref().filter(|it| it.services > 0) else {
        return vec![Finding::ok(IP_VS, "the kernel's IPVS has no services here")];
    };
    let finding = format!("the kernel's IPVS has {} services here", ip_vs.services);
    let finding = Finding::warning(IP_VS, finding).means(
        "it takes what the director passes to the stack, and scripts may change it instead of rlvs",
    );
    vec![match &ip_vs.tool {
        Some(tool) => finding.mend(format!("{} -C", tool.display())),
        None => finding,
    }]
}

/// XDP programs of others.
pub(super) fn xdp(facts: &Facts, known: &DirectorFacts) -> Vec<Finding> {
    let of_interface = |interface: &Interface| {
        let foreign = interface.xdp.iter().find(|xdp| !xdp.ours);
        let finding = match foreign {
            Some(foreign) => occupied(interface, foreign, &known.director),
            None => Finding::ok(XDP, "no program of others"),
        };
        finding.about(&interface.name)
    };
    facts.served(&known.director).map(of_interface).collect()
}

fn occupied(interface: &Interface, foreign: &Xdp, director: &Director) -> Finding {
    let program = foreign.name.as_deref().unwrap_or("without a name");
    let finding = format!("has another XDP program: {program}, id {}", foreign.program);
    let name = &interface.name;
    let severity = match director {
        // The director's is behind it, or beside it.
        Director::Running(running) if !running.detached.contains_key(name) => {
            return Finding::note(XDP, finding).means("it sees packets before the director does");
        }
        Director::Running(_) => Severity::Error,
        _ => Severity::Warning,
    };
    Finding::error(XDP, finding)
        .rated(severity)
        .means("a director cannot attach its own: what arrives there is not balanced")
        .mend(removal(name, foreign))
}

/// Whoever put it there: what a BPF link holds, the interface cannot let go.
fn removal(interface: &str, xdp: &Xdp) -> String {
    let kind = match xdp.mode {
        XdpMode::Native => "xdpdrv",
        XdpMode::Generic => "xdpgeneric",
        XdpMode::Offloaded => "xdpoffload",
    };
    match xdp.link {
        Some(link) => format!("bpftool link detach id {link}"),
        None => format!("ip link set dev {interface} {kind} off"),
    }
}

#[cfg(test)]
mod tests {
    use rlvs_control::ForwardingMethod;

    use super::*;
    use crate::check::sample;
    use crate::facts::IpVs;

    #[test]
    fn ip_vs_with_services_is_named_with_its_own_tool() {
        let mut machine = sample::machine();
        machine.ip_vs = Some(IpVs::default());
        assert_eq!(ip_vs(&sample::facts(), &machine)[0].severity, Severity::Ok);
        machine.ip_vs = Some(IpVs {
            services: 2,
            tool: Some("/usr/sbin/ipvsadm".into()),
        });
        let finding = &ip_vs(&sample::facts(), &machine)[0];
        assert_eq!(finding.severity, Severity::Warning);
        assert_eq!(finding.mend, ["/usr/sbin/ipvsadm -C"]);
    }

    #[test]
    fn another_program_is_in_the_way() {
        let mut running = sample::running(ForwardingMethod::Route);
        let mut facts = sample::facts();
        facts.interfaces[1].xdp = vec![sample::xdp(XdpMode::Native, true)];
        let attached = sample::with(running.clone());
        assert_eq!(xdp(&facts, &attached)[0].severity, Severity::Ok);
        facts.interfaces[1].xdp = vec![sample::xdp(XdpMode::Generic, false)];
        assert_eq!(xdp(&facts, &attached)[0].severity, Severity::Note);
        running.detached.insert("eth0".into(), "another one".into());
        let finding = &xdp(&facts, &sample::with(running))[0];
        assert_eq!(finding.severity, Severity::Error);
        assert_eq!(finding.mend, ["ip link set dev eth0 xdpgeneric off"]);
        facts.interfaces[1].xdp[0].link = Some(9);
        let finding = &xdp(&facts, &sample::machine())[0];
        assert_eq!(finding.severity, Severity::Warning);
        assert_eq!(finding.mend, ["bpftool link detach id 9"]);
    }
}
