//! What the kernel is able to do.

use std::error::Error;
use std::fs;
use std::path::Path;

use aya::programs::ProgramType;
use aya::sys::is_program_supported;
use rustix::fs::statfs;

use crate::facts::Kernel;

const BPF_FS_MAGIC: i64 = 0xcafe_4a11;

pub(super) fn read() -> Kernel {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    Kernel {
        release: release.trim().to_owned(),
        bpf: obstacle(),
        bpffs: super::installed::BPF_FS.iter().any(|path| is_bpffs(path)),
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

fn is_bpffs(path: &str) -> bool {
    statfs(path).is_ok_and(|statistics| statistics.f_type == BPF_FS_MAGIC)
}

fn chain(error: &dyn Error) -> String {
    let cause = error.source().map(|cause| format!(": {}", chain(cause)));
    format!("{error}{}", cause.unwrap_or_default())
}
