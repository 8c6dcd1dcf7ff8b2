//! What tests must not leave behind, whether they pass or not: namespaces, pins, files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Where it would be. Each is there, or not, whoever made it.
const PLACES: [&str; 8] = [
    "/run/netns",
    "/run/rlvs",
    "/run/rlvs-lab",
    LOCKED[0],
    LOCKED[1],
    "/sys/fs/bpf",
    "/sys/fs/bpf/rlvs",
    "/sys/fs/bpf/rlvs-realserver",
];
/// Those that stay, for they are what `rlvs director` and `rlvs realserver` lock.
const LOCKED: [&str; 2] = ["/run/rlvs/director", "/run/rlvs/realserver"];

/// All that is in those places.
#[derive(Debug)]
pub(crate) struct Leftovers(BTreeSet<PathBuf>);

impl Leftovers {
    pub(crate) fn now() -> Self {
        let all = PLACES.iter().flat_map(|place| within(Path::new(place)));
        let stays = |path: &PathBuf| LOCKED.iter().any(|place| path == Path::new(place));
        Self(all.filter(|path| !stays(path)).collect())
    }

    /// What was not there before.
    pub(crate) fn since(&self, before: &Self) -> Vec<String> {
        let new = self.0.difference(&before.0);
        new.map(|path| path.display().to_string()).collect()
    }
}

fn within(place: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    entries.map(|entry| entry.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_before_is_nobodys_fault() {
        let of = |paths: &[&str]| Leftovers(paths.iter().map(PathBuf::from).collect());
        let before = of(&["/run/netns/mine", "/sys/fs/bpf/rlvs"]);
        let after = of(&[
            "/run/netns/mine",
            "/sys/fs/bpf/rlvs",
            "/run/netns/rlvs-1-0-rs1",
        ]);
        assert_eq!(after.since(&before), ["/run/netns/rlvs-1-0-rs1"]);
        assert!(before.since(&after).is_empty());
    }
}
