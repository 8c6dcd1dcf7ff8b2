//! Why a director cannot run.

use std::io;
use std::path::PathBuf;

use crate::{journal, server};

/// A failure that ends the daemon, or keeps it from starting.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("rlvs must run as root (CAP_BPF, CAP_NET_ADMIN and CAP_SYS_ADMIN)")]
    NotRoot,
    #[error("cannot learn which network namespace this is: {0}")]
    Namespace(io::Error),
    #[error("cannot start: {0}")]
    Runtime(io::Error),
    #[error(transparent)]
    Access(#[from] server::access::Error),
    #[error(transparent)]
    Server(#[from] server::Error),
    #[error(transparent)]
    Doors(#[from] server::doors::Error),
    #[error(transparent)]
    Journal(#[from] journal::Error),
    #[error("data plane: {}", full(.0))]
    Plane(#[from] rlvs_plane::Error),
    #[error("cannot follow the kernel's links and routes: {0}")]
    Network(#[from] rlvs_network::Error),
    #[error("the kernel stopped telling of links and routes; start rlvs again")]
    NetworkEnded,
    #[error("net.ipv4.conf.lo.accept_local and net.ipv4.ip_early_demux cannot be set back: {0}")]
    Parameter(io::Error),
    #[error("addresses of this machine: {0}")]
    Addresses(rlvs_host::Error),
    #[error("the way of packets with firewall marks: {0}")]
    Marks(rlvs_network::marks::Error),
    #[error("health checks: {0}")]
    Checks(io::Error),
    #[error("VRRP: {0}")]
    Vrrp(io::Error),
    #[error("{}: {message}", path.display())]
    Site { path: PathBuf, message: String },
    #[error("a director runs in this network namespace: end it first (process {pid})")]
    Running { pid: u32 },
}

/// The error with all its causes.
fn full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
