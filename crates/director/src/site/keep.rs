//! What of a site outlives the daemon, beside the journal: the text that was applied, and what is
//! known of its servers.
//!
//! Neither is needed: without them the next daemon reads the file and asks the servers again.

use std::fs;
use std::io;
use std::path::Path;

use rlvs_check::machine::BoardState;
use rlvs_config::{Site, written};
use rlvs_control::ServiceKey;
use rlvs_control::site::Applied;
use serde::Serialize;
use serde::de::DeserializeOwned;

const SITE: &str = "site.json";
const HEALTH: &str = "health.json";

pub(super) fn read_applied(directory: &Path) -> Applied {
    read(&directory.join(SITE)).unwrap_or_default()
}

pub(super) fn read_health(directory: &Path) -> Option<BoardState<ServiceKey>> {
    read(&directory.join(HEALTH))
}

pub(super) fn write_applied(directory: &Path, applied: &Applied) {
    write(&directory.join(SITE), applied);
}

pub(super) fn write_health(directory: &Path, health: &BoardState<ServiceKey>) {
    write(&directory.join(HEALTH), health);
}

/// Nothing, if this version of rlvs cannot read what another wrote.
pub(super) fn site_of(applied: &Applied) -> Site {
    let path = applied.path.as_deref().unwrap_or(Path::new("site"));
    match written::read(path, applied.text.clone()) {
        Ok(reading) => reading.site,
        Err(failure) => {
            tracing::warn!(%failure, "the site of the daemon before this one");
            Site::default()
        }
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "cannot be read");
            return None;
        }
    };
    serde_json::from_slice(&text)
        .inspect_err(|error| tracing::warn!(path = %path.display(), %error, "is not used"))
        .ok()
}

/// Whole or not at all: by a draft.
fn write(path: &Path, value: &impl Serialize) {
    let draft = path.with_extension("new");
    let written = serde_json::to_vec(value)
        .map_err(io::Error::from)
        .and_then(|text| fs::write(&draft, text))
        .and_then(|()| fs::rename(&draft, path));
    if let Err(error) = written {
        tracing::warn!(path = %path.display(), %error, "cannot be written");
    }
}
