//! Kernel parameters: those of the network namespace of the thread that opens them.

use std::fs;
use std::path::Path;

use rlvs_control::model::Family;

use crate::Sysctls;
use crate::facts::Interface;
use crate::sysctl::path;

const IPV4: [&str; 5] = [
    "accept_local",
    "arp_ignore",
    "forwarding",
    "rp_filter",
    "send_redirects",
];

pub(super) fn read(interfaces: &[Interface]) -> Sysctls {
    let mut sysctls = Sysctls::default();
    let places = ["all"]
        .into_iter()
        .chain(interfaces.iter().map(|interface| interface.name.as_str()));
    for place in places {
        for name in IPV4 {
            take(&mut sysctls, path(Family::Ipv4, place, name));
        }
        take(&mut sysctls, path(Family::Ipv6, place, "forwarding"));
    }
    take(&mut sysctls, "net/ipv4/ip_forward".to_owned());
    take(&mut sysctls, "net/core/bpf_jit_enable".to_owned());
    sysctls
}

fn take(sysctls: &mut Sysctls, path: String) {
    let text = fs::read_to_string(Path::new("/proc/sys").join(&path)).ok();
    if let Some(value) = text.and_then(|text| text.trim().parse().ok()) {
        sysctls.set(path, value);
    }
}
