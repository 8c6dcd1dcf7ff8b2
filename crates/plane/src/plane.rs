//! Loads the data plane into the kernel, or adopts the one that is there.
//!
//! Pins, all under one directory per network namespace:
//!
//! ```text
//! v4/maps/SETTINGS ...     links/2-native   (interface index, mode)
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
use rlvs_engine::call_id::call_ids_for;
use rlvs_engine::fragment::trails_for;
use rlvs_engine::lease::Local;
use rlvs_engine::reason::ROOM;
use rlvs_engine::schedule::{NODES_PER_MEMBER, rows, stateless};
use rlvs_engine::table::buckets_for;

use rustix::rand::{GetRandomFlags, getrandom};

use crate::call_ids;
use crate::error::Error;
use crate::hook::Hook;
use crate::interfaces::{Interfaces, Refused};
use crate::layout::{Foreign, LAYOUT};
use crate::mode::{Mode, Role};
use crate::moving::{self, Move, Others};
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

const LINKS: &str = "links";

/// How large the tables are made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sizes {
    /// Connections of IPv4 and of IPv6.
    pub connections: [u32; 2],
    pub services: u32,
    pub destinations: u32,
}

impl Sizes {
    /// Whether tables that were made for the one are as those for the other.
    fn are_made_as(self, other: Self) -> bool {
        let made = |sizes: Self| {
            let buckets = sizes.connections.map(buckets_for);
            (buckets, sizes.services, sizes.destinations)
        };
        made(self) == made(other)
    }
}

/// A data plane in the kernel.
#[derive(Debug)]
pub struct Plane {
    programs: Programs,
    pub tables: Arc<KernelTables>,
    pub interfaces: Interfaces,
    /// Whether it was there already.
    pub adopted: bool,
    moving: Option<Move>,
}

impl Plane {
    /// The data plane pinned in `directory`; a new one of these sizes if there is none. One of other
    /// sizes or of another layout is moved, which [`Plane::finish`] ends.
    pub fn open(directory: &Path, sizes: Sizes) -> Result<Self, Error> {
        let mut whole = Vec::new();
        for place in moving::directories(directory)? {
            match Others::open(&place)? {
                Some(others) => whole.push(others),
                // A daemon was killed while it made these: no packet met them.
                None => remove(&place)?,
            }
        }
        let others = match <[Others; 2]>::try_from(whole) {
            Ok(both) => Some(Self::end_move(directory, both)?),
            Err(mut one) => one.pop(),
        };
        match others {
            None => {
                let place = moving::free_place(directory);
                let plane = Self::load(directory, &place, sizes)?;
                begin(&plane.tables, sizes)?;
                plane.tables.finish();
                Ok(plane)
            }
            Some(others) if others.layout.version == LAYOUT => {
                let plane = Self::load(directory, &others.directory, sizes)?;
                match plane.sizes().are_made_as(moving::roomy(sizes, &others)?) {
                    true => plane.adopt(),
                    false => {
                        drop(plane);
                        Self::begin_move(directory, others, sizes)
                    }
                }
            }
            Some(others) => Self::begin_move(directory, others, sizes),
        }
    }

    fn begin_move(directory: &Path, from: Others, sizes: Sizes) -> Result<Self, Error> {
        let sizes = moving::roomy(sizes, &from)?;
        let place = moving::free_place(directory);
        let from_place = from.directory.display();
        tracing::info!(from = %from_place, to = %place.display(), ?sizes, "the tables are moved");
        let mut plane = Self::load(directory, &place, sizes)?;
        begin(&plane.tables, sizes)?;
        plane.moving = Some(Move::begin(from, &plane.tables)?);
        plane.adopted = true;
        if plane.tables.vlans.has_keys() {
            plane.tables.vlans.connect(&mut plane.programs.0)?;
        }
        Ok(plane)
    }

