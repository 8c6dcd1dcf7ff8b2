//! What has to be installed, and only that: a second run finds everything and takes no time.

mod apt;
mod linker;
pub(crate) mod tool;

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use crate::toolchain;

/// Packages that belong together, and why.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group {
    name: &'static str,
    packages: &'static [&'static str],
}

/// A compiler and linker for the eBPF target.
pub(crate) const BUILD: Group = Group {
    name: "build",
    packages: &[
        "build-essential",
        "llvm-22-dev",
        "libzstd-dev",
        "zlib1g-dev",
        "libxml2-dev",
    ],
};

/// Debian's compiler, with the library's source and the lints: where rustup has no rust-src.
const DEBIAN_RUST: Group = Group {
    name: "Rust for eBPF",
    packages: &["rustc-web", "rust-web-src", "rust-web-clippy"],
};

/// What runs in the hosts of a lab.
pub(crate) const LAB: Group = Group {
    name: "lab",
    packages: &[
        "iproute2",
        "iptables",
        "nftables",
        "iputils-ping",
        "nginx-light",
        "curl",
        "socat",
        "dnsmasq-base",
        "bind9-dnsutils",
        "ethtool",
        "tcpdump",
        "procps",
        "hping3",
        "apache2-utils",
        "vsftpd",
        "python3-aiosmtpd",
        "postgresql",
        "mariadb-server-core",
        "mariadb-client-core",
        "redis-server",
        "sip-tester",
        "net-tools",
        "ldirectord",
        "systemd",
        "util-linux",
    ],
};

/// The emulator, a kernel for it, and the real ipvsadm to compare with.
pub(crate) const VM: Group = Group {
    name: "virtual machine",
    packages: &[
        "qemu-system-x86",
        "linux-image-amd64",
        "busybox-static",
        "kmod",
        "ipvsadm",
    ],
};

/// A server of files, and its clients.
pub(crate) const STORAGE: Group = Group {
    name: "storage",
    packages: &["nfs-kernel-server", "nfs-common"],
};

/// Whom the bench compares with.
pub(crate) const BENCH: Group = Group {
    name: "bench",
    packages: &["keepalived"],
};

pub(crate) const ALL: [Group; 5] = [BUILD, LAB, VM, STORAGE, BENCH];

/// Downloads and compilation of one step.
const LIMIT: Duration = Duration::from_secs(1800);

/// Installs what `groups` name and is not there.
pub(crate) fn run(groups: &[Group]) -> Result<()> {
    let mut groups = groups.to_vec();
    let builds = groups.iter().any(|group| group.name == BUILD.name);
    if builds && toolchain::rustup_rustc().is_none() {
        groups.push(DEBIAN_RUST);
    }
    apt::install(&groups)?;
    if builds { linker::install() } else { Ok(()) }
}

fn home() -> PathBuf {
    env::var_os("HOME").map_or_else(|| "/root".into(), PathBuf::from)
}
