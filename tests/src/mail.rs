//! A mail server of Debian's.

use std::time::Duration;

use anyhow::Result;
use rlvs_lab::address::with_port;
use rlvs_lab::{Host, Process};

const SOON: Duration = Duration::from_secs(60);

/// A mail server that prints what it gets.
pub fn mail_server(host: &Host) -> Result<Process> {
    let listen = with_port(host.address().v4, 25);
    let words = ["-u", "-m", "aiosmtpd", "-n", "-l", &listen];
    let handler = ["-c", "aiosmtpd.handlers.Debugging", "stdout"];
    // Debian's, which has Debian's modules.
    let python = "/usr/bin/python3";
    let mut server = host.spawn("mail", python, words.into_iter().chain(handler))?;
    let address = host.address().v4.to_string();
    server.wait_until(SOON, |_| {
        let greeted = host.try_run("curl", ["-s", &format!("smtp://{address}"), "-X", "NOOP"])?;
        Ok(greeted.status.success())
    })?;
    Ok(server)
}
