//! The program that takes packets out of tunnels: loaded, on interfaces, pinned.
//!
//! ```text
//! rlvs-realserver/<cookie of the network namespace>/tunnels-v1/COUNTS
//!                                                  /links/2-tcx      (interface index)
//!                                                  /links/3-clsact
//! ```
//!
//! Linux 6.6 and later give links (tcx), whose pins keep the program on the interface. Before,
//! the filter of a `clsact` qdisc does so by itself, and the pin of the program only says so.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use aya::maps::lpm_trie::{Key, LpmTrie};
use aya::maps::{Array, HashMap, Map, MapData, PerCpuArray};
use aya::programs::SchedClassifier;
use aya::{Ebpf, EbpfLoader};
use rlvs_arrival::address::MAPPED;
use rlvs_arrival::{Address, Count};

use crate::arrival::{Directors, Tunnels};
use crate::hook::Hook;
use crate::{Error, hook};

const DIRECTORY: &str = "rlvs-realserver";
/// Raised whenever the layout or meaning of a pinned map changes.
const LAYOUT: &str = "tunnels-v1";
const PROGRAM: &str = "rlvs_decapsulate";
const COUNTS: &str = "COUNTS";

/// The program in the kernel, of one network namespace.
#[derive(Debug)]
pub(crate) struct Decapsulator {
    directory: PathBuf,
}

/// What it is to do.
#[derive(Debug)]
pub(crate) struct Task<'a> {
    pub(crate) tunnels: &'a Tunnels,
    pub(crate) directors: &'a Directors,
    pub(crate) vips: &'a BTreeSet<IpAddr>,
}

impl Decapsulator {
    pub(crate) fn new(cookie: u64) -> Result<Self, Error> {
        let directory = rlvs_plane::bpffs::directory_of(DIRECTORY, cookie);
        Ok(Self {
            directory: directory.map_err(|error| failed("pinning programs", &error))?,
        })
    }

    /// Puts a program with this task on interfaces, each in place of its predecessor in one step,
    /// and takes it off all others. What was counted goes on.
    pub(crate) fn install(&self, task: &Task<'_>, interfaces: &[(u32, &str)]) -> Result<(), Error> {
        let home = self.directory.join(LAYOUT);
        let links = home.join("links");
        fs::create_dir_all(&links)
            .map_err(|error| Error::io(format!("creating {}", links.display()), error))?;
        let mut ebpf = load(&home, task).map_err(|error| failed("loading the program", &*error))?;
        let program = program(&mut ebpf)?;
        for hook in hook::pinned(&links) {
            if !interfaces.iter().any(|(index, _)| *index == hook.index) {
                hook.detach(PROGRAM)?;
            }
        }
        for (index, name) in interfaces {
            Hook::attach(program, &links, *index, name)?;
        }
        Ok(())
    }

    /// Takes the program off all interfaces and forgets what it counted.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        for hook in hook::pinned(&self.directory.join(LAYOUT).join("links")) {
            hook.detach(PROGRAM)?;
        }
        let removed = fs::remove_dir_all(&self.directory);
        removed
            .map_err(|error| Error::io(format!("removing {}", self.directory.display()), error))?;
        // The folder of all namespaces goes with the last of them.
        let _ = self.directory.parent().map(fs::remove_dir);
        Ok(())
    }

    /// The interfaces it was put on.
    pub(crate) fn hooks(&self) -> Vec<Hook> {
        hook::pinned(&self.directory.join(LAYOUT).join("links"))
    }

    /// What it counted.
    pub(crate) fn counts(&self) -> Result<Vec<(Count, u64)>, Error> {
        let path = self.directory.join(LAYOUT).join(COUNTS);
        let read = || -> Result<_, aya::maps::MapError> {
            let map = Map::PerCpuArray(MapData::from_pin(&path)?);
            let counts = PerCpuArray::<_, u64>::try_from(&map)?;
            let total = |count: &Count| Ok((*count, counts.get(&(*count as u32), 0)?.iter().sum()));
            Count::ALL.iter().map(total).collect()
        };
        read().map_err(|error| failed("reading the counters of tunnels", &error))
    }
}

fn load(home: &Path, task: &Task<'_>) -> Result<Ebpf, Box<dyn std::error::Error>> {
    let mut loader = EbpfLoader::new();
    loader.map_pin_path(COUNTS, home.join(COUNTS));
    let mut ebpf = loader.load(rlvs_plane::REAL_SERVER_OBJECT)?;
    let settings = ebpf.map_mut("SETTINGS").ok_or("no map SETTINGS")?;
    Array::<_, u64>::try_from(settings)?.set(0, task.tunnels.settings().0, 0)?;
    let vips = ebpf.map_mut("VIPS").ok_or("no map VIPS")?;
    let mut vips = HashMap::<_, Address, u32>::try_from(vips)?;
    for vip in task.vips {
        vips.insert(octets(*vip), 1, 0)?;
    }
    let senders = ebpf.map_mut("SENDERS").ok_or("no map SENDERS")?;
    let mut senders = LpmTrie::<_, Address, u32>::try_from(senders)?;
    for director in &task.directors.0 {
        let before = if director.addr().is_ipv4() { MAPPED } else { 0 };
        let length = u32::from(before + director.prefix_len());
        senders.insert(&Key::new(length, octets(director.network())), 1, 0)?;
    }
    Ok(ebpf)
}

fn program(ebpf: &mut Ebpf) -> Result<&mut SchedClassifier, Error> {
    let mut load = || -> Result<_, Box<dyn std::error::Error>> {
        let program = ebpf.program_mut(PROGRAM).ok_or("it is not in the object")?;
        let program: &mut SchedClassifier = program.try_into()?;
        program.load()?;
        Ok(())
    };
    load().map_err(|error| failed("loading the program", &*error))?;
    let program = ebpf.program_mut(PROGRAM).map(TryInto::try_into);
    program.and_then(Result::ok).ok_or_else(|| {
        failed(
            "loading the program",
            &*Box::from("it is not in the object"),
        )
    })
}

fn octets(address: IpAddr) -> Address {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

fn failed(action: &str, error: &(dyn std::error::Error + 'static)) -> Error {
    Error::kernel(action, error)
}
