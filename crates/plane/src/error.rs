//! What can go wrong between the daemon and the kernel.

use std::io;
use std::path::PathBuf;

use crate::layout::Foreign;

/// A failure to load, adopt or change the data plane.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot mount a BPF file system on {}: {source}", path.display())]
    Mount { path: PathBuf, source: io::Error },
    #[error("{}: {source}", path.display())]
    Pin { path: PathBuf, source: io::Error },
    #[error(
        "{} holds tables of another version of rlvs that cannot be carried over: {source}. They work \
         on as they are. Run that version or a later one; or end them, with all connections, by its \
         `rlvs down`",
        path.display()
    )]
    OtherVersion { path: PathBuf, source: Foreign },
    #[error("the kernel refused the eBPF object: {0}")]
    Load(#[from] aya::EbpfError),
    #[error("the kernel refused the program: {0}")]
    Program(#[from] aya::programs::ProgramError),
    #[error("map {name}: {source}")]
    Map {
        name: &'static str,
        source: aya::maps::MapError,
    },
    #[error("map {name} is not in the eBPF object: a bug, please report it")]
    NoMap { name: &'static str },
    #[error("map {name} cannot be mapped into memory: {source}")]
    Mapping {
        name: &'static str,
        source: io::Error,
    },
    #[error("the kernel gave no random number: {0}")]
    Random(io::Error),
    #[error("the table of services is full: set `services` higher in rlvs.toml")]
    ServicesFull,
    #[error("the table of destinations is full: set `destinations` higher in rlvs.toml")]
    DestinationsFull,
    #[error("the table of local addresses is full: delete some (ipvsadm --del-laddr)")]
    LocalsFull,
    #[error("the schedulers' table is full: set `destinations` higher in rlvs.toml")]
    NodesFull,
}

/// An error with all its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
