//! Tokens: who may ask over TCP, and as what.
//!
//! A token is 32 random bytes, so its plain hash tells nobody anything, and needs no salt. The file
//! has a line for each: a name, a role, and the hash. The token itself is nowhere but with who has it.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::rand::{GetRandomFlags, getrandom};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use super::role::Role;

/// What tokens begin with, so that they are known where they should not be.
const PREFIX: &str = "rlvs_";
const HASH: &str = "sha256:";
/// Bytes that a file may have; a line has a hundred.
const LARGEST: u64 = 1 << 20;
const GROUP_OR_OTHERS_WRITE: u32 = 0o022;
const OTHERS_READ: u32 = 0o004;

/// All of a file.
#[derive(Clone, Debug, Default)]
pub struct Tokens(Vec<Entry>);

/// Who has a token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) role: Role,
    hash: [u8; 32],
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: {why}", path.display())]
    Open { path: PathBuf, why: &'static str },
    #[error("{}:{line}: {why}", path.display())]
    Line {
        path: PathBuf,
        line: usize,
        why: String,
    },
    #[error("{}: there is a token of {name} already: delete its line first", path.display())]
    Taken { path: PathBuf, name: String },
    #[error("`{0}` is no name for a token: use letters, digits, `-`, `_` and `.`")]
    Name(String),
}

impl Tokens {
    /// Those of a file that nobody but root, or who runs this, can change.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = read_private(path)?;
        let mut tokens = Self::default();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let entry = entry(line).and_then(|entry| match tokens.has(&entry.name) {
                true => Err(format!("a second token of {}", entry.name)),
                false => Ok(entry),
            });
            tokens.0.push(entry.map_err(|why| Error::Line {
                path: path.to_owned(),
                line: index + 1,
                why,
            })?);
        }
        Ok(tokens)
    }

    /// Makes a token and adds its hash to a file, which is made if it is not there. The token.
    pub fn add(path: &Path, name: &str, role: Role) -> Result<String, Error> {
        let is_plain = |it: char| it.is_ascii_alphanumeric() || "-_.".contains(it);
        if name.is_empty() || !name.chars().all(is_plain) {
            return Err(Error::Name(name.to_owned()));
        }
        let failed = |source| Error::Io {
            path: path.to_owned(),
            source,
        };
        if path.exists() && Self::read(path)?.has(name) {
            return Err(Error::Taken {
                path: path.to_owned(),
                name: name.to_owned(),
            });
        }
        let mut bytes = [0; 32];
        random(&mut bytes).map_err(failed)?;
        let token = format!("{PREFIX}{}", hexadecimal(&bytes));
        let line = format!("{name} {role} {HASH}{}\n", hexadecimal(&hash(&token)));
        OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(path)
            .and_then(|mut file| file.write_all(line.as_bytes()))
            .map_err(failed)?;
        Ok(token)
    }

    /// Whose token it is. How long that takes depends on none of them.
    pub(super) fn find(&self, token: &str) -> Option<&Entry> {
        let hash = hash(token);
        let mut found = None;
        for entry in &self.0 {
            if bool::from(entry.hash.ct_eq(&hash)) {
                found = Some(entry);
            }
        }
        found
    }

    /// Whether somebody's token is still there, for the same.
    pub(super) fn knows(&self, entry: &Entry) -> bool {
        self.0.contains(entry)
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|entry| entry.name == name)
    }
}

/// What is in a file that others than root, or who runs this, can neither change nor read.
pub(super) fn read_private(path: &Path) -> Result<String, Error> {
    let failed = |source| Error::Io {
        path: path.to_owned(),
        source,
    };
    let file = fs::File::open(path).map_err(failed)?;
    let data = file.metadata().map_err(failed)?;
    let owner = data.uid();
    let why = if owner != 0 && owner != nix::unistd::geteuid().as_raw() {
        "it belongs to somebody else than root: chown root"
    } else if data.mode() & GROUP_OR_OTHERS_WRITE != 0 {
        "others than its owner can change it: chmod 600"
    } else if data.mode() & OTHERS_READ != 0 {
        "everybody can read it: chmod 600"
    } else if !data.is_file() || data.len() > LARGEST {
        "it is no file, or larger than 1 MiB"
    } else {
        let mut text = String::new();
        file.take(LARGEST)
            .read_to_string(&mut text)
            .map_err(failed)?;
        return Ok(text);
    };
    Err(Error::Open {
        path: path.to_owned(),
        why,
    })
}

fn entry(line: &str) -> Result<Entry, String> {
    let words: Vec<_> = line.split_whitespace().collect();
    let &[name, role, hash] = words.as_slice() else {
        return Err("a line has a name, a role and a hash: `rlvs token` makes one".to_owned());
    };
    let bytes = hash.strip_prefix(HASH).and_then(bytes);
    Ok(Entry {
        name: name.to_owned(),
        role: role.parse()?,
        hash: bytes.ok_or("the hash is none: `rlvs token` makes one")?,
    })
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

fn random(bytes: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        filled += getrandom(rest, GetRandomFlags::empty())?;
    }
    Ok(())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hexadecimal: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if hexadecimal.len() != 2 * bytes.len() || !hexadecimal.is_ascii() {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hexadecimal.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn a_token_is_known_by_its_hash() {
        let folder = folder();
        let path = folder.path().join("tokens");
        let reads = Tokens::add(&path, "prometheus", Role::Read).unwrap();
        let all = Tokens::add(&path, "ops.1", Role::Admin).unwrap();
        assert!(reads.len() == PREFIX.len() + 64 && reads != all);
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            !text.contains(&reads) && text.lines().count() == 2,
            "{text}"
        );
        let tokens = Tokens::read(&path).unwrap();
        let found = tokens.find(&all).unwrap();
        assert_eq!((found.name.as_str(), found.role), ("ops.1", Role::Admin));
        assert_eq!(tokens.find(&reads).unwrap().role, Role::Read);
        for wrong in ["", PREFIX, &all[1..], &format!("{all}0")] {
            assert_eq!(tokens.find(wrong), None);
        }
        assert!(matches!(
            Tokens::add(&path, "ops.1", Role::Read),
            Err(Error::Taken { .. })
        ));
        assert!(matches!(
            Tokens::add(&path, "two words", Role::Read),
            Err(Error::Name(_))
        ));
    }

    #[test]
    fn a_file_that_others_can_change_or_read_is_refused() {
        let folder = folder();
        let path = folder.path().join("tokens");
        Tokens::add(&path, "x", Role::Read).unwrap();
        for (mode, right) in [
            (0o600, true),
            (0o400, true),
            (0o640, true),
            (0o660, false),
            (0o602, false),
            (0o604, false),
        ] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let outcome = Tokens::read(&path);
            assert_eq!(outcome.is_ok(), right, "{mode:o}");
            let chmod = |error: Error| error.to_string().contains("chmod 600");
            assert!(outcome.err().is_none_or(chmod));
        }
    }

    #[test]
    fn a_wrong_line_is_named() {
        let folder = folder();
        let path = folder.path().join("tokens");
        let hash = "0".repeat(64);
        for (text, error) in [
            ("# a\n\nx read".to_owned(), ":3: a line has a name"),
            (
                format!("x root sha256:{hash}"),
                ":1: there is no role `root`",
            ),
            (format!("x read {hash}"), ":1: the hash is none"),
            (
                format!("x read sha256:{hash}\nx read sha256:{hash}"),
                ":2: a second token of x",
            ),
        ] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            let said = Tokens::read(&path).unwrap_err().to_string();
            assert!(said.contains(error), "{said}");
        }
    }
}
