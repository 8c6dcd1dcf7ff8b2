//! Where the programs of a real server are pinned, and what is in their maps.
//!
//! ```text
//! rlvs-realserver/<cookie of the network namespace>/tunnels-v1/COUNTS
//!                                                  /links/2-tcx       (interface index)
//!                                                  /links/3-clsact
//!                                                  /clients-v1/COUNTS, CLIENTS
//!                                                  /links/rlvs_established ...
//! ```

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use aya::Ebpf;
use aya::maps::lpm_trie::{Key, LpmTrie};
use aya::maps::{Array, HashMap, Map, MapData, MapError, PerCpuArray};
use rlvs_arrival::Address;
use rlvs_arrival::address::MAPPED;

use crate::Error;
use crate::arrival::Directors;

const DIRECTORY: &str = "rlvs-realserver";
pub(crate) const COUNTS: &str = "COUNTS";

/// The folder of one set of programs.
#[derive(Debug)]
pub(crate) struct Pins {
    home: PathBuf,
}

impl Pins {
    pub(crate) fn new(cookie: u64, layout: &str) -> Result<Self, Error> {
        let directory = rlvs_plane::bpffs::directory_of(DIRECTORY, cookie);
        let directory = directory.map_err(|error| Error::kernel("pinning programs", &error))?;
        Ok(Self {
            home: directory.join(layout),
        })
    }

    /// Makes the folders that are not there.
    pub(crate) fn create(&self) -> Result<(), Error> {
        let links = self.links();
        fs::create_dir_all(&links)
            .map_err(|error| Error::io(format!("creating {}", links.display()), error))
    }

    pub(crate) fn map(&self, name: &str) -> PathBuf {
        self.home.join(name)
    }

    pub(crate) fn links(&self) -> PathBuf {
        self.home.join("links")
    }

    /// Removes all pins: what only they hold ends.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        let removed = fs::remove_dir_all(&self.home);
        removed.map_err(|error| Error::io(format!("removing {}", self.home.display()), error))?;
        // The folders above go with the last that is in them.
        for folder in self.home.ancestors().skip(1).take(2) {
            let _ = fs::remove_dir(folder);
        }
        Ok(())
    }

    /// The sums of the first `number` counters.
    pub(crate) fn counts(&self, number: usize) -> Result<Vec<u64>, Error> {
        let read = || -> Result<_, MapError> {
            let map = Map::PerCpuArray(MapData::from_pin(self.map(COUNTS))?);
            let counts = PerCpuArray::<_, u64>::try_from(&map)?;
            let total = |index| Ok(counts.get(&index, 0)?.iter().sum());
            (0..number as u32).map(total).collect()
        };
        read().map_err(|error| Error::kernel("reading counters", &error))
    }
}

type Filled = Result<(), Box<dyn std::error::Error>>;

pub(crate) fn fill_word(ebpf: &mut Ebpf, name: &str, word: u64) -> Filled {
    Array::<_, u64>::try_from(map(ebpf, name)?)?.set(0, word, 0)?;
    Ok(())
}

pub(crate) fn fill_vips(ebpf: &mut Ebpf, vips: &BTreeSet<IpAddr>) -> Filled {
    let mut map = HashMap::<_, Address, u32>::try_from(map(ebpf, "VIPS")?)?;
    for vip in vips {
        map.insert(octets(*vip), 1, 0)?;
    }
    Ok(())
}

pub(crate) fn fill_directors(ebpf: &mut Ebpf, directors: &Directors) -> Filled {
    let mut map = LpmTrie::<_, Address, u32>::try_from(map(ebpf, "SENDERS")?)?;
    for director in &directors.0 {
        let before = if director.addr().is_ipv4() { MAPPED } else { 0 };
        let length = u32::from(before + director.prefix_len());
        map.insert(&Key::new(length, octets(director.network())), 1, 0)?;
    }
    Ok(())
}

fn map<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut Map, String> {
    ebpf.map_mut(name)
        .ok_or_else(|| format!("map {name} is not in the object"))
}

fn octets(address: IpAddr) -> Address {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

/// Removes a pin, be it there or not.
pub(crate) fn unpin(pin: &Path) -> Result<(), Error> {
    match fs::remove_file(pin) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io(format!("removing {}", pin.display()), error))
        }
        _ => Ok(()),
    }
}
