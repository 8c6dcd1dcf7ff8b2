//! Installed kernels and their modules.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// An installed kernel.
#[derive(Debug)]
pub(super) struct Kernel {
    pub(super) release: String,
    pub(super) image: PathBuf,
}

/// The newest kernel under /boot that has its modules.
pub(super) fn newest() -> Result<Kernel> {
    let mut releases: Vec<String> = fs::read_dir("/boot")?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| name.strip_prefix("vmlinuz-").map(str::to_owned))
        .filter(|release| PathBuf::from(format!("/lib/modules/{release}/kernel")).is_dir())
        .collect();
    releases.sort_by_key(|release| numbers(release));
    let release = releases
        .pop()
        .context("no kernel with modules in /boot: cargo xtask setup")?;
    let image = PathBuf::from(format!("/boot/vmlinuz-{release}"));
    Ok(Kernel { release, image })
}

/// `6.1.0-56-amd64` as 6, 1, 0, 56, 64: 6.10 comes after 6.9.
fn numbers(release: &str) -> Vec<u32> {
    release
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|part| part.parse().ok())
        .collect()
}

impl Kernel {
    /// The files of `module` and all it needs, in the order they must be inserted.
    pub(super) fn module_files(&self, module: &str) -> Result<Vec<PathBuf>> {
        let shown = Command::new("modprobe")
            .args(["--set-version", &self.release, "--show-depends", module])
            .output()
            .context("modprobe: cargo xtask setup installs it")?;
        if !shown.status.success() {
            let why = String::from_utf8_lossy(&shown.stderr).into_owned();
            bail!(
                "kernel {} has no module {module}: {}",
                self.release,
                why.trim()
            );
        }
        let lines = String::from_utf8(shown.stdout)?;
        Ok(lines.lines().filter_map(inserted_file).collect())
    }
}

/// The path in a line `insmod PATH [options]`; other lines are built-in modules.
fn inserted_file(line: &str) -> Option<PathBuf> {
    line.strip_prefix("insmod ")?
        .split_whitespace()
        .next()
        .map(PathBuf::from)
}

/// A module's file as the kernel takes it, unpacked.
pub(super) fn read_module(file: &PathBuf) -> Result<Vec<u8>> {
    if file.extension().is_none_or(|end| end != "xz") {
        return Ok(fs::read(file)?);
    }
    let unpacked = Command::new("xz")
        .arg("--decompress")
        .arg("--stdout")
        .arg(file)
        .output()?;
    ensure!(
        unpacked.status.success(),
        "cannot unpack {}",
        file.display()
    );
    Ok(unpacked.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_ordered_by_number() {
        assert!(numbers("6.1.0-56-amd64") > numbers("6.1.0-9-amd64"));
        assert!(numbers("6.10.1-1-amd64") > numbers("6.9.12-1-amd64"));
    }

    #[test]
    fn built_in_modules_need_no_file() {
        assert_eq!(inserted_file("builtin virtio"), None);
        assert_eq!(
            inserted_file("insmod /lib/a.ko x=1"),
            Some(PathBuf::from("/lib/a.ko"))
        );
    }
}
