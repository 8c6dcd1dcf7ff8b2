//! What lblc and lblcr remember, in the kernel: a hash map that grows, so not mapped into memory.

use std::sync::{Mutex, MutexGuard, PoisonError};

use aya::Ebpf;
use aya::maps::{HashMap, MapData, MapError};
use rlvs_engine::locality::{Locality, Site};

use crate::error::Error;
use crate::store::Remembered;
use crate::tables::hash;

/// A [`Locality`] as the system call copies it.
pub(crate) type Copied = [u32; size_of::<Locality>() / 4];

/// Words before those of the destinations; the first of them is the last use.
const HEAD: usize = 4;

#[derive(Debug)]
pub(crate) struct Localities(Mutex<HashMap<MapData, [u64; 3], Copied>>);

pub(crate) const NAME: &str = "LOCALITIES";

impl Localities {
    pub(crate) fn new(ebpf: &mut Ebpf) -> Result<Self, Error> {
        Ok(Self(Mutex::new(hash(ebpf, NAME)?)))
    }

    pub(crate) fn all(&self) -> Result<Vec<Remembered>, Error> {
        let map = self.lock();
        let all = map.iter().map(|entry| {
            let (site, words) = entry?;
            Ok(remembered(Site::from_words(site), &words))
        });
        all.collect::<Result<_, _>>().map_err(error)
    }

    /// Adds what other tables had.
    pub(crate) fn keep(&self, all: &[([u64; 3], Copied)]) -> Result<(), Error> {
        let mut map = self.lock();
        all.iter()
            .try_for_each(|(site, words)| map.insert(site, words, 0))
            .map_err(error)
    }

    pub(crate) fn forget(&self, site: &Site) -> Result<(), Error> {
        match self.lock().remove(&site.to_words()) {
            Err(MapError::KeyNotFound) => Ok(()),
            outcome => outcome.map_err(error),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<MapData, [u64; 3], Copied>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn error(source: MapError) -> Error {
    Error::Map { name: NAME, source }
}

fn remembered(site: Site, words: &Copied) -> Remembered {
    let destinations = words[HEAD..].iter();
    Remembered {
        site,
        used: words[0],
        destinations: destinations
            .filter_map(|word| word.checked_sub(1))
            .collect(),
    }
}
