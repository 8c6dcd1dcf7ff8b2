//! The programs that tell processes whom they are connected with: on the root of the control
//! groups, so for all processes; each namespace has its own, which look at its sockets only.

use std::error::Error as StdError;
use std::fs::{self, File};
use std::path::PathBuf;

use aya::programs::links::{CgroupAttachMode, FdLink, PinnedLink};
use aya::programs::{CgroupSockAddr, SockOps};
use aya::{Ebpf, EbpfLoader};
use rlvs_arrival::Told;
use rlvs_plane::elder::{Elder, own_directory};

use crate::Error;
use crate::arrival::Directors;
use crate::pins::{COUNTS, Pins, fill_directors, fill_word, unpin};

/// Raised whenever the layout or meaning of a pinned map changes.
const LAYOUT: &str = "clients-v1";
const LISTENER: &str = "rlvs_established";
const TELLERS: [&str; 2] = ["rlvs_peer_name4", "rlvs_peer_name6"];
/// Whom sockets are connected with: connections outlive the programs that heard it.
const CLIENTS: &str = "CLIENTS";

/// The programs in the kernel, of one network namespace.
#[derive(Debug)]
pub(crate) struct Teller {
    pins: Pins,
    cookie: u64,
}

impl Teller {
    pub(crate) fn new(cookie: u64) -> Result<Self, Error> {
        let pins = Pins::new(cookie, LAYOUT)?;
        Ok(Self { pins, cookie })
    }

    /// Attaches programs that believe `directors`, then takes their predecessors away. What is
    /// known of connections, and what was counted, stays.
    pub(crate) fn install(&self, directors: &Directors) -> Result<(), Error> {
        self.pins.create()?;
        let root = root_of_groups()?;
        let attached = self.load(directors).and_then(|mut ebpf| {
            let root = File::open(root)?;
            self.attach(&mut ebpf, &root)
        });
        attached.map_err(|error| Error::kernel("attaching programs for client addresses", &*error))
    }

    /// Detaches them: from now on peers are directors.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        self.pins.remove()
    }

    /// Whether all are attached.
    pub(crate) fn is_attached(&self) -> bool {
        let links = self.pins.links();
        let is_there = |name: &&str| PinnedLink::from_pin(links.join(name)).is_ok();
        [LISTENER].iter().chain(&TELLERS).all(is_there)
    }

    /// What was heard of connections.
    pub(crate) fn counts(&self) -> Result<Vec<(Told, u64)>, Error> {
        let counts = self.pins.counts(Told::ALL.len())?;
        Ok(Told::ALL.iter().copied().zip(counts).collect())
    }

    fn load(&self, directors: &Directors) -> Result<Ebpf, Box<dyn StdError>> {
        let mut loader = EbpfLoader::new();
        for name in [COUNTS, CLIENTS] {
            loader.map_pin_path(name, self.pins.map(name));
        }
        let mut ebpf = loader.load(rlvs_plane::CLIENT_OBJECT)?;
        fill_word(&mut ebpf, "NAMESPACE", self.cookie)?;
        fill_directors(&mut ebpf, directors)?;
        Ok(ebpf)
    }

    /// First those that tell, for what is heard can be told at once.
    fn attach(&self, ebpf: &mut Ebpf, root: &File) -> Result<(), Box<dyn StdError>> {
        for name in TELLERS {
            let program = ebpf.program_mut(name).ok_or("it is not in the object")?;
            let program: &mut CgroupSockAddr = program.try_into()?;
            program.load()?;
            // Links are always one of many.
            let id = program.attach(root, CgroupAttachMode::Single)?;
            self.pin(FdLink::try_from(program.take_link(id)?)?, name)?;
        }
        let program = ebpf
            .program_mut(LISTENER)
            .ok_or("it is not in the object")?;
        let program: &mut SockOps = program.try_into()?;
        program.load()?;
        let id = program.attach(root, CgroupAttachMode::Single)?;
        self.pin(FdLink::try_from(program.take_link(id)?)?, LISTENER)
    }

    /// In place of its predecessor, which ends with its pin.
    fn pin(&self, link: FdLink, name: &str) -> Result<(), Box<dyn StdError>> {
        let pin = self.pins.links().join(name);
        // No dots: the BPF file system keeps names with them for itself.
        let new = self.pins.links().join(format!("{name}-new"));
        unpin(&new)?;
        link.pin(&new)?;
        fs::rename(new, pin)?;
        Ok(())
    }
}

/// Where the control groups of version 2 are mounted: here, or where this process has mounts of its
/// own, for its [`Elder`].
fn root_of_groups() -> Result<PathBuf, Error> {
    let of = |process: PathBuf| mount_point(&fs::read_to_string(process.join("mountinfo")).ok()?);
    let elders = || {
        let elder = Elder::of_other_mounts()?;
        Some(elder.path(of(elder.directory())?))
    };
    let own = of(own_directory()).map(PathBuf::from);
    own.or_else(elders).ok_or(Error::NoControlGroups)
}

/// The first mount of control groups; see proc_pid_mountinfo(5).
fn mount_point(mounts: &str) -> Option<String> {
    let mount = mounts.lines().find(|line| {
        let kind = line.split_once(" - ").map(|(_, rest)| rest);
        kind.is_some_and(|kind| kind.starts_with("cgroup2 "))
    });
    mount?.split(' ').nth(4).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mount_of_version_2_is_found() {
        let mounts = "\
25 21 0:22 / /sys/fs/cgroup ro shared:9 - tmpfs tmpfs ro,mode=755
26 25 0:23 / /sys/fs/cgroup/cpu rw shared:10 - cgroup cgroup rw,cpu
27 25 0:24 / /sys/fs/cgroup/unified rw,nosuid shared:11 - cgroup2 cgroup2 rw
";
        let found = mount_point(mounts);
        assert_eq!(found.as_deref(), Some("/sys/fs/cgroup/unified"));
        assert_eq!(mount_point("25 21 0:22 / / rw - ext4 /dev/vda rw\n"), None);
    }
}
