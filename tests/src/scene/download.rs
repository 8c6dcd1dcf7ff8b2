//! A long transfer, whose bytes are compared when it is over.

use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use rlvs_lab::address::with_port;
use rlvs_lab::{Host, Process};

const LIMIT: Duration = Duration::from_secs(40);
/// Bytes after which a download is well on its way.
const BEGUN: u64 = 128 << 10;

/// A download that goes on.
#[derive(Debug)]
pub struct Download {
    curl: Process,
    file: PathBuf,
    original: PathBuf,
}

impl Download {
    /// Begins one from `vip`, by way of `port`, of so many bytes a second, as curl takes them; the
    /// first have come when this returns.
    pub(super) fn start(host: &Host, vip: IpAddr, port: u16, rate: &str) -> Result<Self> {
        let file = host.directory()?.join(format!("download-{port}"));
        let url = format!("http://{}/big", with_port(vip, 80));
        let (port, output) = (port.to_string(), file.display().to_string());
        let limit = LIMIT.as_secs().to_string();
        let words = [
            "-sSfg",
            "--limit-rate",
            rate,
            "--max-time",
            &limit,
            "--local-port",
            &port,
            "--output",
            &output,
            &url,
        ];
        let curl = host.spawn("download", "curl", words)?;
        let original = host.lab().directory().join("big");
        let mut download = Self {
            curl,
            file,
            original,
        };
        download.wait_for(BEGUN)?;
        Ok(download)
    }

    /// Bytes that have come.
    pub fn received(&self) -> u64 {
        fs::metadata(&self.file).map_or(0, |file| file.len())
    }

    /// Waits until so many bytes have come.
    pub fn wait_for(&mut self, bytes: u64) -> Result<()> {
        let file = self.file.clone();
        let received = || fs::metadata(&file).map_or(0, |file| file.len());
        self.curl.wait_until(LIMIT, |_| Ok(received() >= bytes))
    }

    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.curl.exited()?.is_none())
    }

    /// Waits for the end; every byte must be right.
    pub fn finish(mut self) -> Result<()> {
        let status = self.curl.wait(LIMIT)?;
        ensure!(status.success(), "{status}: {}", self.curl.log());
        ensure!(
            fs::read(&self.file)? == fs::read(&self.original)?,
            "what was downloaded is not what was served"
        );
        Ok(())
    }
}
