//! Loads the data plane into the kernel, or adopts the one that is there.
//!
//! Pins, all under one directory per network namespace and layout:
//!
//! ```text
//! v2/maps/SETTINGS ...     v2/links/2-native   (interface index, mode)
//! ```
//!
//! Links keep the program, the program keeps the maps: what is pinned works on with no daemon.
//! A new daemon maps the same memory and puts its own program into the links, each in one step.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use aya::{Ebpf, EbpfLoader};
use rlvs_engine::Tables;
use rlvs_engine::fragment::trails_for;
use rlvs_engine::lease::Local;
use rlvs_engine::reason::ROOM;
use rlvs_engine::schedule::{NODES_PER_MEMBER, rows, stateless};
use rlvs_engine::table::buckets_for;

use rustix::rand::{GetRandomFlags, getrandom};

use crate::error::Error;
use crate::hook::Hook;
use crate::interfaces::{Interfaces, Refused};
use crate::mode::{Mode, Role};
use crate::programs::{self, Programs};
use crate::tables::{KernelTables, MAPS};
use crate::vlans::{self, VlanInterface};

/// The programs and maps as they were compiled.
pub static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/rlvs-ebpf"));

/// A real server's side; `rlvs-realserver` loads it.
pub static REAL_SERVER_OBJECT: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/rlvs-realserver"));

/// Programs that tell a real server's processes of clients; `rlvs-realserver` loads them.
pub static CLIENT_OBJECT: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/rlvs-client"));

/// Health checks by way of virtual addresses, see [`crate::real_path`].
pub static PATH_OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/rlvs-path"));

/// Programs for the bench, with the same maps.
#[cfg(feature = "bench")]
pub static BENCH_OBJECT: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/rlvs-bench"));

/// Version of what is pinned: raised whenever a map's layout or meaning changes.
const LAYOUT: &str = "v2";

/// How large the tables are made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sizes {
    /// Connections of IPv4 and of IPv6.
    pub connections: [u32; 2],
    pub services: u32,
    pub destinations: u32,
}

/// A data plane in the kernel.
#[derive(Debug)]
pub struct Plane {
    programs: Programs,
    pub tables: Arc<KernelTables>,
    pub interfaces: Interfaces,
    /// Whether it was there already.
    pub adopted: bool,
}

impl Plane {
    /// The data plane pinned in `directory`; a new one of these sizes if there is none. One that
    /// is adopted keeps its own sizes.
    pub fn open(directory: &Path, sizes: Sizes) -> Result<Self, Error> {
        refuse_other_versions(directory)?;
        let directory = directory.join(LAYOUT);
        match Self::load(&directory, sizes) {
            Ok(plane) if plane.is_whole() => plane.begun(),
            // A daemon was killed while it made this one: nothing had been attached.
            Ok(plane) => {
                drop(plane);
                remove(&directory)?;
                Self::load(&directory, sizes)?.begun()
            }
            Err(error) => Err(error),
        }
    }

    /// The same without pins, for tests and the bench.
    pub fn unpinned(sizes: Sizes) -> Result<(Ebpf, KernelTables), Error> {
        Self::unpinned_from(OBJECT, sizes)
    }

    /// The same from another object, which has the same maps: all its programs are loaded.
    pub fn unpinned_from(object: &[u8], sizes: Sizes) -> Result<(Ebpf, KernelTables), Error> {
        let mut ebpf = loader(sizes).load(object)?;
        // Before the maps are taken out: a program is loaded with their descriptors.
        programs::load(&mut ebpf)?;
        let tables = KernelTables::new(&mut ebpf)?;
        begin(&tables, sizes)?;
        Ok((ebpf, tables))
    }

    /// The tables of the data plane that a director has pinned in `directory`, for the bench.
    #[cfg(feature = "bench")]
    pub fn pinned(directory: &Path) -> Result<KernelTables, Error> {
        let maps = directory.join(LAYOUT).join("maps");
        let mut loader = EbpfLoader::new();
        for name in MAPS.into_iter().chain(vlans::MAPS) {
            loader.map_pin_path(name, maps.join(name));
        }
        KernelTables::new(&mut loader.load(OBJECT)?)
    }

    fn load(directory: &Path, sizes: Sizes) -> Result<Self, Error> {
        let maps = directory.join("maps");
        let links = directory.join("links");
        let was_there = maps.join("SETTINGS").exists();
        for folder in [&maps, &links] {
            fs::create_dir_all(folder).map_err(|source| Error::Pin {
                path: folder.clone(),
                source,
            })?;
        }
        let mut loader = loader(sizes);
        for name in MAPS.into_iter().chain(vlans::MAPS) {
            loader.map_pin_path(name, maps.join(name));
        }
        let mut programs = Programs(loader.load(OBJECT)?);
        let tables = Arc::new(KernelTables::new(&mut programs.0)?);
        let adopted = tables
            .settings()
            .is_some_and(|settings| settings.ready.load() == 1);
        if !was_there {
            begin(&tables, sizes)?;
        }
        let interfaces = Interfaces::new(links, Arc::clone(&tables));
        Ok(Self {
            programs,
            tables,
            interfaces,
            adopted,
        })
    }

    fn is_whole(&self) -> bool {
        self.tables
            .settings()
            .is_some_and(|settings| settings.ready.load() == 1)
    }

    /// Puts the programs where their predecessors were.
    fn begun(mut self) -> Result<Self, Error> {
        self.interfaces.adopt(&mut self.programs)?;
        Ok(self)
    }

