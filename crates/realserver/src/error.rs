//! Why a real server could not be set up, in words that say how to mend it.

use std::io;
use std::net::IpAddr;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Host(#[from] rlvs_host::Error),
    #[error("there is no interface {0} in this network namespace (ip link shows those there are)")]
    NoSuchInterface(String),
    #[error("no virtual address given: add --vip ADDRESS")]
    NoVip,
    #[error("{0} cannot be a virtual address: it is not a unicast address that others reach")]
    NotUnicast(IpAddr),
    #[error(
        "{vip} is on {interface} of this host, which answers for it on the segment; \
         take it away first: ip address del {vip}/{prefix} dev {interface}"
    )]
    OnAnotherInterface {
        vip: IpAddr,
        interface: String,
        prefix: u8,
    },
    #[error(
        "{vip} is on lo as /{prefix}, which makes that whole network local; \
         take it away first: ip address del {vip}/{prefix} dev lo"
    )]
    WiderPrefix { vip: IpAddr, prefix: u8 },
    #[error("lo is down, so no address on it is local: ip link set lo up")]
    LoopbackDown,
    #[error("IPv6 is off on lo: sysctl -w net.ipv6.conf.lo.disable_ipv6=0")]
    NoIpv6,
    #[error(
        "who may send through tunnels, or tell a client's address, is not said: add --from with \
         the director's addresses as this host sees them (or --from any)"
    )]
    NoDirector,
    #[error(
        "control groups of version 2 are not mounted, which --client-address needs: \
         mount -t cgroup2 none /sys/fs/cgroup"
    )]
    NoControlGroups,
    #[error("{action}: {reason}")]
    Kernel { action: String, reason: String },
}

/// The verifier tells all it has done; what it did last is what counts.
fn short(reason: &str) -> String {
    const LAST: usize = 6;
    let lines: Vec<_> = reason.lines().collect();
    match lines.as_slice() {
        [first, ..] if lines.len() > LAST + 1 => {
            let last = &lines[lines.len() - LAST..];
            format!("{first}\n...\n{}", last.join("\n"))
        }
        _ => reason.to_owned(),
    }
}

impl Error {
    /// Why the kernel did not do `action`, with all that led to it.
    pub(crate) fn kernel(action: impl Into<String>, error: &dyn std::error::Error) -> Self {
        let mut reason = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            reason = format!("{reason}: {cause}");
            source = cause.source();
        }
        Self::Kernel {
            action: action.into(),
            reason: short(&reason),
        }
    }

    /// What went wrong in doing `action`.
    pub(crate) fn io(action: impl Into<String>, source: io::Error) -> Self {
        rlvs_host::Error::io(action, source).into()
    }
}
