//! What has to be installed, and only that: a second run finds everything and takes no time.

mod apt;
mod linker;

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs};

use anyhow::Result;

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
        "nginx-light",
        "curl",
        "socat",
        "dnsmasq-base",
        "bind9-dnsutils",
        "ethtool",
        "tcpdump",
        "procps",
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

pub(crate) const ALL: [Group; 3] = [BUILD, LAB, VM];

/// Downloads and compilation of one step.
const LIMIT: Duration = Duration::from_secs(1800);

/// Installs what `groups` name and is not there.
pub(crate) fn run(groups: &[Group]) -> Result<()> {
    let mut groups = groups.to_vec();
    let builds = groups.iter().any(|group| group.name == BUILD.name);
    if builds && !rustup_has_library_source() {
        groups.push(DEBIAN_RUST);
    }
    apt::install(&groups)?;
    if builds { linker::install() } else { Ok(()) }
}

/// Whether a toolchain of rustup can build `core` for the eBPF target.
fn rustup_has_library_source() -> bool {
    let home = env::var_os("RUSTUP_HOME").map_or_else(|| home().join(".rustup"), PathBuf::from);
    let Ok(toolchains) = fs::read_dir(home.join("toolchains")) else {
        return false;
    };
    let has_source =
        |toolchain: &Path| toolchain.join("lib/rustlib/src/rust/library/core").is_dir();
    toolchains
        .flatten()
        .any(|toolchain| has_source(&toolchain.path()))
}

fn home() -> PathBuf {
    env::var_os("HOME").map_or_else(|| "/root".into(), PathBuf::from)
}
