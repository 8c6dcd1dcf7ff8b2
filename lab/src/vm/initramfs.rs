//! The archive a guest boots from: modules to reach the host's files, two scripts, one job.

use std::io::Write;
use std::path::PathBuf;
use std::{env, fs};

use anyhow::{Context, Result};
use cpio::newc;

use super::kernel::{Kernel, read_module};

/// What it takes to get to the host's files and to give back the command's output.
const MODULES: [&str; 5] = [
    "virtio_pci",
    "virtio_console",
    "9pnet_virtio",
    "9p",
    "overlay",
];

const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;

/// What the guest is to do. Lists become files of NUL-terminated words: nothing needs quoting.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) command: Vec<String>,
    pub(super) directory: String,
    pub(super) environment: Vec<String>,
    /// Mount points, in the order of the devices `share0`, `share1`, ...
    pub(super) shares: Vec<String>,
    /// Marks the end of the command's output.
    pub(super) token: String,
}

/// The whole archive.
pub(super) fn build(kernel: &Kernel, job: &Job) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    for directory in ["bin", "modules", "job"] {
        archive.add(directory, DIRECTORY, &[])?;
    }
    archive.add("bin/busybox", PROGRAM, &fs::read(busybox()?)?)?;
    archive.add("init", PROGRAM, include_bytes!("init.sh"))?;
    archive.add("job/guest", PROGRAM, include_bytes!("guest.sh"))?;
    add_modules(&mut archive, kernel)?;
    add_job(&mut archive, job)?;
    Ok(newc::trailer(archive.bytes)?)
}

fn add_modules(archive: &mut Archive, kernel: &Kernel) -> Result<()> {
    let mut order: Vec<PathBuf> = Vec::new();
    for module in MODULES {
        for file in kernel.module_files(module)? {
            if !order.contains(&file) {
                order.push(file);
            }
        }
    }
    for (place, file) in order.iter().enumerate() {
        archive.add(
            &format!("modules/{place:02}.ko"),
            PROGRAM,
            &read_module(file)?,
        )?;
    }
    Ok(())
}

fn add_job(archive: &mut Archive, job: &Job) -> Result<()> {
    archive.add("job/command", PROGRAM, &words(&job.command))?;
    archive.add("job/environment", PROGRAM, &words(&job.environment))?;
    archive.add("job/shares", PROGRAM, &words(&job.shares))?;
    archive.add(
        "job/directory",
        PROGRAM,
        &words(std::slice::from_ref(&job.directory)),
    )?;
    archive.add(
        "job/token",
        PROGRAM,
        &words(std::slice::from_ref(&job.token)),
    )
}

fn words(words: &[String]) -> Vec<u8> {
    words
        .iter()
        .flat_map(|word| [word.as_bytes(), b"\0"].concat())
        .collect()
}

fn busybox() -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/bin".into(), "/usr/bin".into()])
        .map(|directory| directory.join("busybox"))
        .find(|file| file.is_file())
        .context("no busybox: cargo xtask setup installs it")
}

#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    files: u32,
}

impl Archive {
    fn add(&mut self, name: &str, mode: u32, content: &[u8]) -> Result<()> {
        self.files += 1;
        let entry = newc::Builder::new(name).ino(self.files).mode(mode).nlink(1);
        let mut writer = entry.write(&mut self.bytes, u32::try_from(content.len())?);
        writer.write_all(content)?;
        writer.finish()?;
        Ok(())
    }
}
