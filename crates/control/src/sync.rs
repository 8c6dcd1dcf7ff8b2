//! Synchronisation of connections with other directors: IPVS's two daemons.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Code, Error};

/// Where masters tell unless another group is named.
pub const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 81));
/// The port unless another is named.
pub const PORT: u16 = 8848;
const USUAL_MTU: u32 = 1500;
/// Bytes of a datagram that a backup is ready for at least.
const LEAST_OF_BACKUP: u16 = 1024;
/// Bytes of an interface's name (IFNAMSIZ, less its NUL).
const LONGEST_NAME: usize = 15;

/// What a synchronisation daemon does; there may be one of each.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "lowercase")]
pub enum SyncRole {
    /// Tells the connections of this director.
    Master,
    /// Takes those of others.
    Backup,
}

impl SyncRole {
    pub const ALL: [Self; 2] = [Self::Master, Self::Backup];
}

impl fmt::Display for SyncRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Master => "master",
            Self::Backup => "backup",
        })
    }
}

/// A synchronisation daemon, as `ipvsadm --start-daemon` starts it.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct SyncDaemon {
    pub role: SyncRole,
    /// The interface of the group (`--mcast-interface`).
    pub interface: String,
    /// Directors of one number belong together (`--syncid`); a backup of 0 takes all.
    #[serde(default)]
    pub id: u8,
    /// Bytes of a datagram without its headers (`--sync-maxlen`); absent: what the MTU allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maxlen: Option<u16>,
    /// `--mcast-group`; 224.0.0.81 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<IpAddr>,
    /// `--mcast-port`; 8848 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// `--mcast-ttl`; 1 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u8>,
}

impl SyncDaemon {
    pub fn new(role: SyncRole, interface: impl Into<String>) -> Self {
        Self {
            role,
            interface: interface.into(),
            id: 0,
            maxlen: None,
            group: None,
            port: None,
            ttl: None,
        }
    }

    pub fn group(&self) -> IpAddr {
        self.group.unwrap_or(GROUP)
    }

    pub fn port(&self) -> u16 {
        self.port.unwrap_or(PORT)
    }

    pub fn ttl(&self) -> u8 {
        self.ttl.unwrap_or(1)
    }

    /// With all that was left out filled in, for an interface of this MTU (`start_sync_thread`): a
    /// master makes datagrams for 1500 bytes, a backup is ready for what its interface lets through.
    #[must_use]
    pub fn filled(&self, mtu: u32) -> Self {
        let around: u16 = if self.group().is_ipv6() { 48 } else { 28 };
        let (mtu, least) = match self.role {
            SyncRole::Master => (USUAL_MTU, 1),
            SyncRole::Backup => (mtu.clamp(USUAL_MTU, u16::MAX.into()), LEAST_OF_BACKUP),
        };
        let maxlen = match self.maxlen {
            Some(said) => said.clamp(least, u16::MAX - around),
            None => mtu as u16 - around,
        };
        Self {
            maxlen: Some(maxlen),
            group: Some(self.group()),
            port: Some(self.port()),
            ttl: Some(self.ttl()),
            ..self.clone()
        }
    }

    /// Refuses what cannot be one.
    pub fn check(&self) -> Result<(), Error> {
        if !self.group().is_multicast() {
            let message = format!(
                "{} is no multicast address: leave it out to use {GROUP}",
                self.group()
            );
            return Err(Error::new(Code::Invalid, message));
        }
        if [self.port, self.maxlen].contains(&Some(0)) || self.ttl == Some(0) {
            let message = "port, maxlen and ttl begin at 1: leave them out for the usual ones";
            return Err(Error::new(Code::Range, message));
        }
        let is_name = (1..=LONGEST_NAME).contains(&self.interface.len());
        match is_name {
            true => Ok(()),
            false => Err(no_interface(&self.interface)),
        }
    }
}

/// There is no such interface in this network namespace.
pub fn no_interface(name: &str) -> Error {
    let message = format!("there is no interface `{name}': `ip link' lists those there are");
    Error::new(Code::NoSuchInterface, message)
}

