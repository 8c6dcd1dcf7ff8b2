//! VLAN interfaces as XDP has to know them: by the tags of frames that come in, and by index for
//! those that leave.

use std::collections::HashMap as Wanted;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aya::Ebpf;
use aya::maps::{HashMap, Map, MapData, ProgramArray};
use aya::programs::Xdp;
use rlvs_engine::tables::interface;
use rlvs_engine::vlan::{Tags, Vlan, VlanKey};

use crate::error::Error;
use crate::mapped::Mapped;

/// The maps, as the object and the pins call them.
pub(crate) const MAPS: [&str; 3] = [KEYS, TAGS, TAGGED];
pub(crate) const KEYS: &str = "VLANS";
const TAGS: &str = "TAGS";
const TAGGED: &str = "TAGGED";

/// The program for frames with tags.
const PROGRAM: &str = "rlvs_xdp_tagged";

/// A VLAN interface.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct VlanInterface {
    pub index: u32,
    /// The interface below all its tags.
    pub lower: u32,
    pub tags: Tags,
    /// Whether frames that come in there with its tags are to be taken for its own.
    pub receives: bool,
    /// Whether frames go by redirect even when they leave where they came in.
    pub redirect: bool,
}

/// The maps of VLAN interfaces.
#[derive(Debug)]
pub struct Vlans {
    keys: Mutex<HashMap<MapData, [u8; 16], u32>>,
    tags: Mapped<Vlan>,
    tagged: Mutex<Map>,
}

impl Vlans {
    pub(crate) fn new(ebpf: &mut Ebpf) -> Result<Self, Error> {
        let keys = ebpf.take_map(KEYS).ok_or(Error::NoMap { name: KEYS })?;
        let keys = HashMap::try_from(keys).map_err(|source| Error::Map { name: KEYS, source })?;
        let tags = match ebpf.take_map(TAGS) {
            Some(Map::Array(data)) => {
                Mapped::new(data).map_err(|source| Error::Mapping { name: TAGS, source })?
            }
            _ => return Err(Error::NoMap { name: TAGS }),
        };
        let tagged = ebpf.take_map(TAGGED).ok_or(Error::NoMap { name: TAGGED })?;
        Ok(Self {
            keys: Mutex::new(keys),
            tags,
            tagged: Mutex::new(tagged),
        })
    }

    /// Makes these the VLAN interfaces there are.
    pub fn set(&self, vlans: &[VlanInterface]) -> Result<(), Error> {
        self.set_tags(vlans);
        let received = vlans.iter().filter(|vlan| vlan.receives);
        self.set_keys(received.map(|vlan| (key(vlan), vlan.index)).collect())
            .map_err(|source| Error::Map { name: KEYS, source })
    }

    pub(crate) fn tags(&self) -> &[Vlan] {
        &self.tags
    }

    /// Adds keys of other tables.
    pub(crate) fn keep(&self, keys: &[([u8; 16], u32)]) -> Result<(), Error> {
        let mut map = lock(&self.keys);
        keys.iter()
            .try_for_each(|(key, index)| map.insert(key, index, 0))
            .map_err(|source| Error::Map { name: KEYS, source })
    }

    /// Whether frames with tags are taken.
    pub(crate) fn has_keys(&self) -> bool {
        lock(&self.keys).keys().next().is_some()
    }

    /// Lets the program for all frames find the one for frames with tags, which is loaded if it is
    /// not yet.
    pub fn connect(&self, ebpf: &mut Ebpf) -> Result<(), Error> {
        let program = ebpf
            .program_mut(PROGRAM)
            .ok_or(Error::NoMap { name: PROGRAM })?;
        let program: &mut Xdp = program.try_into()?;
        if program.fd().is_err() {
            program.load()?;
        }
        let (program, mut map) = (program.fd()?, lock(&self.tagged));
        let set = ProgramArray::try_from(&mut *map).and_then(|mut map| map.set(0, program, 0));
        set.map_err(|source| Error::Map {
            name: TAGGED,
            source,
        })
    }

    /// The index last: with it a record is found.
    fn set_tags(&self, vlans: &[VlanInterface]) {
        for (slot, record) in self.tags.iter().enumerate() {
            let in_slot = |vlan: &&VlanInterface| interface::slot(vlan.index) as usize == slot;
            let Some(vlan) = vlans.iter().find(in_slot) else {
                record.index.store(0);
                continue;
            };
            if record.index.load() != vlan.index {
                record.index.store(0);
            }
            record.lower.store(vlan.lower);
            record.tags.store(vlan.tags.0);
            record.redirect.store(u32::from(vlan.redirect));
            record.index.store(vlan.index);
        }
    }

    fn set_keys(&self, wanted: Wanted<[u8; 16], u32>) -> Result<(), aya::maps::MapError> {
        let mut keys = lock(&self.keys);
        let there: Wanted<_, _> = keys.iter().collect::<Result<_, _>>()?;
        for key in there.keys().filter(|key| !wanted.contains_key(*key)) {
            keys.remove(key)?;
        }
        for (key, index) in wanted {
            if there.get(&key) != Some(&index) {
                keys.insert(key, index, 0)?;
            }
        }
        Ok(())
    }
}

/// As it lies in the map.
fn key(vlan: &VlanInterface) -> [u8; 16] {
    let VlanKey {
        tags,
        lower,
        padding,
    } = VlanKey::new(vlan.lower, vlan.tags);
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&tags.to_ne_bytes());
    bytes[8..12].copy_from_slice(&lower.to_ne_bytes());
    bytes[12..].copy_from_slice(&padding.to_ne_bytes());
    bytes
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