    /// Counts frames that XDP could not send, in the network namespace with this cookie; says so
    /// where the kernel does not let us.
    pub fn trace(&mut self, cookie: u64) {
        if let Err(error) = self.programs.trace(cookie) {
            tracing::warn!(%error, "frames that XDP cannot send are not counted");
        }
    }

    /// How large the tables are, which an earlier daemon may have made.
    pub fn sizes(&self) -> Sizes {
        self.tables.sizes()
    }

    /// Attaches the program of `mode` to an interface, in place of another mode's.
    pub fn attach(&mut self, index: u32, name: &str, mode: Mode) -> Result<(), Refused> {
        self.interfaces
            .attach(&mut self.programs, index, name, mode)
    }

    /// Attaches the program of a role beside balancing to an interface, or takes it off.
    pub fn set_role(
        &mut self,
        index: u32,
        name: &str,
        role: Role,
        wanted: bool,
    ) -> Result<(), Refused> {
        self.interfaces
            .set_role(&mut self.programs, index, name, role, wanted)
    }

    /// Makes these the VLAN interfaces there are. The program for frames with tags is loaded with
    /// the first that needs it.
    pub fn set_vlans(&mut self, vlans: &[VlanInterface]) -> Result<(), Error> {
        if vlans.iter().any(|vlan| vlan.receives) {
            self.tables.vlans.connect(&mut self.programs.0)?;
        }
        self.tables.vlans.set(vlans)
    }
}

/// Detaches and removes whatever is pinned in `directory`, of any version; whether there was
/// anything.
pub fn remove_all(directory: &Path) -> Result<bool, Error> {
    let layouts: Vec<_> = fs::read_dir(directory).into_iter().flatten().collect();
    for layout in layouts.iter().flatten() {
        // Not held by what lies there: filters.
        for hook in Hook::all(&layout.path().join("links")).unwrap_or_default() {
            hook.detach()?;
        }
    }
    remove(directory)?;
    // The folder of all namespaces goes with the last of them.
    let _ = directory.parent().map(fs::remove_dir);
    Ok(!layouts.is_empty())
}

/// The last pin of a link detaches it, that of a map frees it.
fn remove(directory: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(directory) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(Error::Pin {
            path: directory.to_owned(),
            source,
        }),
        _ => Ok(()),
    }
}

fn refuse_other_versions(directory: &Path) -> Result<(), Error> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(|source| Error::Pin {
            path: directory.to_owned(),
            source,
        })?,
    };
    for entry in entries.flatten() {
        if entry.file_name() != LAYOUT {
            return Err(Error::OtherVersion { path: entry.path() });
        }
    }
    Ok(())
}

fn loader<'a>(sizes: Sizes) -> EbpfLoader<'a> {
    let [buckets4, buckets6] = sizes.connections.map(buckets_for);
    let [trails4, trails6] = sizes.connections.map(trails_for);
    let cpus = cpus();
    let mut loader = EbpfLoader::new();
    loader
        .map_max_entries("SERVICES", sizes.services)
        .map_max_entries("DESTINATIONS", sizes.destinations)
        .map_max_entries("LOADS", sizes.destinations)
        .map_max_entries("NODES", nodes(sizes))
        .map_max_entries("COUNTERS", sizes.destinations * cpus)
        .map_max_entries("BASES", sizes.destinations + sizes.services + 1 + cpus)
        .map_max_entries("REASONS", ROOM * cpus)
        .map_max_entries("CONNECTIONS4", buckets4)
        .map_max_entries("CONNECTIONS6", buckets6)
        .map_max_entries("DISPLACED4", buckets4)
        .map_max_entries("DISPLACED6", buckets6)
        .map_max_entries("INDEX4", sizes.services + sizes.destinations)
        .map_max_entries("INDEX6", sizes.services + sizes.destinations)
        .map_max_entries("FRAGMENTS4", trails4)
        .map_max_entries("FRAGMENTS6", trails6);
    loader
}

/// Room for every destination in a tree of its own size and with rows as most schedulers have them,
/// twice: a new tree is written before the old one is given up. Lists of local addresses lie there,
/// too.
fn nodes(sizes: Sizes) -> u32 {
    let a_service = 2 + rows::nodes(stateless::rows(1) as u32);
    let a_destination = NODES_PER_MEMBER + ROW_NODES_PER_MEMBER;
    2 * (a_destination * sizes.destinations + a_service * sizes.services + Local::MOST)
}

/// Rows' nodes for each member at most, where they are more than the fewest.
const ROW_NODES_PER_MEMBER: u32 = 16;

fn cpus() -> u32 {
    aya::util::nr_cpus().map_or(1, |cpus| cpus as u32)
}

/// Makes new tables whole.
fn begin(tables: &KernelTables, sizes: Sizes) -> Result<(), Error> {
    let settings = tables.settings().ok_or(Error::NoMap { name: "SETTINGS" })?;
    let buckets = sizes.connections.map(buckets_for);
    for (word, buckets) in settings.buckets.iter().zip(buckets) {
        word.store(buckets);
    }
    settings.destinations.store(sizes.destinations);
    settings.set_defaults();
    settings.seed.store(secret()?);
    // Last: it says that all else is there.
    settings.ready.replace(0, 1);
    Ok(())
}

/// So that nobody can send connections that all fall into one bucket.
fn secret() -> Result<u64, Error> {
    let mut bytes = [0; 8];
    getrandom(&mut bytes, GetRandomFlags::empty()).map_err(|error| Error::Random(error.into()))?;
    Ok(u64::from_ne_bytes(bytes))
}