/// How synchronisation fares.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Synchronisation {
    /// Those that run: the master first.
    pub daemons: Vec<DaemonState>,
    /// Other directors of rlvs, of `[sync]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<PeerState>,
    /// What peers had when this daemon began is known here, or they were not there.
    #[serde(default)]
    pub caught_up: bool,
}

/// How synchronisation with another director of rlvs fares.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct PeerState {
    pub address: SocketAddr,
    /// Why it is not told connections; it is tried again each second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// It is there, and has told all that it has.
    pub caught_up: bool,
    /// Connections and templates that it was told.
    pub told: u64,
    /// Those of its that were taken.
    pub taken: u64,
    /// Those that wait for their real server to be known here.
    pub waiting: u64,
    /// What was not taken, by reason.
    pub dropped: Vec<Dropped>,
}

/// A daemon that runs, with all that was left out filled in.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct DaemonState {
    #[serde(flatten)]
    pub daemon: SyncDaemon,
    /// Why it does not work now; it is tried again each second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Datagrams that were sent, or came.
    pub messages: u64,
    /// Connections and templates in them that were told, or taken.
    pub records: u64,
    /// Whose messages a backup takes; empty: everybody's who reaches the group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<IpAddr>,
    /// Of a backup: connections that wait for their real server to be known here.
    #[serde(default)]
    pub waiting: u64,
    /// What was not told or not taken, by reason.
    pub dropped: Vec<Dropped>,
}

impl DaemonState {
    /// That has done nothing yet.
    pub fn new(daemon: SyncDaemon) -> Self {
        Self {
            daemon,
            problem: None,
            messages: 0,
            records: 0,
            peers: Vec::new(),
            waiting: 0,
            dropped: Vec::new(),
        }
    }
}

/// What was not used.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Dropped {
    /// Short and stable, for programs: `other-syncid`.
    pub reason: String,
    pub count: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_what_ipvs_takes() {
        let daemon = SyncDaemon::new(SyncRole::Master, "eth0");
        assert_eq!(daemon.check(), Ok(()));
        let values = (daemon.group(), daemon.port(), daemon.ttl());
        assert_eq!(values, (GROUP, 8848, 1));
    }

    /// As Linux 6.1 lists them.
    #[test]
    fn lengths_are_the_kernels() {
        let length = |role, said, group: Option<IpAddr>, mtu| {
            let daemon = SyncDaemon {
                maxlen: said,
                group,
                ..SyncDaemon::new(role, "eth0")
            };
            daemon.filled(mtu).maxlen.unwrap()
        };
        let ipv6 = Some("ff02::81".parse().unwrap());
        assert_eq!(length(SyncRole::Master, None, None, 9000), 1472);
        assert_eq!(length(SyncRole::Master, None, ipv6, 1500), 1452);
        assert_eq!(length(SyncRole::Master, Some(65507), None, 1500), 65507);
        assert_eq!(length(SyncRole::Master, Some(1), None, 1500), 1);
        assert_eq!(length(SyncRole::Backup, Some(1000), None, 1500), 1024);
        assert_eq!(length(SyncRole::Backup, None, None, 1280), 1472);
        assert_eq!(length(SyncRole::Backup, None, None, 65536), 65507);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let daemon = || SyncDaemon::new(SyncRole::Backup, "eth0");
        let wrong = [
            SyncDaemon {
                group: Some([192, 0, 2, 1].into()),
                ..daemon()
            },
            SyncDaemon {
                port: Some(0),
                ..daemon()
            },
            SyncDaemon {
                ttl: Some(0),
                ..daemon()
            },
            SyncDaemon {
                maxlen: Some(0),
                ..daemon()
            },
            SyncDaemon::new(SyncRole::Backup, ""),
            SyncDaemon::new(SyncRole::Backup, "a-name-of-sixteen"),
        ];
        for daemon in wrong {
            assert!(daemon.check().is_err(), "{daemon:?}");
        }
    }
}
