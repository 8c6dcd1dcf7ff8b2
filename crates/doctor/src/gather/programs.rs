//! Whose the XDP programs on the interfaces are.

use std::collections::BTreeMap;

use aya::programs::{loaded_links, loaded_programs};

use super::installed;
use crate::facts::{Interface, Running};

/// How the names of a director's programs begin.
const OURS: &str = "rlvs";

/// Completes what the links said of programs.
pub(super) fn name(interfaces: &mut [Interface], director: Option<&Running>) {
    if interfaces.iter().all(|interface| interface.xdp.is_empty()) {
        return;
    }
    let (names, links) = (names(), links());
    for interface in interfaces {
        let attached = match director {
            Some(director) => !director.detached.contains_key(&interface.name),
            None => installed::is_on(interface.index),
        };
        for xdp in &mut interface.xdp {
            xdp.name = names.get(&xdp.program).cloned();
            xdp.link = links.get(&xdp.program).copied();
            // An interface has room for others beside a director's. Without privileges no name
            // is known, and nothing else tells them apart.
            let is_called_so = xdp.name.as_ref().is_some_and(|name| name.starts_with(OURS));
            xdp.ours = attached && (is_called_so || names.is_empty());
        }
    }
}

/// Without privileges there are none.
fn names() -> BTreeMap<u32, String> {
    let named = |program: aya::programs::ProgramInfo| {
        let name = program.name_as_str()?.to_owned();
        (!name.is_empty()).then_some((program.id(), name))
    };
    loaded_programs().flatten().filter_map(named).collect()
}

/// The BPF link of each program that has one.
fn links() -> BTreeMap<u32, u32> {
    let links = loaded_links().flatten();
    links.map(|link| (link.program_id(), link.id())).collect()
}
