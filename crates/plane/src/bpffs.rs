//! Where programs and maps are pinned: `rlvs/<cookie of the network namespace>/<layout>` on a BPF
//! file system.
//!
//! `ip netns exec` gives a command a mount namespace of its own with a fresh /sys, which hides
//! the system's BPF file system, and a mount made there ends with the command. What is pinned
//! must outlive the daemon, so the mount of process 1's namespace is used, through its root.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, statfs};
use rustix::mount::{MountFlags, mount};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe};

use crate::error::Error;

const MOUNT_POINT: &str = "/sys/fs/bpf";
const INIT_ROOT: &str = "/proc/1/root";
const BPF_FS_MAGIC: i64 = 0xcafe_4a11;

/// The directory of one network namespace's pins; made if it is not there.
pub fn directory(cookie: u64) -> Result<PathBuf, Error> {
    let path = root()?.join("rlvs").join(cookie.to_string());
    fs::create_dir_all(&path).map_err(|source| Error::Pin {
        path: path.clone(),
        source,
    })?;
    Ok(path)
}

/// A BPF file system that outlives this process.
fn root() -> Result<PathBuf, Error> {
    let own = PathBuf::from(MOUNT_POINT);
    if is_bpffs(&own) {
        return Ok(own);
    }
    if shares_mounts_with_init() {
        mount_bpffs(&own)?;
        return Ok(own);
    }
    let inits = Path::new(INIT_ROOT).join("sys/fs/bpf");
    if !is_bpffs(&inits) {
        // The mount namespace is a thread's own affair only in a thread that shares nothing.
        std::thread::spawn(mount_for_init)
            .join()
            .unwrap_or_else(|_| {
                Err(Error::Mount {
                    path: own,
                    source: io::Error::other("the thread panicked"),
                })
            })?;
    }
    Ok(inits)
}

fn is_bpffs(path: &Path) -> bool {
    statfs(path).is_ok_and(|statistics| statistics.f_type == BPF_FS_MAGIC)
}

fn shares_mounts_with_init() -> bool {
    let namespace = |process| fs::read_link(format!("/proc/{process}/ns/mnt")).ok();
    let own = namespace("self");
    // Where process 1 cannot be looked at there is no other namespace to go to.
    namespace("1").is_none_or(|init| Some(init) == own)
}

fn mount_bpffs(path: &Path) -> Result<(), Error> {
    mount("bpf", path, "bpf", MountFlags::empty(), None).map_err(|error| Error::Mount {
        path: path.to_owned(),
        source: error.into(),
    })
}

fn mount_for_init() -> Result<(), Error> {
    let path = PathBuf::from(MOUNT_POINT);
    enter_init_mounts().map_err(|source| Error::Mount {
        path: path.clone(),
        source,
    })?;
    if is_bpffs(&path) {
        Ok(())
    } else {
        mount_bpffs(&path)
    }
}

fn enter_init_mounts() -> io::Result<()> {
    let namespace = rustix::fs::openat(
        CWD,
        "/proc/1/ns/mnt",
        rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC,
        rustix::fs::Mode::empty(),
    )?;
    // SAFETY: only this thread's file system attributes are unshared, and it ends right after.
    unsafe { unshare_unsafe(UnshareFlags::FS) }?;
    move_into_link_name_space(
        std::os::fd::AsFd::as_fd(&namespace),
        Some(LinkNameSpaceType::Mount),
    )?;
    Ok(())
}
