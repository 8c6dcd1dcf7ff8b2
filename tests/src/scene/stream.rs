//! Short requests one after another, each in a connection of its own, until told to stop.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use rlvs_lab::address::with_port;
use rlvs_lab::{Host, Process};

use super::Scene;

const LIMIT: Duration = Duration::from_secs(60);

/// One to each virtual address.
pub fn streams(scene: &Scene) -> Result<Vec<Stream>> {
    let vips = scene.vips().into_iter();
    vips.map(|vip| Stream::start(&scene.client, vip)).collect()
}

/// Waits for so many answers more in each.
pub fn wait_for(streams: &mut [Stream], more: u32) -> Result<()> {
    streams
        .iter_mut()
        .try_for_each(|stream| stream.wait_for(more))
}

/// Requests that go on.
#[derive(Debug)]
pub struct Stream {
    shell: Process,
    stop: PathBuf,
}

impl Stream {
    /// Begins to send requests from `host` to port 80 of `vip`; the first that fails ends it.
    pub fn start(host: &Host, vip: IpAddr) -> Result<Self> {
        let name = if vip.is_ipv4() { "stream4" } else { "stream6" };
        let stop = host.directory()?.join(format!("{name}.stop"));
        let script = format!(
            "for i in $(seq 50000); do [ ! -e {stop} ] || exit 0; \
             curl -sSfg -m 10 http://{address}/ || exit 1; done",
            stop = stop.display(),
            address = with_port(vip, 80),
        );
        let shell = host.spawn(name, "bash", ["-c", &script])?;
        Ok(Self { shell, stop })
    }

    /// Requests that were answered.
    pub fn answered(&self) -> u32 {
        self.shell.log().lines().count() as u32
    }

    /// Waits for so many answers more.
    pub fn wait_for(&mut self, more: u32) -> Result<()> {
        let wanted = self.answered() + more;
        self.shell.wait_until(LIMIT, |shell| {
            Ok(shell.log().lines().count() as u32 >= wanted)
        })
    }

    /// Ends it; how many requests each real server answered. All must have been.
    pub fn finish(mut self) -> Result<BTreeMap<String, u32>> {
        fs::write(&self.stop, "")?;
        let status = self.shell.wait(LIMIT)?;
        let log = self.shell.log();
        ensure!(status.success(), "a request failed: {log}");
        let mut shares = BTreeMap::new();
        for line in log.lines() {
            *shares.entry(line.to_owned()).or_default() += 1;
        }
        Ok(shares)
    }
}
