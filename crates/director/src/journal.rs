//! The desired state on disk, so that a daemon that is killed takes up where it was.
//!
//! `desired.json` holds the state after some transaction, `changes.ndjson` every transaction
//! since, one a line, written before it is installed. Transactions are numbered: a crash between
//! the new snapshot and the emptying of the log leaves lines that the snapshot has already, which
//! are skipped by their number. A line counts once its newline is there, so a half-written one at
//! the end is one that was never acknowledged.
//!
//! `/run` is memory: it outlives the process, not the machine, as the data plane's own state does.
//! So nothing is synced to a disk.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rlvs_control::Transaction;
use serde::{Deserialize, Serialize};

use crate::desired::Desired;

const SNAPSHOT: &str = "desired.json";
/// The next snapshot while it is being written.
const DRAFT: &str = "desired.json.new";
const LOG: &str = "changes.ndjson";
/// Bytes that a log may always have.
const SMALL: u64 = 1 << 20;

/// The open journal of one network namespace.
#[derive(Debug)]
pub struct Journal {
    directory: PathBuf,
    log: File,
    /// Bytes of the log.
    length: u64,
    /// Bytes of the log before the last line.
    previous: u64,
    /// Bytes of the last snapshot.
    snapshot: u64,
    /// Number of the last transaction.
    sequence: u64,
}

/// Why the desired state cannot be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(
        "{}:{line}: corrupt: {message}; move the directory away to start without any service",
        path.display()
    )]
    Corrupt {
        path: PathBuf,
        line: usize,
        message: String,
    },
}

/// `desired.json`.
#[derive(Deserialize)]
struct Snapshot {
    /// The last transaction that is in it.
    sequence: u64,
    desired: Desired,
}

#[derive(Serialize)]
struct SnapshotRef<'a> {
    sequence: u64,
    desired: &'a Desired,
}

/// A line of `changes.ndjson`.
#[derive(Deserialize)]
struct Line {
    sequence: u64,
    /// When it was made, as [`Desired::apply`] counts.
    #[serde(default)]
    at: u64,
    transaction: Transaction,
}

#[derive(Serialize)]
struct LineRef<'a> {
    sequence: u64,
    at: u64,
    transaction: &'a Transaction,
}

impl Journal {
    /// Opens the journal in `directory`, new or as another process left it, with the state after
    /// the last transaction in it.
    pub fn open(directory: &Path) -> Result<(Self, Desired), Error> {
        make_private(directory).map_err(|source| io_error(directory, source))?;
        let path = directory.join(LOG);
        let (mut state, snapshot) = read_snapshot(&directory.join(SNAPSHOT))?;
        let mut log = open_log(&path).map_err(|source| io_error(&path, source))?;
        let length = replay(&path, &log, &mut state)?;
        log.set_len(length)
            .and_then(|()| log.seek(SeekFrom::Start(length)))
            .map_err(|source| io_error(&path, source))?;
        let directory = directory.to_owned();
        let sequence = state.sequence;
        let journal = Self {
            directory,
            log,
            length,
            previous: length,
            snapshot,
            sequence,
        };
        Ok((journal, state.desired))
    }

    /// How many transactions there were, all daemons together.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Writes `transaction` down; to be called before it is installed.
    pub fn append(&mut self, transaction: &Transaction, at: u64) -> Result<(), Error> {
        let line = LineRef {
            sequence: self.sequence + 1,
            at,
            transaction,
        };
        self.write_line(&line)
            .map_err(|source| io_error(&self.directory.join(LOG), source))
    }

    /// Takes back the last transaction, which could not be installed.
    ///
    /// Only the one that was appended last, and only once.
    pub fn retract(&mut self) -> Result<(), Error> {
        self.cut(self.previous)
            .map_err(|source| io_error(&self.directory.join(LOG), source))?;
        self.sequence -= u64::from(self.length > self.previous);
        self.length = self.previous;
        Ok(())
    }

    /// Whether the log has grown so long that a snapshot pays.
    pub fn wants_snapshot(&self) -> bool {
        self.length > SMALL.max(2 * self.snapshot)
    }

    /// Writes the whole state, which makes the log so far superfluous.
    pub fn snapshot(&mut self, desired: &Desired) -> Result<(), Error> {
        let path = self.directory.join(SNAPSHOT);
        self.write_snapshot(&path, desired)
            .map_err(|source| io_error(&path, source))?;
        self.cut(0)
            .map_err(|source| io_error(&self.directory.join(LOG), source))?;
        (self.length, self.previous) = (0, 0);
        Ok(())
    }

    /// A line that fails halfway (no memory left) is cut off again: the next one needs a fresh
    /// line.
    fn write_line(&mut self, line: &LineRef<'_>) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        if let Err(error) = self.log.write_all(&bytes) {
            self.cut(self.length)?;
            return Err(error);
        }
        self.sequence = line.sequence;
        self.previous = self.length;
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn write_snapshot(&mut self, path: &Path, desired: &Desired) -> io::Result<()> {
        let draft = self.directory.join(DRAFT);
        let bytes = serde_json::to_vec(&SnapshotRef {
            sequence: self.sequence,
            desired,
        })?;
        let mut file = private()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&draft)?;
        file.write_all(&bytes)?;
        fs::rename(&draft, path)?;
        self.snapshot = bytes.len() as u64;
        Ok(())
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.log.set_len(length)?;
        self.log.seek(SeekFrom::Start(length))?;
        Ok(())
    }
}

/// The last snapshot and its length; the empty state when there is none yet.
fn read_snapshot(path: &Path) -> Result<(Snapshot, u64), Error> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok((
                Snapshot {
                    sequence: 0,
                    desired: Desired::default(),
                },
                0,
            ));
        }
        Err(source) => return Err(io_error(path, source)),
    };
    let snapshot = serde_json::from_slice(&bytes)
        .map_err(|error| corrupt(path, error.line(), error.to_string()))?;
    Ok((snapshot, bytes.len() as u64))
}

/// Applies all whole lines; answers how many bytes they have.
fn replay(path: &Path, log: &File, state: &mut Snapshot) -> Result<u64, Error> {
    let mut reader = BufReader::new(log);
    let mut line = Vec::new();
    let mut length = 0;
    for number in 1.. {
        line.clear();
        reader
            .read_until(b'\n', &mut line)
            .map_err(|source| io_error(path, source))?;
        if !line.ends_with(b"\n") {
            break;
        }
        redo(&line, state).map_err(|message| corrupt(path, number, message))?;
        length += line.len() as u64;
    }
    Ok(length)
}

fn redo(line: &[u8], state: &mut Snapshot) -> Result<(), String> {
    let line: Line = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    if line.sequence <= state.sequence {
        return Ok(());
    }
    if line.sequence != state.sequence + 1 {
        return Err(format!(
            "transaction {} follows {}",
            line.sequence, state.sequence
        ));
    }
    state.sequence = line.sequence;
    state
        .desired
        .apply(&line.transaction, line.at, &mut |_, _| {})
        .map_err(|error| error.message)
}

fn make_private(directory: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    fs::set_permissions(directory, Permissions::from_mode(0o700))
}

fn open_log(path: &Path) -> io::Result<File> {
    private()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

fn io_error(path: &Path, source: io::Error) -> Error {
    Error::Io {
        path: path.to_owned(),
        source,
    }
}

fn corrupt(path: &Path, line: usize, message: String) -> Error {
    Error::Corrupt {
        path: path.to_owned(),
        line,
        message,
    }
}

#[cfg(test)]
mod tests;
