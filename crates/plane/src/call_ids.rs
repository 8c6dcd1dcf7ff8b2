//! Call-IDs of templates, in the kernel: a hash map that lets the oldest go, so not mapped into memory.

use std::sync::{Mutex, MutexGuard, PoisonError};

use aya::Ebpf;
use aya::maps::{HashMap, MapData, MapError};
use rlvs_engine::call_id::{Words, from_words};

use crate::error::Error;
use crate::store::CallOf;
use crate::tables::hash;

#[derive(Debug)]
pub(crate) struct CallIds(Mutex<HashMap<MapData, u64, Words>>);

pub(crate) const NAME: &str = "CALL_IDS";

impl CallIds {
    pub(crate) fn new(ebpf: &mut Ebpf) -> Result<Self, Error> {
        Ok(Self(Mutex::new(hash(ebpf, NAME)?)))
    }

    pub(crate) fn all(&self) -> Result<Vec<(u64, Words)>, Error> {
        let all: Result<_, _> = self.lock().iter().collect();
        all.map_err(error)
    }

    pub(crate) fn find(&self, call: u64) -> Result<Option<CallOf>, Error> {
        match self.lock().get(&call, 0) {
            Ok(words) => Ok(Some(from_words(&words))),
            Err(MapError::KeyNotFound) => Ok(None),
            Err(source) => Err(error(source)),
        }
    }

    pub(crate) fn keep(&self, call: u64, words: &Words) -> Result<(), Error> {
        self.lock().insert(call, words, 0).map_err(error)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<MapData, u64, Words>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn error(source: MapError) -> Error {
    Error::Map { name: NAME, source }
}
