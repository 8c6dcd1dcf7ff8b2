//! The other end of a veth whose program runs in the driver.
//!
//! There packets come as the other end's stack left them, with checksums still to be filled in;
//! and frames go back to it only if it receives as a driver does, which GRO makes it.

use crate::facts::{DirectorFacts, Facts, Interface, XdpMode};
use crate::finding::Finding;

const CHECKSUM: &str = "veth-checksum";
const GRO: &str = "veth-gro";
const OUTPUT_CHECKSUM: &str = "tx-checksum-ip-generic";
const RECEIVE_GRO: &str = "rx-gro";

pub(super) fn check(facts: &Facts, _: &DirectorFacts) -> Vec<Finding> {
    let native = facts
        .segments()
        .filter(|it| it.is("veth") && it.mode() == Some(XdpMode::Native));
    native
        .flat_map(|interface| ends(facts, interface))
        .collect()
}

fn ends(facts: &Facts, interface: &Interface) -> Vec<Finding> {
    let peer = interface.link.filter(|_| !interface.link_elsewhere);
    match peer.and_then(|index| facts.interface(index)) {
        Some(peer) => vec![checksum(interface, peer), gro(interface, peer)],
        None => vec![unseen(interface)],
    }
}

fn checksum(interface: &Interface, peer: &Interface) -> Finding {
    if !peer.has(OUTPUT_CHECKSUM) {
        return Finding::ok(CHECKSUM, "the other end fills in checksums").about(&interface.name);
    }
    Finding::warning(
        CHECKSUM,
        format!("{}, its other end, leaves checksums open", peer.name),
    )
    .about(&interface.name)
    .means("what programs of that end send is forwarded with wrong checksums, and dropped")
    .mend(format!("ethtool -K {} tx off", peer.name))
}

fn gro(interface: &Interface, peer: &Interface) -> Finding {
    if peer.has(RECEIVE_GRO) || !peer.xdp.is_empty() {
        return Finding::ok(GRO, "the other end takes frames").about(&interface.name);
    }
    Finding::warning(GRO, format!("{}, its other end, has no GRO", peer.name))
        .about(&interface.name)
        .means("frames that the program sends back are lost, and nobody counts them")
        .mend(format!("ethtool -K {} gro on", peer.name))
}

/// The kernel names the other end's interface by nothing that would tell its features.
fn unseen(interface: &Interface) -> Finding {
    Finding::note(
        CHECKSUM,
        "its other end is in another network namespace, unseen from here",
    )
    .about(&interface.name)
    .means(
        "with native XDP that end must fill in checksums and have GRO on: there, for its \
             interface, ethtool -K PEER tx off gro on; or leave mode at \"auto\"",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Severity::{Note, Warning};
    use crate::check::sample::{card, facts, faults, machine, xdp};

    fn pair() -> Facts {
        let mut facts = facts();
        let mut peer = card(3, "port");
        peer.up = false;
        peer.features.active = [OUTPUT_CHECKSUM.to_owned()].into();
        facts.interfaces.push(peer);
        facts.interfaces[1].kind = Some("veth".into());
        facts.interfaces[1].link = Some(3);
        facts.interfaces[1].xdp = vec![xdp(XdpMode::Native, true)];
        facts
    }

    #[test]
    fn the_other_end_matters_to_native_programs() {
        let mut facts = pair();
        let findings = check(&facts, &machine());
        let expected = ["veth-checksum eth0", "veth-gro eth0"];
        assert_eq!(
            faults(&findings),
            expected.map(|it| (it.to_owned(), Warning))
        );
        assert_eq!(findings[0].mend, ["ethtool -K port tx off"]);
        assert_eq!(findings[1].mend, ["ethtool -K port gro on"]);
        facts.interfaces[2].features.active = [RECEIVE_GRO.to_owned()].into();
        assert_eq!(faults(&check(&facts, &machine())), []);
    }

    #[test]
    fn generic_programs_take_all() {
        let mut facts = pair();
        facts.interfaces[1].xdp = vec![xdp(XdpMode::Generic, true)];
        assert_eq!(check(&facts, &machine()), []);
    }

    #[test]
    fn an_end_elsewhere_is_only_noted() {
        let mut facts = pair();
        facts.interfaces[1].link_elsewhere = true;
        let findings = check(&facts, &machine());
        assert_eq!(faults(&findings), [("veth-checksum eth0".to_owned(), Note)]);
    }
}