    /// A daemon was killed while it gave the links their new programs: packets may meet either. The
    /// tables that are left.
    fn end_move(directory: &Path, both: [Others; 2]) -> Result<Others, Error> {
        let is_later = |others: &Others| others.layout.version == LAYOUT && others.is_moved_to();
        let [first, second] = both;
        let (later, earlier) = match (is_later(&first), is_later(&second)) {
            (true, false) => (first, second),
            (false, true) => (second, first),
            _ => {
                return Err(Error::OtherVersion {
                    path: directory.to_owned(),
                    source: Foreign::Moving,
                });
            }
        };
        let mut plane = Self::load(directory, &later.directory, later.sizes())?;
        plane.moving = Some(Move::resume(earlier));
        plane.finish()?;
        Ok(later)
    }

    /// Whether packets still meet earlier tables.
    pub fn is_moving(&self) -> bool {
        self.moving.is_some()
    }

    /// Ends a move, if there is one: from here on packets meet the new tables, which by now have all
    /// that is desired.
    pub fn finish(&mut self) -> Result<(), Error> {
        let Some(mut moving) = self.moving.take() else {
            return Ok(());
        };
        // What takes long comes first: the verifier, and most of what is to be carried over. The second
        // time it is little: the less time a client has to use a port again before the change.
        self.interfaces.prepare(&mut self.programs)?;
        moving.follow(&self.tables);
        moving.follow(&self.tables);
        self.tables.finish();
        self.interfaces.adopt(&mut self.programs)?;
        moving.finish(&self.tables)
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
        tables.finish();
        Ok((ebpf, tables))
    }

    /// The tables of the data plane that a director has pinned in `directory`, for the bench.
    #[cfg(feature = "bench")]
    pub fn pinned(directory: &Path) -> Result<KernelTables, Error> {
        let places = moving::directories(directory)?;
        let place = places.first().ok_or(Error::NoMap { name: "SETTINGS" })?;
        let maps = place.join("maps");
        let mut loader = EbpfLoader::new();
        for name in MAPS.into_iter().chain(vlans::MAPS) {
            loader.map_pin_path(name, maps.join(name));
        }
        KernelTables::new(&mut loader.load(OBJECT)?)
    }

    /// Makes or takes the maps in `place`.
    fn load(directory: &Path, place: &Path, sizes: Sizes) -> Result<Self, Error> {
        let maps = place.join("maps");
        let links = directory.join(LINKS);
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
        let adopted = tables.are_whole();
        let interfaces = Interfaces::new(links, Arc::clone(&tables));
        Ok(Self {
            programs,
            tables,
            interfaces,
            adopted,
            moving: None,
        })
    }

    /// Puts the programs where their predecessors were.
    fn adopt(mut self) -> Result<Self, Error> {
        if let Some(settings) = self.tables.settings() {
            // A daemon was killed when all but this was done of a move.
            settings.moving.store(0);
        }
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
    let was_there = moving::directories(directory).is_ok_and(|places| !places.is_empty());
    // Not held by what lies there: filters.
    for hook in Hook::all(&directory.join(LINKS)).unwrap_or_default() {
        hook.detach()?;
    }
    remove(directory)?;
    // The folder of all namespaces goes with the last of them.
    let _ = directory.parent().map(fs::remove_dir);
    Ok(was_there)
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

fn loader<'a>(sizes: Sizes) -> EbpfLoader<'a> {
    let [buckets4, buckets6] = sizes.connections.map(buckets_for);
    let [trails4, trails6] = sizes.connections.map(trails_for);
    let [connections4, connections6] = sizes.connections;
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
        .map_max_entries("FRAGMENTS6", trails6)
        .map_max_entries(call_ids::NAME, call_ids_for(connections4.max(connections6)));
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
    Ok(())
}

/// So that nobody can send connections that all fall into one bucket.
fn secret() -> Result<u64, Error> {
    let mut bytes = [0; 8];
    getrandom(&mut bytes, GetRandomFlags::empty()).map_err(|error| Error::Random(error.into()))?;
    Ok(u64::from_ne_bytes(bytes))
}
