//! A connection that stays open, and says nothing.

use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use rlvs_lab::Process;

use super::{SOON, Scene, connections};

/// A connection of the client's.
#[derive(Debug)]
pub struct Held {
    shell: Process,
    stop: PathBuf,
}

impl Held {
    /// Opens it from the client.
    pub fn open(scene: &Scene, vip: IpAddr) -> Result<Self> {
        let stop = scene.client.directory()?.join("held.stop");
        let script = format!(
            "exec 3<>/dev/tcp/{vip}/80; echo open; until [ -e {} ]; do sleep 0.1; done",
            stop.display()
        );
        let mut shell = scene.client.spawn("held", "bash", ["-c", &script])?;
        shell.wait_until(SOON, |shell| Ok(shell.log().contains("open")))?;
        Ok(Self { shell, stop })
    }

    /// Whom it is with.
    pub fn destination(&self, scene: &Scene) -> Result<String> {
        let mut connections = connections(&scene.director)?.into_iter();
        let established = connections.find(|it| it.state == "ESTABLISHED");
        Ok(established.context("it is not established")?.destination)
    }

    pub fn close(mut self) -> Result<()> {
        fs::write(&self.stop, "")?;
        ensure!(self.shell.wait(SOON)?.success());
        Ok(())
    }
}
