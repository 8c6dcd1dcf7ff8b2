//! Where programs and maps are pinned: `rlvs/<cookie of the network namespace>/<layout>` on a BPF
//! file system.
//!
//! A mount made in a mount namespace of the process's own ends with it. What is pinned must outlive
//! the daemon, so the mount of an [`Elder`] is used then.

use std::fs;
use std::io;
use std::os::fd::IntoRawFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, openat, statfs};
use rustix::mount::{MountFlags, mount};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe};

use crate::elder::Elder;
use crate::error::Error;

/// Where the kernel has a place for one.
const MOUNT_POINT: &str = "/sys/fs/bpf";
/// The director's directory there.
const DIRECTOR: &str = "rlvs";
const BPF_FS_MAGIC: i64 = 0xcafe_4a11;

/// The directory of one network namespace's pins; made if it is not there.
pub fn directory(cookie: u64) -> Result<PathBuf, Error> {
    directory_of(DIRECTOR, cookie)
}

/// The same where it is already: on each BPF file system there may be one.
pub fn directories(cookie: u64) -> impl Iterator<Item = PathBuf> {
    let of = move |root: PathBuf| root.join(DIRECTOR).join(cookie.to_string());
    mounted().map(of).filter(|directory| directory.is_dir())
}

/// The BPF file systems that pins may be on.
pub fn mounted() -> impl Iterator<Item = PathBuf> {
    let elders = Elder::of_other_mounts().map(|elder| elder.path(MOUNT_POINT));
    let places = [Some(PathBuf::from(MOUNT_POINT)), elders];
    places.into_iter().flatten().filter(|path| is_bpffs(path))
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
    let Some(elder) = Elder::of_other_mounts() else {
        mount_bpffs(&own)?;
        return Ok(own);
    };
    let elders = elder.path(MOUNT_POINT);
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

fn mount_bpffs(path: &Path) -> Result<(), Error> {
    mount("bpf", path, "bpf", MountFlags::empty(), None).map_err(|error| Error::Mount {
        path: path.to_owned(),
        source: error.into(),
    })
}

fn mount_for(elder: Elder) -> Result<(), Error> {
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

fn enter_mounts(elder: Elder) -> io::Result<()> {
    let namespace = openat(
        CWD,
        elder.directory().join("ns/mnt"),
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
