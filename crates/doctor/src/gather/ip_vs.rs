//! The kernel's own IPVS in this network namespace.

use std::fs;
use std::path::{Path, PathBuf};

use crate::facts::IpVs;

/// Where distributions install IPVS's `ipvsadm`.
const TOOLS: [&str; 2] = ["/usr/sbin/ipvsadm", "/sbin/ipvsadm"];

pub(super) fn read() -> Option<IpVs> {
    let table = fs::read_to_string("/proc/net/ip_vs").ok()?;
    Some(IpVs {
        services: services(&table),
        tool: TOOLS
            .into_iter()
            .map(PathBuf::from)
            .find(|path| is_its_own(path)),
    })
}

/// Three lines of heading, then services, each followed by its destinations with an arrow.
fn services(table: &str) -> usize {
    let lines = table.lines().skip(3);
    lines
        .filter(|line| !line.trim_start().starts_with("->"))
        .count()
}

/// `ipvsadm` may be a link to this program, which knows nothing of the kernel's services.
fn is_its_own(path: &Path) -> bool {
    let file = fs::canonicalize(path).ok();
    file.is_some_and(|file| file.file_name().is_some_and(|name| name != "rlvs"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn services_are_counted() {
        let heading = "IP Virtual Server version 1.2.1 (size=4096)\n\
                       Prot LocalAddress:Port Scheduler Flags\n  \
                         -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n";
        assert_eq!(super::services(heading), 0);
        let services = "TCP  0A000064:0050 wlc  \n  \
                          -> 0A00000B:0050      Route   1      0          0         \n\
                        UDP  0A000064:0035 rr  \n";
        assert_eq!(super::services(&format!("{heading}{services}")), 2);
    }
}
