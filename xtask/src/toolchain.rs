//! A compiler that can build `core` for the eBPF target, and its lints.
//!
//! In the order of `crates/plane/build.rs`: the one that `RLVS_BPF_RUSTC` names, a toolchain of
//! rustup that has rust-src, Debian's. Lints must come from the same release as the compiler.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context, Result};
use rlvs_lab::command;

const LIMIT: Duration = Duration::from_secs(20);
const DEBIAN: &str = "/usr/bin/rustc";

/// The compiler to build the eBPF crate with.
pub(crate) fn rustc() -> PathBuf {
    let named = env::var_os("RLVS_BPF_RUSTC").map(PathBuf::from);
    named.or_else(rustup_rustc).unwrap_or_else(|| DEBIAN.into())
}

/// The lints that belong to `rustc`.
pub(crate) fn clippy_driver(rustc: &Path) -> Result<PathBuf> {
    let mut ask = Command::new(rustc);
    let sysroot = command::finish(ask.args(["--print", "sysroot"]), LIMIT)?.success()?;
    let driver = Path::new(sysroot.trim()).join("bin/clippy-driver");
    let found = driver.is_file().then_some(driver);
    found.with_context(|| {
        format!(
            "no clippy-driver for {}: cargo xtask setup",
            rustc.display()
        )
    })
}

/// The compiler of the first toolchain of rustup that has the library's source.
pub(crate) fn rustup_rustc() -> Option<PathBuf> {
    let home = env::var_os("RUSTUP_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".rustup")))?;
    let toolchains = fs::read_dir(home.join("toolchains")).ok()?.flatten();
    let mut toolchains: Vec<PathBuf> = toolchains.map(|entry| entry.path()).collect();
    toolchains.sort();
    let has_source = |path: &PathBuf| path.join("lib/rustlib/src/rust/library/core").is_dir();
    toolchains
        .into_iter()
        .find(has_source)
        .map(|toolchain| toolchain.join("bin/rustc"))
}
