//! `-L --daemon`

use std::io::{self, Write};

use rlvs_control::Synchronisation;

/// Those that run, the master first.
pub(crate) fn daemons(now: &Synchronisation, output: &mut dyn Write) -> io::Result<()> {
    for state in &now.daemons {
        let it = &state.daemon;
        write!(
            output,
            "{} sync daemon (mcast={}, syncid={}",
            it.role, it.interface, it.id
        )?;
        if let Some(maxlen) = it.maxlen {
            write!(output, ", maxlen={maxlen}")?;
        }
        let (group, port, ttl) = (it.group(), it.port(), it.ttl());
        writeln!(output, ", group={group}, port={port}, ttl={ttl})")?;
    }
    Ok(())
}
