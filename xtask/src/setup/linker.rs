//! `bpf-linker`, built against Debian's LLVM and kept outside `target/`: it takes minutes.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{LIMIT, home};
use crate::{progress, workspace};

const VERSION: &str = "0.13.0";
const LLVM: &str = "/usr/lib/llvm-22/bin";

/// Builds the linker unless there is one that `crates/plane/build.rs` finds.
pub(super) fn install() -> Result<()> {
    if env::var_os("RLVS_BPF_LINKER").is_some() || is_there() {
        return Ok(());
    }
    let features = ["--no-default-features", "--features", "llvm-22"];
    let mut cargo = workspace::cargo();
    cargo
        .args([
            "install",
            "bpf-linker",
            "--version",
            VERSION,
            "--locked",
            "--root",
        ])
        .arg(cache())
        .args(features)
        .env("PATH", path_with_llvm())
        .env_remove("RUSTC_WORKSPACE_WRAPPER");
    progress::run(&format!("build bpf-linker {VERSION}"), &mut cargo, LIMIT)
}

fn is_there() -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let in_path = env::split_paths(&path).any(|directory| directory.join("bpf-linker").is_file());
    in_path || cache().join("bin/bpf-linker").is_file()
}

fn cache() -> PathBuf {
    let base = env::var_os("XDG_CACHE_HOME").filter(|directory| Path::new(directory).is_absolute());
    let base = base.map_or_else(|| home().join(".cache"), PathBuf::from);
    base.join(format!("rlvs/bpf-linker-{VERSION}"))
}

fn path_with_llvm() -> OsString {
    let mut path = OsString::from(LLVM);
    path.push(":");
    path.push(env::var_os("PATH").unwrap_or_default());
    path
}
