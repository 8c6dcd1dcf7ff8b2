//! Why the network cannot be followed at all.

use std::io;

/// What [`crate::Network::start`] can fail with. Later failures are retried and logged.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot open a netlink socket to the kernel: {0}")]
    Socket(#[from] io::Error),
}
