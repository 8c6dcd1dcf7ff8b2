//! What the kernel is able to do.

use std::error::Error;
use std::fs;
use std::path::Path;

use aya::programs::ProgramType;
use aya::sys::is_program_supported;
use rlvs_plane::bpffs;

use crate::facts::Kernel;

pub(super) fn read() -> Kernel {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    Kernel {
        release: release.trim().to_owned(),
        bpf: obstacle(),
        bpffs: bpffs::mounted().next().is_some(),
        btf: Path::new("/sys/kernel/btf/vmlinux").exists(),
    }
}

/// Why the smallest of XDP programs cannot be loaded.
fn obstacle() -> Option<String> {
    match is_program_supported(ProgramType::Xdp) {
        Ok(true) => None,
        Ok(false) => Some("this kernel has no XDP".to_owned()),
        Err(error) => Some(chain(&error)),
    }
}

fn chain(error: &dyn Error) -> String {
    let cause = error.source().map(|cause| format!(": {}", chain(cause)));
    format!("{error}{}", cause.unwrap_or_default())
}
