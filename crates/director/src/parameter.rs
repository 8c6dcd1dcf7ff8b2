//! Kernel parameters that are set while there is a need, and then what they were before.

use std::fs;
use std::io;
use std::path::Path;

/// A parameter of this network namespace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parameter {
    path: &'static str,
    /// What it is to be.
    value: &'static str,
    /// In the state directory: what it was before.
    before: &'static str,
}

/// Answers of a director to itself have a sender that is an address of this host, too. IPv4 takes
/// that for a lie unless this is set; on the loopback interface nobody else can tell such a lie.
pub(crate) const ACCEPT_LOCAL: Parameter = Parameter {
    path: "/proc/sys/net/ipv4/conf/lo/accept_local",
    value: "1",
    before: "accept_local",
};

/// A packet whose socket was looked up before its route is dropped where the route leads to another
/// interface: that of firewall marks, from where packets for sockets of this host come back. Of IPv6
/// packets, too.
pub(crate) const EARLY_DEMUX: Parameter = Parameter {
    path: "/proc/sys/net/ipv4/ip_early_demux",
    value: "0",
    before: "ip_early_demux",
};

impl Parameter {
    /// Sets it, and notes in the state directory what it was.
    pub(crate) fn set(self, state: &Path) -> io::Result<()> {
        let before = fs::read_to_string(self.path)?;
        if before.trim() == self.value {
            return Ok(());
        }
        fs::write(state.join(self.before), before)?;
        fs::write(self.path, self.value)
    }

    /// Sets it to what it was, if it was changed.
    pub(crate) fn restore(self, state: &Path) -> io::Result<()> {
        let note = state.join(self.before);
        match fs::read_to_string(&note) {
            Ok(before) => {
                fs::write(self.path, before)?;
                fs::remove_file(note)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}
