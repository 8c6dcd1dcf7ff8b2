//! What the loopback interface needs so that this host can be a client of its own services.
//!
//! Answers to it are handed over there, with a sender that is an address of this host, too. IPv4
//! takes that for a lie unless `accept_local` is set; on the loopback interface nobody else can
//! tell such a lie.

use std::fs;
use std::io;
use std::path::Path;

const PARAMETER: &str = "/proc/sys/net/ipv4/conf/lo/accept_local";
/// In the state directory: what it was before.
const BEFORE: &str = "accept_local";

/// Sets the parameter, and notes what it was.
pub(crate) fn accept(state: &Path) -> io::Result<()> {
    let before = fs::read_to_string(PARAMETER)?;
    if before.trim() == "1" {
        return Ok(());
    }
    fs::write(state.join(BEFORE), before)?;
    fs::write(PARAMETER, "1")
}

/// Sets it to what it was, if it was changed.
pub(crate) fn restore(state: &Path) -> io::Result<()> {
    let note = state.join(BEFORE);
    match fs::read_to_string(&note) {
        Ok(before) => {
            fs::write(PARAMETER, before)?;
            fs::remove_file(note)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
