//! Whether the driver runs XDP programs itself.

use super::kernel::numbers;
use crate::facts::{Director, DirectorFacts, Facts, Interface, XdpMode};
use crate::finding::Finding;

const ID: &str = "xdp-driver";

/// Drivers with native XDP, by the names they have on their buses, and the kernel it came with
/// where that is later than the oldest one for a director. From the drivers that implement
/// `ndo_bpf` in Linux.
const NATIVE: [(&str, (u32, u32)); 44] = [
    ("am65-cpsw-nuss", (6, 10)),
    ("atlantic", OLD),
    ("bnxt_en", OLD),
    ("cpsw", OLD),
    ("cpsw-switch", OLD),
    ("ena", OLD),
    ("fec", (6, 2)),
    ("fsl_dpa", OLD),
    ("fsl_dpaa2_eth", OLD),
    ("fsl_enetc", OLD),
    ("fsl_enetc_vf", OLD),
    ("funeth", OLD),
    ("gve", (6, 4)),
    ("hv_netvsc", OLD),
    ("i40e", OLD),
    ("ice", OLD),
    ("icssg-prueth", (6, 15)),
    ("igb", OLD),
    ("igc", OLD),
    ("intel-eth-pci", OLD),
    ("ixgbe", OLD),
    ("ixgbevf", OLD),
    ("lan966x-switch", (6, 2)),
    ("mana", OLD),
    ("mlx4_core", OLD),
    ("mlx5_core", OLD),
    ("mlx5_core.eth", OLD),
    ("mtk_soc_eth", OLD),
    ("mvneta", OLD),
    ("mvpp2", OLD),
    ("netsec", OLD),
    ("nfp", OLD),
    ("nicvf", OLD),
    ("qede", OLD),
    ("rvu_nicpf", OLD),
    ("rvu_nicvf", OLD),
    ("sfc", OLD),
    ("sfc_siena", OLD),
    ("st_gmac", OLD),
    ("tsnep", OLD),
    ("vif", OLD),
    ("virtio_net", OLD),
    ("vmxnet3", (6, 6)),
    ("netdevsim", OLD),
];

const OLD: (u32, u32) = (0, 0);

pub(super) fn check(facts: &Facts, known: &DirectorFacts) -> Vec<Finding> {
    let release = numbers(&known.kernel.release).unwrap_or(OLD);
    let of_interface = |interface: &Interface| {
        let in_tc = match &known.director {
            Director::Running(running) => running.in_tc.get(&interface.name),
            _ => None,
        };
        one(interface, release, in_tc).about(&interface.name)
    };
    facts.served(&known.director).map(of_interface).collect()
}

/// Whether a real card's driver should run the program itself.
pub(super) fn is_native(driver: &str, release: (u32, u32)) -> bool {
    let found = NATIVE.iter().find(|(name, _)| *name == driver);
    found.is_some_and(|(_, since)| release >= *since)
}

/// `in_tc`: why the program is in traffic control, if it is.
fn one(interface: &Interface, release: (u32, u32), in_tc: Option<&String>) -> Finding {
    if let Some(kind) = &interface.kind {
        return Finding::ok(ID, format!("{kind}: no driver to run the program in"));
    }
    let driver = interface.driver.as_deref().unwrap_or("unknown");
    match (is_native(driver, release), interface.mode()) {
        (true, None) if in_tc.is_some() => Finding::warning(
            ID,
            format!(
                "{driver} has native XDP, but the program is in traffic control: {}",
                in_tc.map_or("", String::as_str)
            ),
        )
        .means("packets cost about three times as much; `dmesg` may have the driver's reason"),
        (_, Some(XdpMode::Native | XdpMode::Offloaded)) => {
            Finding::ok(ID, format!("{driver} runs the program itself"))
        }
        (true, Some(XdpMode::Generic)) => Finding::warning(
            ID,
            format!("{driver} has native XDP, but the program is generic"),
        )
        .means("packets cost about three times as much; `dmesg` may have the driver's reason"),
        (true, None) => Finding::ok(ID, format!("{driver} has native XDP")),
        (false, _) => Finding::note(
            ID,
            format!("the driver, {driver}, is not known to have native XDP"),
        )
        .means("traffic control serves, at about three times the cost a packet"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Severity;
    use crate::check::sample::{card, xdp};

    fn severity(driver: &str, mode: Option<XdpMode>) -> Severity {
        let mut interface = card(2, "eth0");
        interface.driver = Some(driver.into());
        interface.xdp = mode.map(|mode| xdp(mode, true)).into_iter().collect();
        one(&interface, (6, 1), None).severity
    }

    #[test]
    fn drivers_are_known() {
        assert_eq!(severity("ice", None), Severity::Ok);
        assert_eq!(severity("e1000e", None), Severity::Note);
        assert_eq!(severity("e1000e", Some(XdpMode::Native)), Severity::Ok);
        assert_eq!(severity("ice", Some(XdpMode::Generic)), Severity::Warning);
        // Came with 6.6.
        assert_eq!(severity("vmxnet3", None), Severity::Note);
        assert!(is_native("vmxnet3", (6, 12)));
    }

    #[test]
    fn a_driver_that_could_is_told_why_it_does_not() {
        let mut interface = card(2, "eth0");
        interface.driver = Some("ice".into());
        let reason = "no XDP: too large".to_owned();
        let finding = one(&interface, (6, 1), Some(&reason));
        assert_eq!(finding.severity, Severity::Warning);
        assert!(finding.finding.ends_with(&reason));
    }

    #[test]
    fn virtual_devices_have_no_driver() {
        let mut interface = card(2, "eth0");
        interface.kind = Some("veth".into());
        assert_eq!(one(&interface, (6, 1), None).severity, Severity::Ok);
    }
}
