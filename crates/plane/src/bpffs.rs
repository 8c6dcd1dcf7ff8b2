//! Where programs and maps are pinned: `rlvs/<cookie of the network namespace>/<layout>` on a BPF
//! file system.
//!
//! `ip netns exec` gives a command a mount namespace of its own with a fresh /sys, which hides
//! the system's BPF file system, and a mount made there ends with the command. What is pinned
//! must outlive the daemon, so the mount of process 1's namespace is used, through its root; of
//! the eldest ancestor's where process 1 must not be looked at, as in some containers.

use std::fs;
use std::io;
use std::iter;
use std::os::fd::IntoRawFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, openat, statfs};
use rustix::mount::{MountFlags, mount};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe};

use crate::error::Error;

const MOUNT_POINT: &str = "/sys/fs/bpf";
/// More ancestors than any process has.
const GENERATIONS: usize = 1000;
const BPF_FS_MAGIC: i64 = 0xcafe_4a11;

/// The directory of one network namespace's pins; made if it is not there.
pub fn directory(cookie: u64) -> Result<PathBuf, Error> {
    directory_of("rlvs", cookie)
}

/// The same for what is no director's.
pub fn directory_of(what: &str, cookie: u64) -> Result<PathBuf, Error> {
    let path = root()?.join(what).join(cookie.to_string());
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
    let Some(elder) = elder_of_other_mounts() else {
        mount_bpffs(&own)?;
        return Ok(own);
    };
    let elders = PathBuf::from(format!("/proc/{elder}/root/sys/fs/bpf"));
    if !is_bpffs(&elders) {
        // The mount namespace is a thread's own affair only in a thread that shares nothing.
        std::thread::spawn(move || mount_for(elder))
            .join()
            .unwrap_or_else(|_| {
                Err(Error::Mount {
                    path: own,
                    source: io::Error::other("the thread panicked"),
                })
            })?;
    }
    outlast(&elders).map_err(|source| Error::Mount {
        path: elders,
        source,
    })
}

/// Another path to a directory, which is good as long as this process is.
fn outlast(directory: &Path) -> io::Result<PathBuf> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let open = openat(CWD, directory, flags, Mode::empty())?;
    Ok(format!("/proc/self/fd/{}", open.into_raw_fd()).into())
}

fn is_bpffs(path: &Path) -> bool {
    statfs(path).is_ok_and(|statistics| statistics.f_type == BPF_FS_MAGIC)
}

/// The process whose mounts outlive this one's, unless they are the same.
fn elder_of_other_mounts() -> Option<u32> {
    let namespace = |process: &str| fs::read_link(format!("/proc/{process}/ns/mnt")).ok();
    let candidates = iter::once(1).chain(ancestors().into_iter().rev());
    let mut known = candidates.filter_map(|it| Some((it, namespace(&it.to_string())?)));
    let (elder, its) = known.next()?;
    (namespace("self") != Some(its)).then_some(elder)
}

/// Parent, its parent, and so on, short of process 1.
fn ancestors() -> Vec<u32> {
    let parents = iter::successors(parent("self"), |process| parent(&process.to_string()));
    parents.take(GENERATIONS).collect()
}

/// The fourth word of its `stat`; the second, in parentheses, is a name with whatever in it.
fn parent(process: &str) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    let parent = rest.split_whitespace().nth(1)?.parse().ok()?;
    (parent > 1).then_some(parent)
}

fn mount_bpffs(path: &Path) -> Result<(), Error> {
    mount("bpf", path, "bpf", MountFlags::empty(), None).map_err(|error| Error::Mount {
        path: path.to_owned(),
        source: error.into(),
    })
}

fn mount_for(elder: u32) -> Result<(), Error> {
    let path = PathBuf::from(MOUNT_POINT);
    enter_mounts(elder).map_err(|source| Error::Mount {
        path: path.clone(),
        source,
    })?;
    if is_bpffs(&path) {
        Ok(())
    } else {
        mount_bpffs(&path)
    }
}

fn enter_mounts(process: u32) -> io::Result<()> {
    let namespace = openat(
        CWD,
        format!("/proc/{process}/ns/mnt"),
        OFlags::RDONLY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    // SAFETY: only this thread's file system attributes are unshared, and it ends right after.
    unsafe { unshare_unsafe(UnshareFlags::FS) }?;
    move_into_link_name_space(
        std::os::fd::AsFd::as_fd(&namespace),
        Some(LinkNameSpaceType::Mount),
    )?;
    Ok(())
}
