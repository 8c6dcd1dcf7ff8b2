//! What was set up here, and what was there before: one small file per network namespace.
//!
//! It is written before the first change it speaks of, whole or not at all, so that whoever is
//! interrupted can run `down` (or `up` again) and get back what was there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::arrival::{Directors, Tunnels};
use crate::present::Setting;

/// Where the files are, on a file system that the next boot empties.
pub(crate) const DIRECTORY: &str = "/run/rlvs/realserver";

/// The contents of the file.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Saved {
    pub(crate) vips: BTreeSet<IpAddr>,
    /// The values that settings had before.
    pub(crate) previous: BTreeMap<Setting, u32>,
    #[serde(default)]
    pub(crate) tunnels: Option<Tunnels>,
    /// Processes are told of clients.
    #[serde(default)]
    pub(crate) client_address: bool,
    /// Whose word is taken.
    #[serde(default)]
    pub(crate) directors: Directors,
    /// The interface on which the directors' packets come in, where only that one matters.
    #[serde(default)]
    pub(crate) interface: Option<String>,
}

impl Saved {
    /// Whether programs take in what directors send.
    pub(crate) fn takes_anything(&self) -> bool {
        self.tunnels.is_some() || self.client_address
    }
}

/// The file of one network namespace.
#[derive(Debug)]
pub(crate) struct Store {
    path: PathBuf,
}

/// Held while settings are changed; let go when dropped, or when the process dies.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "open is locked")] File);

impl Store {
    pub(crate) fn new(directory: &Path, cookie: u64) -> Self {
        Self {
            path: directory.join(format!("{cookie}.json")),
        }
    }

    /// What is saved; nothing where there is no file.
    pub(crate) fn load(&self) -> Result<Saved, Error> {
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Saved::default()),
            Err(error) => return Err(self.failed("reading", error)),
        };
        let damaged = |source| Error::Damaged {
            path: self.path.clone(),
            source,
        };
        serde_json::from_slice(&text).map_err(damaged)
    }

    /// Waits until no one else changes settings from here.
    pub(crate) fn lock(&self) -> Result<Lock, Error> {
        let directory = self.path.parent().unwrap_or(Path::new("/"));
        let lock = || {
            fs::create_dir_all(directory)?;
            let file = File::open(directory)?;
            flock(&file, FlockOperation::LockExclusive)?;
            Ok(Lock(file))
        };
        lock().map_err(|error| self.failed("writing", error))
    }

    pub(crate) fn save(&self, saved: &Saved) -> Result<(), Error> {
        let outcome = if *saved == Saved::default() {
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

fn replace(path: &Path, saved: &Saved) -> io::Result<()> {
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
    use crate::present::Name;

    #[test]
    fn what_is_saved_is_loaded_and_nothing_leaves_no_file() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::new(directory.path(), 7);
        assert_eq!(store.load().unwrap(), Saved::default());
        let saved = Saved {
            vips: ["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()].into(),
            previous: [(Setting::new("all", Name::ArpIgnore), 0)].into(),
            tunnels: Some(Tunnels::new(["gue".parse().unwrap()], 7000)),
            client_address: true,
            directors: "192.0.2.1,2001:db8::/64".parse().unwrap(),
            interface: Some("eth0".into()),
        };
        let _lock = store.lock().unwrap();
        store.save(&saved).unwrap();
        assert_eq!(store.load().unwrap(), saved);
        store.save(&Saved::default()).unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        store.save(&Saved::default()).unwrap();
    }

    #[test]
    fn a_damaged_file_is_named() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("7.json"), "{").unwrap();
        let error = Store::new(directory.path(), 7)
            .load()
            .unwrap_err()
            .to_string();
        assert!(error.contains("7.json is damaged"), "{error}");
    }
}
