//! A connection in which nothing is said for long, and then something is.

use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use rlvs_lab::{Host, Process};

use super::SOON;

/// A connection of a client's.
#[derive(Debug)]
pub struct Idle {
    shell: Process,
    go_on: PathBuf,
}

impl Idle {
    /// Opens connection `number` to port 80 of `vip`.
    pub fn open(host: &Host, vip: IpAddr, number: u32) -> Result<Self> {
        let family = if vip.is_ipv4() { 4 } else { 6 };
        let name = format!("idle{family}-{number}");
        let go_on = host.directory()?.join(&name);
        let script = format!(
            "exec 3<>/dev/tcp/{vip}/80; echo open; until [ -e {} ]; do sleep 0.2; done; \
             printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; timeout 30 cat <&3",
            go_on.display()
        );
        let mut shell = host.spawn(&name, "bash", ["-c", &script])?;
        shell.wait_until(SOON, |shell| Ok(shell.log().contains("open")))?;
        Ok(Self { shell, go_on })
    }

    /// Says something at last; it must be answered.
    pub fn finish(mut self) -> Result<()> {
        fs::write(&self.go_on, "")?;
        let status = self.shell.wait(SOON)?;
        let log = self.shell.log();
        ensure!(
            status.success() && log.contains(" 200 OK"),
            "{status}: {log}"
        );
        Ok(())
    }
}
