//! The process whose mounts outlive this one's.
//!
//! `ip netns exec` gives a command a mount namespace of its own with a fresh /sys, which hides what
//! the system has mounted there. It is seen through the root directory of process 1, or of the
//! eldest ancestor where process 1 must not be looked at, as in some containers.

use std::fs;
use std::iter;
use std::path::{Path, PathBuf};

/// Where procfs is; see proc(5).
const PROCESSES: &str = "/proc";
/// More ancestors than any process has.
const GENERATIONS: usize = 1000;

/// Its process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Elder(u32);

impl Elder {
    /// The eldest process that may be looked at, unless its mounts are this process's, too.
    pub fn of_other_mounts() -> Option<Self> {
        let namespace = |process: &Path| fs::read_link(process.join("ns/mnt")).ok();
        let candidates = iter::once(1).chain(ancestors().into_iter().rev()).map(Self);
        let mut known = candidates.filter_map(|it| Some((it, namespace(&it.directory())?)));
        let (elder, its) = known.next()?;
        (namespace(&own_directory()) != Some(its)).then_some(elder)
    }

    /// What it has at an absolute path.
    pub fn path(self, absolute: impl AsRef<Path>) -> PathBuf {
        let absolute = absolute.as_ref();
        let relative = absolute.strip_prefix("/").unwrap_or(absolute);
        self.directory().join("root").join(relative)
    }

    /// Its directory in procfs.
    pub fn directory(self) -> PathBuf {
        Path::new(PROCESSES).join(self.0.to_string())
    }
}

/// This process's directory in procfs.
pub fn own_directory() -> PathBuf {
    Path::new(PROCESSES).join("self")
}

/// Parent, its parent, and so on, short of process 1.
fn ancestors() -> Vec<u32> {
    let first = parent(&own_directory());
    let parents = iter::successors(first, |&process| parent(&Elder(process).directory()));
    parents.take(GENERATIONS).collect()
}

/// The fourth word of its `stat`; the second, in parentheses, is a name with whatever in it.
fn parent(process: &Path) -> Option<u32> {
    let text = fs::read_to_string(process.join("stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    let parent = rest.split_whitespace().nth(1)?.parse().ok()?;
    (parent > 1).then_some(parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_through_its_root() {
        let path = Elder(7).path("/sys/fs/bpf");
        assert_eq!(path, Elder(7).directory().join("root/sys/fs/bpf"));
    }

    #[test]
    fn the_parent_of_this_process_is_its_first_ancestor() {
        let parent = std::os::unix::process::parent_id();
        assert_eq!(ancestors().first().copied(), (parent > 1).then_some(parent));
    }
}
