//! What was set up here, and what was there before: one small file per network namespace.
//!
//! It is written before the first change it speaks of, whole or not at all, so that whoever is
//! interrupted can undo it (or do it again) and get back what was there.

use std::fs::{self, File};
use std::io::{self, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Error;

/// The file of one network namespace.
#[derive(Debug)]
pub struct Store<T> {
    saved: PhantomData<T>,
    path: PathBuf,
}

/// Held while settings are changed; let go when dropped, or when the process dies.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "open is locked")] File);

impl<T: Default + DeserializeOwned + PartialEq + Serialize> Store<T> {
    pub fn new(directory: &Path, cookie: u64) -> Self {
        Self::at(directory.join(format!("{cookie}.json")))
    }

    /// At a path that is this network namespace's alone.
    pub fn at(path: PathBuf) -> Self {
        let saved = PhantomData;
        Self { saved, path }
    }

    /// What is saved; nothing where there is no file.
    pub fn load(&self) -> Result<T, Error> {
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(T::default()),
            Err(error) => return Err(self.failed("reading", error)),
        };
        let damaged = |source| Error::Damaged {
            path: self.path.clone(),
            source,
        };
        serde_json::from_slice(&text).map_err(damaged)
    }

    /// Waits until no one else changes settings from here.
    pub fn lock(&self) -> Result<Lock, Error> {
        let directory = self.path.parent().unwrap_or(Path::new("/"));
        let lock = || {
            fs::create_dir_all(directory)?;
            let file = File::open(directory)?;
            flock(&file, FlockOperation::LockExclusive)?;
            Ok(Lock(file))
        };
        lock().map_err(|error| self.failed("writing", error))
    }

    pub fn save(&self, saved: &T) -> Result<(), Error> {
        let outcome = if *saved == T::default() {
            remove(&self.path)
        } else {
            replace(&self.path, saved)
        };
        outcome.map_err(|error| self.failed("writing", error))
    }

    fn failed(&self, action: &str, error: io::Error) -> Error {
        Error::io(format!("{action} {}", self.path.display()), error)
    }
}

fn replace<T: Serialize>(path: &Path, saved: &T) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(&serde_json::to_vec_pretty(saved)?)?;
    file.sync_all()?;
    fs::rename(&new, path)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_loaded_and_nothing_leaves_no_file() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::<Vec<u8>>::new(directory.path(), 7);
        assert!(store.load().unwrap().is_empty());
        let _lock = store.lock().unwrap();
        store.save(&vec![1, 2]).unwrap();
        assert_eq!(store.load().unwrap(), [1, 2]);
        store.save(&Vec::new()).unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        store.save(&Vec::new()).unwrap();
    }

    #[test]
    fn a_damaged_file_is_named() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("7.json"), "{").unwrap();
        let error = Store::<Vec<u8>>::new(directory.path(), 7)
            .load()
            .unwrap_err()
            .to_string();
        assert!(error.contains("7.json is damaged"), "{error}");
    }
}
