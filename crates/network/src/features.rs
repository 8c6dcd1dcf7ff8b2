//! What devices do for the stack: `ethtool -k` of all interfaces.

use std::collections::{BTreeMap, BTreeSet};

use ethtool::{EthtoolAttr, EthtoolFeatureAttr, EthtoolFeatureBit, EthtoolHeader, EthtoolMessage};
use futures::StreamExt;

/// What a device does for the stack, by the kernel's names (`ethtool -k` has its own for some).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Features {
    pub active: BTreeSet<String>,
    /// Those that cannot be changed.
    pub fixed: BTreeSet<String>,
}

/// Large receive offload: what it has joined cannot be forwarded.
pub const LRO: &str = "rx-lro";
/// Receive offload in hardware: packets are joined before XDP sees them.
pub const HARDWARE_GRO: &str = "rx-gro-hw";
/// VLAN tags are taken off before XDP sees frames.
pub const VLAN_STRIPPING: &str = "rx-vlan-hw-parse";

/// By the interfaces' indexes. Where the kernel does not tell of one, nothing is said of it.
pub async fn read() -> BTreeMap<u32, Features> {
    let Ok((connection, mut handle, _)) = ethtool::new_connection() else {
        return BTreeMap::new();
    };
    tokio::spawn(connection);
    let Ok(answers) = handle.feature().get(None).execute().await else {
        return BTreeMap::new();
    };
    let known = answers.filter_map(async |answer| one(&answer.ok()?.payload));
    known.collect().await
}

fn one(message: &EthtoolMessage) -> Option<(u32, Features)> {
    let mut index = None;
    let mut features = Features::default();
    for attribute in &message.nlas {
        let EthtoolAttr::Feature(attribute) = attribute else {
            continue;
        };
        match attribute {
            EthtoolFeatureAttr::Header(header) => index = header.iter().find_map(device),
            EthtoolFeatureAttr::Active(bits) => features.active = names(bits).collect(),
            EthtoolFeatureAttr::NoChange(bits) => features.fixed = names(bits).collect(),
            _ => {}
        }
    }
    Some((index?, features))
}

fn device(header: &EthtoolHeader) -> Option<u32> {
    match header {
        EthtoolHeader::DevIndex(index) => Some(*index),
        _ => None,
    }
}

fn names(bits: &[EthtoolFeatureBit]) -> impl Iterator<Item = String> {
    let on = bits.iter().filter(|bit| bit.value);
    on.map(|bit| bit.name.clone())
}
